from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from stages.shared.errors import StageError
from stages.shared.params import Params, load_params

ROOT = Path(__file__).resolve().parents[3]


def edited(tmp_path: Path, old: str, new: str) -> Path:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "params.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_values_are_what_dvc_s_yaml_reader_sees() -> None:
    params = load_params("pretrain", "dos_kinds", "targets", path=ROOT / "params.yaml")
    raw = YAML(typ="safe").load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for section in ("pretrain", "dos_kinds", "targets"):
        value = getattr(params, section)
        plain = {k: v.model_dump() for k, v in value.items()} if isinstance(value, dict) else value.model_dump()
        assert plain == raw[section]


@settings(max_examples=25, deadline=None)
@given(st.floats(min_value=1e-8, max_value=1e8))
def test_any_spelling_of_a_number_is_read_as_yaml_1_2_reads_it(
    tmp_path_factory: pytest.TempPathFactory, x: float
) -> None:
    for spelling in (f"{x:e}", f"{x:.3g}", repr(x)):
        path = edited(
            tmp_path_factory.mktemp("p"), "temperature: 0.07", f"temperature: 0.07\n  weight_decay: {spelling}"
        )
        path.write_text(path.read_text(encoding="utf-8").replace("  weight_decay: 0.01\n", "", 1), encoding="utf-8")
        expected = YAML(typ="safe").load(path.read_text(encoding="utf-8"))["pretrain"]["weight_decay"]
        if isinstance(
            expected, str
        ):  # "1e-05" is a string in ruamel's reading of some spellings: then it must be refused
            with pytest.raises(StageError):
                load_params("pretrain", path=path)
        else:
            assert load_params("pretrain", path=path).pretrain.weight_decay == expected


def test_what_dvc_writes_for_an_experiment_is_read_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes((ROOT / "params.yaml").read_bytes())
    apply_overrides(path, ["dos.seed=1"])
    assert path.read_bytes() != (ROOT / "params.yaml").read_bytes()
    sections = list(Params.model_fields)
    before, after = load_params(*sections, path=ROOT / "params.yaml"), load_params(*sections, path=path)
    assert after.dos == before.dos.model_copy(update={"seed": 1})
    assert after.model_copy(update={"dos": before.dos}) == before


def test_an_unknown_key_is_answered_with_the_nearest_valid_one(tmp_path: Path) -> None:
    path = edited(tmp_path, "learning_rate: 1.0e-3 ", "learning_rat: 1.0e-3 ")
    with pytest.raises(StageError, match=r"pretrain\.learning_rat is unknown; did you mean pretrain\.learning_rate\?"):
        load_params("pretrain", path=path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dim: 96 ", "dim: 9.5 ", r"encoder\.dim is 9\.5"),
        ("pretrained: true", "pretrained: on", r"fusion\.pretrained is 'on'"),
        ("train: 0.68", "train: 0.95", r"generate_cif\.split: train \+ val must leave"),
        ("scheme: formula", "scheme: formla", r"generate_cif\.split\.scheme is 'formla'.*'formula', .* or '\w+'"),
        ("[monoclinic, triclinic]", "[monoclin]", r"test_crystal_systems\.0 is 'monoclin'.*'cubic'"),
        ("[monoclinic, triclinic]", "[]", r"test_crystal_systems is \[\]: list should have at least 1 item"),
        (
            "[monoclinic, triclinic]",
            "[cubic, hexagonal, tetragonal, trigonal, orthorhombic, monoclinic, triclinic]",
            r"generate_cif\.split: test_crystal_systems must leave a crystal system to train on",
        ),
        ("seen_species_counts: [2, 3]", "seen_species_counts: [0]", r"seen_species_counts\.0 is 0"),
        ("n_heads: 4", "n_heads: 5", r"text_encoder: dim 96 must be a multiple of n_heads 5"),
        ("swa_epochs: 0", "swa_epochs: 35", r"pretrain: swa_epochs 35 must be below epochs 35"),
        (
            "patience: 0\n  swa_epochs: 0",
            "patience: 3\n  swa_epochs: 5",
            r"fusion: patience would stop training before",
        ),
        ("adam_betas: [0.9, 0.999]", "adam_betas: [0.9]", r"pretrain\.adam_betas is \[0\.9\]"),
        ("adam_betas: [0.9, 0.999]", "adam_betas: [0.9, 1.0]", r"pretrain\.adam_betas\.1 is 1\.0"),
        ("schedule: cosine", "schedule: linear", r"pretrain\.schedule is 'linear'.*'constant'"),
        ("text_dropout: 0.1", "text_dropout: 0.95", r"one of the two always stays"),
        ("  embedding_dim: 96 ", "  # ", r"pretrain\.embedding_dim is missing"),
        ("fetch:\n", "fetch: [\n", r"not valid YAML"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(StageError, match=message) as error:
        load_params("fetch", path=edited(tmp_path, old, new))
    assert "\n" not in str(error.value)


def test_only_the_named_sections_can_be_read() -> None:
    params = load_params("fetch", path=ROOT / "params.yaml")
    assert params.fetch.mode == "sample"
    with pytest.raises(AttributeError):
        _ = params.pretrain


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="is missing; run the stage from the root"):
        load_params("fetch", path=tmp_path / "params.yaml")
