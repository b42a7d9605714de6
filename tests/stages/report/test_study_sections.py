"""Studies that are commands of their own are on the page where somebody has made them, and nowhere else."""

from pathlib import Path
from typing import Any

import pytest

from stages.report.active_section import active_sections, active_verdict
from stages.report.dos_ablation_section import dos_ablation_sections, dos_ablation_verdict
from stages.report.transfer_section import transfer_sections
from stages.report.uncertainty_section import uncertainty_sections
from stages.shared.text_files import write_json

KINDS = ("phonon", "electron")


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_a_study_there_is_no_section() -> None:
    assert dos_ablation_sections(KINDS) == uncertainty_sections(KINDS) == transfer_sections(KINDS) == []
    assert active_sections() == []


def model(r2: float | None, mae: float | None) -> dict[str, Any]:
    means = {"r2_mean": r2, "r2_std": 0.125, "mae_mean": mae, "mae_std": None}
    return {"seeds": [0, 1], "r2": [0.25, 0.5], "mae": [0.1, None], **means}


def test_published_and_corrected_stand_below_each_other_with_every_seed() -> None:
    table = {"phonon": {"n": 37, "corrected": model(0.75, 0.25), "published": model(0.5, 0.5)}}
    write_json(Path("metrics/ablation/dos.json"), table)
    (section,) = dos_ablation_sections(KINDS)
    assert [list(row) for row in section.tables[0].rows] == [
        ["phonon DOS, corrected, the default", "37", "0.750 ± 0.125", "0.250", "0.250, 0.500", "0.100, –"],
        ["phonon DOS, as published", "37", "0.500 ± 0.125", "0.500", "0.250, 0.500", "0.100, –"],
    ]
    assert [verdict.good for verdict in section.verdicts] == [True]


@pytest.mark.parametrize(
    ("r2", "mae", "good", "words"),
    [
        (0.6, 0.1, True, "beats the published one in R² and in mean absolute error: R² 0.600 against 0.500"),
        (0.6, 0.3, False, "in R² but not in mean absolute error"),
        (0.4, 0.1, False, "in mean absolute error but not in R²"),
        (0.4, 0.3, False, "does not beat the published one"),
        (None, 0.3, None, "could not be compared"),
    ],
)
def test_the_corrected_model_must_win_in_both_scores(
    r2: float | None, mae: float, good: bool | None, words: str
) -> None:
    verdict = dos_ablation_verdict("phonon", {"n": 37, "corrected": model(r2, mae), "published": model(0.5, 0.2)})
    assert verdict.good is good
    assert words in verdict.sentence


def objective(by_choice: float, by_chance: float) -> dict[str, Any]:
    def found(hits: float) -> dict[str, Any]:
        ends = {"hits_of_each_campaign": [hits, hits], "campaigns_above_random": 1, "labels_to_half": None}
        return {"hits": hits, "formulas": hits, "over_random": hits / by_chance, **ends}

    acquisitions = {"probability": found(by_choice), "random": found(by_chance)}
    return {"n_candidates": 90, "n_hits": 26, "n_labels_after_round": [20, 80], "acquisitions": acquisitions}


def test_campaigns_are_set_beside_random_choice() -> None:
    surrogate = {"n": 9, "n_train": 30, "unit": "eV", "mae": 0.5, "mean_baseline_mae": 1.0, "r2": None}
    surrogate |= {"coverage_68": 0.7, "coverage_95": 0.9, "rank_correlation": None}
    write_json(
        Path("metrics/active.json"),
        {"objectives": {"stiff_lattice": objective(13.0, 6.5)}, "surrogate": {"band_gap": surrogate}},
    )
    (section,) = active_sections()
    campaigns, properties = section.tables
    assert list(campaigns.rows[0]) == ["stiff lattice", "probability", "13.0 of 26", "13.0", "2.00", "1 of 2", "–"]
    assert list(properties.rows[0]) == ["band gap (eV)", "30", "9", "0.500", "1.00", "–", "70 %", "90 %"]
    assert section.verdicts[0].sentence == (
        "Stiff lattice: with 80 labels the campaigns find 13.0 of 26 hits with any acquisition; "
        "random choice finds 6.50."
    )


def test_an_acquisition_that_finds_no_more_than_chance_is_no_success() -> None:
    assert active_verdict("A", objective(7.0, 6.0)).good is True
    assert active_verdict("A", objective(6.0, 6.0)).good is False
    nothing = active_verdict("A", {"n_candidates": 5, "n_hits": 0, "acquisitions": {}})
    assert nothing.good is None
    assert nothing.sentence == "A: no campaign; 5 known crystals, 0 hits among them."


def test_each_method_of_uncertainty_has_a_row_for_each_kind() -> None:
    coverages = {"coverage_68": 0.5, "coverage_95": 0.75, "calibrated_coverage_68": 0.68}
    scores: dict[str, float | None] = {"n": 37, "r2": 0.5, "rmse": 0.125, **coverages, "calibrated_coverage_95": 0.95}
    scores |= {"rank_correlation": None, "sparsification_error": 0.25}
    write_json(Path("metrics/uncertainty/electron.json"), {"ensemble": scores, "dropout": scores})
    (section,) = uncertainty_sections(KINDS)
    rows = [list(row) for row in section.tables[0].rows]
    assert [row[0] for row in rows] == ["electron DOS, ensemble of seeds", "electron DOS, dropout active"]
    assert rows[0][1:] == ["37", "0.500", "0.125", "50 %", "75 %", "68 %", "95 %", "–", "0.250"]
    assert len(rows[0]) == len(section.tables[0].header)
    assert [figure.path for figure in section.figures] == [Path("plots/uncertainty/electron.png")]


def transfer(few_shot: dict[str, Any] | None) -> dict[str, Any]:
    curves = {
        "scratch": [{"n_labels": 100, "r2": 0.5}, {"n_labels": 1000, "r2": 0.75}],
        "electron_dos": [{"n_labels": 1000, "r2": 0.875}],
    }
    return {
        "learning_curves": curves,
        "few_shot": {"system": "trigonal", "n_shots": 10, "n": 1, "scores": few_shot},
    }


def test_learning_curves_stand_beside_each_other() -> None:
    ways = ("untuned", "prompt", "everything", "shots_only")
    scores = {way: {"r2": place / 8, "mae": 0.25} for place, way in enumerate(ways)}
    write_json(Path("metrics/transfer/phonon.json"), transfer(scores))
    (section,) = transfer_sections(KINDS)
    curves, few_shot = section.tables
    columns = dict(zip(curves.header, zip(*curves.rows, strict=True), strict=True))
    assert columns == {
        "crystals with a label": ("100", "1,000"),
        "random weights": ("0.500", "0.750"),
        "electron DOS": ("–", "0.875"),
    }
    assert [list(row)[1:] for row in few_shot.rows] == [
        ["0.00", "0.250"],
        ["0.125", "0.250"],
        ["0.250", "0.250"],
        ["0.375", "0.250"],
    ]
    assert "trained without trigonal crystals, tuned with 10 of them, tested on 1 other;" in few_shot.caption


def test_too_few_crystals_of_a_new_system_are_a_sentence() -> None:
    write_json(Path("metrics/transfer/phonon.json"), transfer(None))
    (section,) = transfer_sections(KINDS)
    assert len(section.tables) == 1
    assert "too few trigonal crystals" in section.paragraphs[-1]
