from collections import Counter

import numpy as np
import pytest
import torch
from sklearn.metrics import top_k_accuracy_score

from models.text.tokens import TextTokens
from stages.pretrain.pairs import CrystalText, same_meaning
from stages.pretrain.task import PretrainTask
from stages.shared.graphs import CrystalGraph
from stages.shared.params import Params, load_params
from stages.shared.tokenizers import build_tokenizer
from stages.shared.towers import ContrastiveTowers, build_contrastive_model, embed_crystals, embed_texts
from tests.pipeline.imports import ROOT

PARAMS = load_params("encoder", "text_encoder", "pretrain", "build_graphs", path=ROOT / "params.yaml")
TOKENIZER = build_tokenizer(PARAMS.text_encoder)


def graph(material_id: str, atomic_number: int) -> CrystalGraph:
    """A simple cubic crystal of 3 Å with six neighbours."""
    images = np.concatenate([np.eye(3, dtype=np.int8), -np.eye(3, dtype=np.int8)])
    zeros = np.zeros(6, dtype=np.int32)
    return CrystalGraph(
        material_id, np.array([atomic_number], np.uint8), np.zeros((1, 3)), 3.0 * np.eye(3), zeros, zeros, images
    )


def pairs(n: int) -> list[CrystalText]:
    texts = [
        (f"Narrative {i}. It is long. It has many sentences. Number {i} ends.", f"Described {i}.") for i in range(n)
    ]
    return [CrystalText(graph(f"m{i}", i + 1), texts[i], f"f{i}") for i in range(n)]


def words(tokens: TextTokens) -> list[list[str]]:
    rows = [[bytes(int(b) - 1 for b in word if b).decode() for word in row] for row in tokens.bytes]
    return [[word for word in row if word] for row in rows]


def test_views_hold_whole_sentences_of_the_crystal_s_own_texts() -> None:
    task = PretrainTask(pairs(8), [], TOKENIZER)
    seen = Counter()
    for seed in range(30):
        batch = task.batch(np.arange(8), np.random.RandomState(seed))
        for view in batch.views:
            for row, text in enumerate(words(view)):
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
    task = PretrainTask(pairs(8), [], TOKENIZER)
    first, again = (task.batch(np.arange(8), np.random.RandomState(3)) for _ in range(2))
    assert words(first.views[0]) == words(again.views[0])
    assert words(first.views[0]) != words(first.views[1])


def test_duplicates_and_shared_texts_are_no_negatives() -> None:
    a, b, c, d = pairs(4)
    b = CrystalText(b.graph, b.texts, a.fingerprint)
    c = CrystalText(c.graph, (d.texts[1], "Other."), "x")
    expected = np.eye(4, dtype=bool)
    expected[0, 1] = expected[1, 0] = expected[2, 3] = expected[3, 2] = True
    np.testing.assert_array_equal(same_meaning([a, b, c, d]), expected)


def model_of(params: Params) -> ContrastiveTowers:
    torch.manual_seed(0)
    model = build_contrastive_model(params.encoder, params.text_encoder, params.pretrain, 6.0, 0).eval()
    return ContrastiveTowers(model, TOKENIZER, params.encoder)


def test_validation_measures_retrieval_over_the_whole_split_with_uncut_first_texts() -> None:
    held_out = pairs(12)
    towers = model_of(PARAMS)
    task = PretrainTask(pairs(2), held_out, TOKENIZER)
    with torch.no_grad():
        measured = task.validate(towers.model)
    texts = embed_texts(towers, [pair.texts[0] for pair in held_out])
    crystals = embed_crystals(towers, [pair.graph for pair in held_out])
    own = np.arange(12)
    assert measured["val_text_to_crystal_top1"] == pytest.approx(top_k_accuracy_score(own, texts @ crystals.T, k=1))
    assert measured["val_crystal_to_text_top1"] == pytest.approx(top_k_accuracy_score(own, crystals @ texts.T, k=1))


def test_without_a_validation_split_nothing_is_measured() -> None:
    task = PretrainTask(pairs(2), [], TOKENIZER)
    assert task.validate(model_of(PARAMS).model) == {}
