"""Ranks, pools and chance against brute force, scipy and simulation."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom, rankdata

from stages.zero_shot.chance import chance_scores, first_correct_distribution
from stages.zero_shot.duplicates import duplicate_groups
from stages.zero_shot.galleries import rank_queries
from stages.zero_shot.retrieval import draw_pools, expected_rank, gallery_ranks, pool_ranks
from stages.zero_shot.retrieval_scores import retrieval_curve, retrieval_metrics


def unit_rows(n: int, dim: int, seed: int) -> np.ndarray:
    rows = np.random.RandomState(seed).normal(size=(n, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def rank_over_all_orders(scores: list[int], correct: list[bool]) -> float:
    """Average over every order the place of the first correct candidate, better scores first."""
    places = []
    for order in itertools.permutations(range(len(scores))):
        by_score = sorted(order, key=lambda place: -scores[place])
        places.append(1 + next(rank for rank, place in enumerate(by_score) if correct[place]))
    return float(np.mean(places))


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=6))
def test_rank_is_the_mean_over_every_way_to_break_the_ties(candidates: list[tuple[int, bool]]) -> None:
    scores = [score for score, _ in candidates]
    correct = [is_correct for _, is_correct in candidates]
    correct[0] = True
    rank = expected_rank(np.array([scores], dtype=float), np.array([correct]))[0]
    assert rank == pytest.approx(rank_over_all_orders(scores, correct))


def test_ranks_of_a_gallery_without_duplicates_are_those_of_scipy() -> None:
    queries, candidates = unit_rows(40, 5, 0), unit_rows(40, 5, 1)
    ranks = gallery_ranks(queries, candidates, np.arange(40))
    scores = queries.astype(np.float64) @ candidates.T.astype(np.float64)
    expected = [rankdata(-row)[query] for query, row in enumerate(np.round(scores, 6))]
    np.testing.assert_allclose(ranks.rank, expected)
    assert set(ranks.n_candidates) == {40}
    assert set(ranks.n_correct) == {1}


def test_a_gallery_larger_than_a_block_is_ranked_like_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, candidates, groups = unit_rows(40, 5, 0), unit_rows(40, 5, 1), np.arange(40) // 2
    whole = gallery_ranks(queries, candidates, groups)
    monkeypatch.setattr("stages.zero_shot.retrieval.QUERIES_AT_A_TIME", 7)
    np.testing.assert_array_equal(gallery_ranks(queries, candidates, groups).rank, whole.rank)


def test_duplicates_answer_for_each_other() -> None:
    queries = unit_rows(6, 4, 0)
    candidates = queries.copy()
    candidates[[0, 1]] = candidates[[1, 0]]
    assert gallery_ranks(queries, candidates, np.arange(6)).rank[0] > 1
    ranks = gallery_ranks(queries, candidates, np.array([0, 0, 1, 2, 3, 4]))
    np.testing.assert_array_equal(ranks.rank, np.ones(6))
    np.testing.assert_array_equal(ranks.n_correct, [2, 2, 1, 1, 1, 1])


def test_a_collapsed_model_ranks_in_the_middle_and_is_never_right() -> None:
    same = np.tile(unit_rows(1, 4, 0), (21, 1))
    metrics = retrieval_metrics(gallery_ranks(same, same, np.arange(21)), 50, seed=0)
    assert metrics["top_1"] == metrics["top_10"] == 0.0
    assert metrics["mrr"] == pytest.approx(1 / 11)


def test_groups_join_equal_texts_and_equal_structures_transitively() -> None:
    groups = duplicate_groups(["s1", "s2", "s2", "s3", None, None], ["a", "a", "b", "c", "d", "e"])
    assert groups[0] == groups[1] == groups[2]
    assert len(set(groups.tolist())) == 4
    assert sorted(set(groups.tolist())) == [0, 1, 2, 3]
    assert len(duplicate_groups([], [])) == 0


def test_a_pool_holds_the_query_and_distinct_crystals_that_are_no_duplicates() -> None:
    groups = np.array([0, 0, 1, 2, 2, 2, 3, 4, 5, 6])
    pools = draw_pools(groups, 5, seed=0)
    assert pools is not None
    assert pools.shape == (10, 5)
    np.testing.assert_array_equal(pools[:, 0], np.arange(10))
    assert all(len(set(groups[pool])) == 5 for pool in pools)
    np.testing.assert_array_equal(pools, draw_pools(groups, 5, seed=0))
    assert (pools != draw_pools(groups, 5, seed=1)).any()


def test_every_other_crystal_is_drawn_as_a_distractor() -> None:
    pools = draw_pools(np.arange(8), 4, seed=0)
    assert pools is not None
    many = np.concatenate([pool for seed in range(40) for pool in [draw_pools(np.arange(8), 4, seed)]])
    counts = np.bincount(many[many[:, 0] == 3][:, 1:].ravel(), minlength=8)
    assert counts[3] == 0
    assert (np.delete(counts, 3) > 0).all()


@pytest.mark.parametrize("groups", [np.array([], dtype=np.int64), np.array([0, 0, 1, 2])])
def test_a_gallery_with_fewer_groups_than_the_pool_is_not_asked(groups: np.ndarray) -> None:
    assert draw_pools(groups, 4, seed=0) is None
    assert retrieval_metrics(None, 50, seed=0)["top_1"] is None


def test_pool_of_the_whole_gallery_ranks_like_the_gallery() -> None:
    queries, candidates = unit_rows(12, 4, 0), unit_rows(12, 4, 1)
    pools = draw_pools(np.arange(12), 12, seed=0)
    assert pools is not None
    np.testing.assert_allclose(
        pool_ranks(queries, candidates, pools).rank, gallery_ranks(queries, candidates, np.arange(12)).rank
    )


def test_both_directions_are_perfect_for_perfect_towers_and_differ_for_others() -> None:
    crystals = unit_rows(30, 8, 0)
    perfect = rank_queries(crystals, crystals, np.arange(30), [10], seed=0)
    for by_pool in perfect.values():
        for ranks in by_pool.values():
            assert ranks is not None
            np.testing.assert_array_equal(ranks.rank, 1.0)
    other = rank_queries(crystals, unit_rows(30, 8, 1), np.arange(30), [], seed=0)
    to_crystal, to_text = other["text_to_crystal"]["whole"], other["crystal_to_text"]["whole"]
    assert to_crystal is not None
    assert to_text is not None
    assert (to_crystal.rank != to_text.rank).any()


def test_chance_with_one_answer_is_k_over_n_and_a_harmonic_number_over_n() -> None:
    top, reciprocal = chance_scores(np.full(3, 64), np.ones(3, dtype=np.int64), (1, 3, 10, 64))
    assert top == pytest.approx({1: 1 / 64, 3: 3 / 64, 10: 10 / 64, 64: 1.0})
    assert reciprocal == pytest.approx(sum(1 / rank for rank in range(1, 65)) / 64)


@given(st.integers(1, 30).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))))
def test_chance_with_several_answers_is_hypergeometric(case: tuple[int, int]) -> None:
    n, m = case
    probability = first_correct_distribution(n, m)
    assert probability.sum() == pytest.approx(1.0)
    for k in range(1, n + 1):
        assert probability[:k].sum() == pytest.approx(1.0 - hypergeom(n, m, k).pmf(0))


def test_chance_is_what_random_ranking_scores_in_simulation() -> None:
    random = np.random.RandomState(0)
    n_candidates, n_correct = np.array([20, 20, 7]), np.array([1, 3, 2])
    hits, reciprocals = [], []
    for _ in range(4000):
        for n, m in zip(n_candidates, n_correct, strict=True):
            rank = 1 + random.permutation(n)[:m].min()
            hits.append(rank <= 3)
            reciprocals.append(1 / rank)
    top, reciprocal = chance_scores(n_candidates, n_correct, (3,))
    assert top[3] == pytest.approx(np.mean(hits), abs=0.02)
    assert reciprocal == pytest.approx(np.mean(reciprocals), abs=0.02)


def test_random_towers_score_chance() -> None:
    ranks = gallery_ranks(unit_rows(1500, 6, 0), unit_rows(1500, 6, 1), np.arange(1500))
    metrics = retrieval_metrics(ranks, 50, seed=0)
    assert metrics["top_10"] == pytest.approx(metrics["top_10_chance"], abs=3 * np.sqrt(10) / 1500)
    assert metrics["mrr"] == pytest.approx(metrics["mrr_chance"], rel=0.5)


def test_metrics_count_ranks_within_k() -> None:
    ranks = gallery_ranks(unit_rows(40, 5, 0), unit_rows(40, 5, 1), np.arange(40))
    metrics = retrieval_metrics(ranks, 50, seed=0)
    assert metrics["n"] == 40
    assert metrics["top_3"] == pytest.approx(sum(rank <= 3 for rank in ranks.rank) / 40)
    assert metrics["mrr"] == pytest.approx(np.mean([1 / rank for rank in ranks.rank]))
    assert metrics["top_3_low"] <= metrics["top_3"] <= metrics["top_3_high"]


def test_an_empty_gallery_has_null_metrics_and_no_curve() -> None:
    nothing = np.zeros((0, 4), dtype=np.float32)
    ranks = rank_queries(nothing, nothing, np.zeros(0, dtype=np.int64), [10], seed=0)
    metrics = retrieval_metrics(ranks["text_to_crystal"]["whole"], 50, seed=0)
    assert metrics.pop("n") == 0
    assert set(metrics.values()) == {None}
    assert retrieval_curve(ranks) == []


def test_curve_rises_to_one_in_a_small_gallery() -> None:
    ranks = rank_queries(unit_rows(9, 5, 0), unit_rows(9, 5, 1), np.arange(9), [], seed=0)
    curve = np.array(retrieval_curve(ranks))
    assert curve.shape == (9, 4)
    assert (np.diff(curve, axis=0) >= 0).all()
    np.testing.assert_allclose(curve[-1], [9, 1, 1, 1])
