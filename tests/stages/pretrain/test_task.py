import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import top_k_accuracy_score

from models.text.tokens import TextTokens
from stages.pretrain import task as task_module
from stages.pretrain.pairs import VIEWS, CrystalTexts, read_pairs
from stages.pretrain.task import PretrainTask
from stages.shared.params import Params, load_params
from stages.shared.schemas import NARRATIVES_SCHEMA
from stages.shared.tables import write_table
from stages.shared.tokenizers import build_tokenizer
from stages.shared.towers import ContrastiveTowers, build_contrastive_model, embed_crystals, embed_texts
from tests.pipeline.imports import ROOT
from tests.stages.graph_tables import simple_cubic, write_graph_rows

PARAMS = load_params("encoder", "text_encoder", "pretrain", "build_graphs", path=ROOT / "params.yaml")
TOKENIZER = build_tokenizer(PARAMS.text_encoder)
STRINGS = pa.schema([("material_id", pa.string()), ("fingerprint", pa.string())])


class Pair(NamedTuple):
    """A crystal of one element with what is written about it."""

    atomic_number: int
    texts: tuple[str, ...]
    fingerprint: str
    views: tuple[str, ...] = ("original", "robocrystallographer")


def pairs(n: int) -> list[Pair]:
    texts = [
        (f"Narrative {i}. It is long. It has many sentences. Number {i} ends.", f"Described {i}.") for i in range(n)
    ]
    return [Pair(i + 1, texts[i], f"f{i}") for i in range(n)]


def opened(rows: list[Pair], split: str = "train", texts: str = "narratives") -> CrystalTexts:
    """Write the tables of earlier stages for these crystals alone and read them."""
    names = [f"m{place:03d}" for place in range(len(rows))]
    views = [
        {"material_id": name, "view": view, "text": text}
        for name, row in zip(names, rows, strict=True)
        for view, text in zip(row.views, row.texts, strict=False)
    ]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        graphs = [simple_cubic(name, row.atomic_number) for name, row in zip(names, rows, strict=True)]
        write_graph_rows(data / f"graphs/{split}.parquet", graphs)
        columns = {name: [row[name] for row in views] for name in NARRATIVES_SCHEMA.names}
        write_table(data / "narratives.parquet", columns, NARRATIVES_SCHEMA)
        fingerprints = pa.table({"material_id": names, "fingerprint": [row.fingerprint for row in rows]})
        pq.write_table(fingerprints.cast(STRINGS), data / "crystals.parquet")
        return read_pairs(data, split, VIEWS[texts], PARAMS.encoder, TOKENIZER, data)


def words(tokens: TextTokens) -> list[list[str]]:
    rows = [[bytes(int(b) - 1 for b in word if b).decode() for word in row] for row in tokens.bytes]
    return [[word for word in row if word] for row in rows]


def test_views_hold_whole_sentences_of_the_crystal_s_own_texts() -> None:
    task = PretrainTask(opened(pairs(8)), opened([], "val"), TOKENIZER)
    seen = Counter()
    for seed in range(30):
        batch = task.batch(np.arange(8), np.random.RandomState(seed))
        for view in np.array_split(np.array(words(batch.texts), dtype=object), 2):
            for row, text in enumerate(view):
                sentences = " ".join(text).split(" .")
                assert text.count("."), "at least one sentence stays"
                own = {
                    f"Narrative {row}",
                    "It is long",
                    "It has many sentences",
                    f"Number {row} ends",
                    f"Described {row}",
                }
                assert {sentence.strip() for sentence in sentences} - {""} <= own
                seen["described" if "Described" in text else "narrative"] += 1
                seen["first"] += "Described" not in text and text[0] == "Narrative"
                seen[f"{text.count('.')} sentences"] += "Described" not in text
    assert seen["described"] == pytest.approx(240, abs=50), "either text is as likely"
    assert 0 < seen["first"] < seen["narrative"], "sentences are shuffled"
    lengths = [seen[f"{n} sentences"] for n in (1, 2, 3, 4)]
    assert min(lengths) > 35, "every number of sentences occurs"


def test_the_two_views_differ_and_depend_on_the_random_state_alone() -> None:
    task = PretrainTask(opened(pairs(8)), opened([], "val"), TOKENIZER)
    first, again = (task.batch(np.arange(8), np.random.RandomState(3)) for _ in range(2))
    assert words(first.texts) == words(again.texts)
    assert words(first.texts)[:8] != words(first.texts)[8:]


def test_duplicates_and_shared_texts_are_no_negatives() -> None:
    a, b, c, d = pairs(4)
    b = b._replace(fingerprint=a.fingerprint)
    c = c._replace(texts=(d.texts[1], "Other."))
    expected = np.eye(4, dtype=bool)
    expected[0, 1] = expected[1, 0] = expected[2, 3] = expected[3, 2] = True
    np.testing.assert_array_equal(opened([a, b, c, d]).same_meaning(np.arange(4), np.arange(4)), expected)


@settings(deadline=None, max_examples=15)
@given(st.lists(st.tuples(st.integers(0, 3), st.lists(st.sampled_from("ABCD"), max_size=2)), min_size=1, max_size=8))
def test_same_meaning_is_that_of_a_comparison_one_by_one(drawn: list[tuple[int, list[str]]]) -> None:
    rows = [Pair(1, tuple(f"{text}." for text in texts), str(place)) for place, texts in drawn]
    described = [row for row in rows if row.texts]
    found = opened(rows)
    assert len(found) == len(described)
    if not described:
        return
    order = np.random.RandomState(0).permutation(len(described))
    chosen = [described[place] for place in order]
    expected = [[a.fingerprint == b.fingerprint or bool(set(a.texts) & set(b.texts)) for b in chosen] for a in chosen]
    np.testing.assert_array_equal(found.same_meaning(order, order), expected)
    np.testing.assert_array_equal(found.same_meaning(order[::2], order), np.array(expected)[::2])


def test_crystals_without_a_text_are_left_out_and_the_others_keep_their_own() -> None:
    rows = [row._replace(texts=row.texts[: place % 3]) for place, row in enumerate(pairs(9))]
    found = opened(rows)
    assert found.graphs.material_ids.to_pylist() == [f"m{place:03d}" for place in range(9) if place % 3]
    kept = [row for row in rows if row.texts]
    assert found.graphs.batch(np.arange(len(found))).atomic_numbers.tolist() == [row.atomic_number for row in kept]
    for row, first, end in zip(kept, found.first_text, found.first_text[1:], strict=False):
        for text, sentences in zip(row.texts, found.texts.pieces(np.arange(first, end)), strict=True):
            np.testing.assert_array_equal(np.concatenate(sentences), TOKENIZER.encode(text))


def test_each_configuration_of_texts_reads_its_own_views_and_no_crystal_without_one() -> None:
    views = ("original", "paper", "paper", "robocrystallographer")
    rows = [Pair(1, ("N.", "P one.", "P two.", "R."), "a", views), Pair(2, ("Other.",), "b", ("robocrystallographer",))]
    expected = {"narratives": [["N.", "R."], ["Other."]], "papers": [["P one.", "P two."]]}
    expected["mixed"] = [["N.", "P one.", "P two.", "R."], ["Other."]]
    for name, texts in expected.items():
        found = opened(rows, texts=name)
        assert len(found) == len(texts)
        for crystal, first, end in zip(texts, found.first_text, found.first_text[1:], strict=False):
            for text, sentences in zip(crystal, found.texts.pieces(np.arange(first, end)), strict=True):
                np.testing.assert_array_equal(np.concatenate(sentences), TOKENIZER.encode(text))


def test_a_text_without_a_sentence_is_an_empty_view() -> None:
    task = PretrainTask(opened([Pair(1, (" ",), "a"), Pair(2, ("Salt.",), "b")]), opened([], "val"), TOKENIZER)
    texts = task.batch(np.arange(2), np.random.RandomState(0)).texts
    assert texts.mask.sum(dim=1).tolist() == [0, 2, 0, 2]


def model_of(params: Params) -> ContrastiveTowers:
    torch.manual_seed(0)
    model = build_contrastive_model(params.encoder, params.text_encoder, params.pretrain, 6.0, 0).eval()
    return ContrastiveTowers(model, TOKENIZER, params.encoder)


def test_validation_measures_retrieval_over_the_whole_split_with_uncut_first_texts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_module, "_VALIDATION_BATCH", 5)
    held_out = pairs(12)
    towers = model_of(PARAMS)
    crystals_and_texts = opened(held_out, "val")
    task = PretrainTask(opened(pairs(2)), crystals_and_texts, TOKENIZER)
    with torch.no_grad():
        measured = task.validate(towers.model)
    texts = embed_texts(towers, [pair.texts[0] for pair in held_out])
    crystals = embed_crystals(towers, crystals_and_texts.graphs)
    own = np.arange(12)
    assert measured["val_text_to_crystal_top1"] == pytest.approx(top_k_accuracy_score(own, texts @ crystals.T, k=1))
    assert measured["val_crystal_to_text_top1"] == pytest.approx(top_k_accuracy_score(own, crystals @ texts.T, k=1))


def test_without_a_validation_split_nothing_is_measured() -> None:
    task = PretrainTask(opened(pairs(2)), opened([], "val"), TOKENIZER)
    assert task.validate(model_of(PARAMS).model) == {}
