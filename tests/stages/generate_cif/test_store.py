"""What goes into the store comes out of it, sorted as Python sorts."""

import math
from collections import deque
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.generate_cif.crystals import Crystal
from stages.generate_cif.store import CrystalStore
from stages.shared.errors import StageError
from stages.shared.schemas import CRYSTALS_SCHEMA

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_finite = st.floats(width=32, allow_nan=False, allow_infinity=False)  # what the readers let through
_parts = st.none() | st.lists(_finite).map(lambda density: {"Cl": np.array(density, dtype=np.float32)})
_number = st.none() | st.floats(allow_nan=False, allow_infinity=False)


def crystal(material_id: str, **columns: Any) -> Crystal:
    values = dict.fromkeys(CRYSTALS_SCHEMA.names) | {"material_id": material_id, "source": "test", "cif": "data_"}
    del values["split"]
    values |= {"source_id": material_id, "formula": "NaCl", "space_group_number": 225, **columns}
    return Crystal("test", material_id, ("a file",), values, ("a note", "another"))


@settings(max_examples=60)
@given(st.dictionaries(_text, st.tuples(_number, st.none() | _text, st.lists(st.floats(width=32), min_size=1), _parts)))
def test_every_value_comes_back_bit_for_bit_and_ids_are_sorted_as_python_sorts(values: dict[str, Any]) -> None:
    crystals = {
        name: crystal(
            name,
            band_gap=gap,
            narrative=text,
            edos_density=np.array(density, dtype=np.float32),
            edos_projected=parts,
        )
        for name, (gap, text, density, parts) in values.items()
    }
    with closing(CrystalStore()) as store:
        for one in crystals.values():
            store.add(one)
        arrived, by_id = list(store.in_order_of_arrival()), list(store.sorted_by_id())
    assert [one.source_id for one in arrived] == list(crystals)
    assert [one.source_id for one in by_id] == sorted(crystals)
    for found in by_id:
        expected = crystals[found.source_id]
        assert (found.source, found.files, found.notes) == (expected.source, expected.files, expected.notes)
        assert set(found.columns) == set(expected.columns)
        for name, value in expected.columns.items():
            if isinstance(value, dict):
                parts = found.columns[name]
                assert {element: part.tobytes() for element, part in parts.items()} == {"Cl": value["Cl"].tobytes()}
            elif isinstance(value, np.ndarray):
                assert found.columns[name].tobytes() == value.tobytes()
            elif isinstance(value, float):
                assert (found.columns[name], math.copysign(1, found.columns[name])) == (value, math.copysign(1, value))
            else:
                assert found.columns[name] == value


def test_a_crystal_is_found_by_its_id_and_by_formula_and_space_group() -> None:
    with closing(CrystalStore()) as store:
        for name, formula, number in (("b", "NaCl", 225), ("a", "NaCl", 225), ("c", "NaCl", 221), ("d", "KCl", 225)):
            store.add(crystal(name, formula=formula, space_group_number=number, cif=f"cif of {name}"))
        assert store.source_of("a") == "test"
        assert store.source_of("e") is None
        assert list(store.structure_keys()) == [("KCl", 225), ("NaCl", 221), ("NaCl", 225)]
        assert list(store.cifs_of("NaCl", 225).items()) == [("a", "cif of a"), ("b", "cif of b")]
        assert store.cifs_of("NaCl", 1) == {}


def test_texts_and_matches_are_kept_while_the_crystals_are_read() -> None:
    with closing(CrystalStore()) as store:
        for name in "abc":
            store.add(crystal(name))
        for one in store.in_order_of_arrival():
            store.add_match(one.source_id, "z")
            store.add_match(one.source_id, "y")
        store.set_texts("b", crystal("told", explanation="Because.", questions="{}"))
        assert [store.matches_of(name) for name in "abd"] == [["y", "z"], ["y", "z"], []]
        assert [store.has_narrative(name) for name in "abc"] == [False, True, False]
        assert [one.columns["questions"] for one in store.sorted_by_id()] == [None, "{}", None]


def test_parts_by_element_come_with_the_spectrum_they_belong_to_and_with_no_other() -> None:
    coarse, fine = np.zeros(2, dtype=np.float32), np.zeros(5, dtype=np.float32)
    whole = {"phdos_frequency": fine, "phdos_density": fine}
    parted = {"phdos_frequency": coarse, "phdos_density": coarse, "phdos_projected": {"Na": coarse}}
    with closing(CrystalStore()) as store:
        store.add(crystal("has a spectrum", fingerprint="x", **whole))
        store.add(crystal("has none", fingerprint="x"))
        for name in ("has a spectrum", "has none"):
            assert store.complete(crystal(name, fingerprint="x", **parted))
        kept, completed = store.in_order_of_arrival()
    assert (len(kept.columns["phdos_density"]), kept.columns["phdos_projected"]) == (5, None)
    assert (len(completed.columns["phdos_density"]), list(completed.columns["phdos_projected"])) == (2, ["Na"])


def test_a_full_disk_is_one_sentence() -> None:
    with closing(CrystalStore()) as store:
        store._database.execute("PRAGMA max_page_count = 20")
        pages = (crystal(str(number), cif="x" * 4096) for number in range(100))
        with pytest.raises(StageError, match="set TMPDIR to a folder with room"):
            deque(map(store.add, pages))
