"""Campaigns: the same start, no crystal twice, the same end after any interruption, more hits than chance."""

from pathlib import Path

import numpy as np
import pytest

from stages.active.campaign import RANDOM, run_campaign, simulate
from stages.active.candidates import Candidates, check_properties, windows_of
from stages.active.proposals import PROPOSAL_COLUMNS, propose
from stages.active.scores import campaign_scores, surrogate_scores
from stages.shared.errors import StageError
from stages.shared.text_files import read_json, write_json
from tests.stages.active.candidates import FREQUENCY, GAP, N, on_a_line, params

PARAMS = params()
SOLAR, STIFF, JOINT = PARAMS.objectives


@pytest.fixture(scope="module")
def candidates() -> Candidates:
    return on_a_line(unknown=10)


def test_every_acquisition_starts_from_the_same_crystals_and_takes_none_twice(
    candidates: Candidates, tmp_path: Path
) -> None:
    campaigns = simulate(candidates, PARAMS, tmp_path)[SOLAR.name]
    assert set(campaigns) == {RANDOM, *PARAMS.acquisitions}
    for number in range(PARAMS.campaigns):
        orders = [by_number[number] for by_number in campaigns.values()]
        assert len({tuple(order[: PARAMS.initial_labels]) for order in orders}) == 1
        assert all(len(order) == len(set(order)) == 6 + 5 * 3 for order in orders)
    assert len({tuple(order) for order in campaigns[RANDOM]}) == PARAMS.campaigns


@pytest.mark.parametrize("n_rounds", [0, 1, 4])
def test_a_campaign_that_goes_on_from_its_notes_ends_like_an_undisturbed_one(
    candidates: Candidates, tmp_path: Path, n_rounds: int
) -> None:
    undisturbed = run_campaign(candidates, JOINT, "probability", 0, PARAMS, tmp_path)
    notes = tmp_path / f"{JOINT.name}-probability-0.json"
    assert read_json(notes) == undisturbed
    write_json(notes, undisturbed[: 6 + 3 * n_rounds])
    assert run_campaign(candidates, JOINT, "probability", 0, PARAMS, tmp_path) == undisturbed


def test_labels_that_are_not_yet_bought_change_no_choice(candidates: Candidates, tmp_path: Path) -> None:
    order = run_campaign(candidates, SOLAR, "expected_improvement", 1, PARAMS, tmp_path)
    bought = order[: 6 + 3]
    secret = np.where(np.isin(np.arange(N), bought), GAP, 99.0)
    changed = Candidates(**{**vars(candidates), "properties": {**candidates.properties, "band_gap": secret}})
    other = run_campaign(changed, SOLAR, "expected_improvement", 1, PARAMS, tmp_path / "other")
    assert other[: len(bought) + 3] == order[: len(bought) + 3]


def test_choosing_finds_more_than_chance_where_neighbours_are_alike(candidates: Candidates, tmp_path: Path) -> None:
    scores = campaign_scores(simulate(candidates, PARAMS, tmp_path), candidates, PARAMS)
    for objective in (SOLAR, STIFF):
        found = scores[objective.name]["acquisitions"]
        assert found["probability"]["hits"] > found[RANDOM]["hits"]
        assert found["probability"]["campaigns_above_random"] >= 2


def test_scores_count_the_hits_one_by_one(candidates: Candidates, tmp_path: Path) -> None:
    campaigns = simulate(candidates, PARAMS, tmp_path)
    score = campaign_scores(campaigns, candidates, PARAMS)[SOLAR.name]
    inside = {place for place in range(N) if 1.1 <= GAP[place] <= 1.7}
    assert (score["n_candidates"], score["n_hits"]) == (N, len(inside))
    assert score["n_labels_after_round"] == [6, 9, 12, 15, 18, 21]
    for name, orders in campaigns[SOLAR.name].items():
        numbers = score["acquisitions"][name]
        assert numbers["hits_of_each_campaign"] == [len(inside & set(order)) for order in orders]
        second = [len(inside & set(order[:9])) for order in orders]
        assert numbers["hits_after_round"][1] == pytest.approx(np.mean(second))
        assert numbers["hits_after_round_highest"][1] == max(second)
        assert numbers["formulas"] == pytest.approx(
            np.mean([len({place // 2 for place in inside & set(order)}) for order in orders])
        )
        first_half = [
            next((n for n in range(1, 22) if 2 * len(inside & set(order[:n])) >= len(inside)), None) for order in orders
        ]
        expected = None if None in first_half else np.mean([n for n in first_half if n is not None])
        assert numbers["labels_to_half"] == expected


def test_a_pool_smaller_than_the_budget_is_labelled_whole(candidates: Candidates, tmp_path: Path) -> None:
    many = params(rounds=40)
    orders = simulate(candidates, many, tmp_path)[STIFF.name]
    assert all(sorted(order) == list(range(N - 10)) for order in orders["probability"])
    scores = campaign_scores({STIFF.name: orders}, candidates, many)[STIFF.name]
    assert scores["n_labels_after_round"][-1] == N - 10
    assert scores["acquisitions"]["probability"]["hits"] == scores["n_hits"]


@pytest.mark.parametrize(
    ("known", "reason"), [(4, "4 crystals are known, 4 of them hits"), (0, "0 crystals are known, 0 of them hits")]
)
def test_too_few_known_crystals_make_no_campaign_and_no_null_division(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], known: int, reason: str
) -> None:
    candidates = on_a_line(unknown=N - known)
    scores = campaign_scores(simulate(candidates, PARAMS, tmp_path), candidates, PARAMS)
    assert f"{STIFF.name}: no campaign; {reason}" in capsys.readouterr().out
    assert scores[STIFF.name] == {"n_candidates": known, "n_hits": known, "acquisitions": {}}
    assert surrogate_scores(on_a_line(unknown=N), PARAMS)["phonon_mean_frequency"]["mae"] is None


def test_coverage_and_error_of_the_surrogate_are_those_of_its_posterior(candidates: Candidates) -> None:
    score = surrogate_scores(candidates, PARAMS)["band_gap"]
    assert (score["n"], score["n_train"], score["unit"]) == (N // 3, 2 * N // 3, "eV")
    assert score["mae"] < 0.1 * score["mean_baseline_mae"]
    assert score["coverage_95"] >= score["coverage_68"]
    train = candidates.splits == "train"
    assert score["mean_baseline_mae"] == pytest.approx(np.abs(GAP[~train] - GAP[train].mean()).mean())


def test_what_is_proposed_is_unknown_and_near_the_known_hits(candidates: Candidates) -> None:
    rows = [dict(zip(PROPOSAL_COLUMNS, row, strict=True)) for row in propose(candidates, PARAMS)]
    assert {row["objective"] for row in rows} == {STIFF.name, JOINT.name}  # every gap is known
    stiff = [row for row in rows if row["objective"] == STIFF.name]
    assert [row["rank"] for row in stiff] == [1, 2, 3]
    assert all(int(str(row["material_id"])[2:]) >= N - 10 and row["known"] is None for row in stiff)
    gaps = [row for row in rows if row["objective"] == JOINT.name and row["property"] == "band_gap"]
    assert all(row["known"] == GAP[int(str(row["material_id"])[2:])] for row in gaps)


def test_a_hit_has_all_its_properties_inside(candidates: Candidates) -> None:
    expected = (GAP >= 0.1) & (GAP <= 1.0) & (FREQUENCY <= 100.0) & (np.arange(N) < N - 10)
    assert candidates.hits(windows_of(JOINT)).tolist() == expected.tolist()


def test_a_property_that_does_not_exist_is_named_with_the_nearest() -> None:
    misspelt = params(objectives=[{"name": "one", "windows": [{"property": "bandgap", "low": 1.0, "high": None}]}])
    with pytest.raises(StageError, match="no property bandgap; did you mean band_gap"):
        check_properties(misspelt)


@pytest.mark.parametrize(
    ("window", "reason"),
    [
        ({"low": None, "high": None}, "needs low or high"),
        ({"low": 2.0, "high": 1.0}, "low must be below high"),
        ({"low": float("nan"), "high": None}, "finite number"),
    ],
)
def test_a_window_that_holds_nothing_is_refused(window: dict[str, float | None], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        params(objectives=[{"name": "one", "windows": [{"property": "band_gap", **window}]}])
