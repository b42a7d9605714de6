"""Several seeds are on the page where somebody has trained with them, and nowhere else."""

from pathlib import Path
from typing import Any

import pytest

from stages.report.seed_section import seed_sections, seed_verdict
from stages.shared.params import TargetParams
from stages.shared.text_files import write_json

TARGETS = {"band_gap": TargetParams(label="Band gap", unit="eV", mentions=[])}


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def score(name: str, values: list[float | None], mean: float | None) -> dict[str, Any]:
    return {name: values, f"{name}_mean": mean, f"{name}_std": None if mean is None else 0.125}


def write_study(top_1: list[float | None]) -> None:
    beside = {"n": 9, "mean_baseline_mae": 1.5, "mean_baseline_r2": 0.25}
    beside |= {"composition_forest_mae": 0.5, "composition_forest_r2": 0.5}
    spectra = score("predicted_r2", [0.75, 0.625], 0.6875) | score("predicted_mae", [0.1, 0.2], 0.15)
    retrieval = {"n": 9, "top_1_chance": 0.01, **score("top_1", top_1, None if None in top_1 else 0.5)}
    write_json(
        Path("metrics/ablation/seeds.json"),
        {
            "seeds": [0, 1],
            "fusion": {"band_gap": beside | score("fused_mae", [0.25, 0.75], 0.5)},
            "dos": {"phonon": beside | spectra},
            "retrieval": {"text_to_crystal": retrieval, "crystal_to_text": retrieval},
        },
    )


def test_without_a_study_there_is_no_section() -> None:
    assert seed_sections(TARGETS, ["phonon"]) == []


def test_a_row_has_mean_and_every_seed_beside_the_baselines() -> None:
    write_study([0.25, 0.75])
    (section,) = seed_sections(TARGETS, ["phonon", "electron"])
    assert [list(row) for row in section.tables[0].rows] == [
        ["Band gap, MAE (eV)", "0.500 ± 0.125", "0.250, 0.750", "1.50", "0.500"],
        ["Phonon DOS, R²", "0.688 ± 0.125", "0.750, 0.625", "0.250", "0.500"],
        ["Phonon DOS, MAE", "0.150 ± 0.125", "0.100, 0.200", "1.50", "0.500"],
        ["Text → crystal, top-1", "50 ± 12 %", "25 %, 75 %", "1 %", "–"],
        ["Crystal → text, top-1", "50 ± 12 %", "25 %, 75 %", "1 %", "–"],
    ]
    assert [verdict.good for verdict in section.verdicts] == [None, True]
    assert "with 1 of 2 seeds, MAE 0.500 ± 0.125 against 0.500" in section.verdicts[0].sentence


def test_retrieval_that_is_not_defined_is_a_dash() -> None:
    write_study([None, 0.5])
    (section,) = seed_sections({}, [])
    assert list(section.tables[0].rows[-1])[1:3] == ["–", "–, 50 %"]


@pytest.mark.parametrize(
    ("values", "kind", "good", "words"),
    [
        ([0.6, 0.7], "r2", True, "beats the composition-only forest with 2 of 2 seeds"),
        ([0.6, 0.5], "r2", None, "with 1 of 2 seeds"),
        ([0.6, 0.7], "mae", False, "with 0 of 2 seeds"),
        ([0.4, 0.3], "mae", True, "with 2 of 2 seeds"),
        ([0.4, None], "mae", None, "could not be compared"),
    ],
)
def test_the_model_must_win_with_every_seed(
    values: list[float | None], kind: str, good: bool | None, words: str
) -> None:
    scores = {f"composition_forest_{kind}": 0.5, **score("model", values, 0.5)}
    verdict = seed_verdict("Band gap", "score", scores, "model", kind)
    assert verdict.good is good
    assert words in verdict.sentence
