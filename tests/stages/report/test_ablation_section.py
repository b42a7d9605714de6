"""The comparison of encoders is on the page where it has been made, and nowhere else."""

from pathlib import Path
from typing import Any

import pytest

from stages.report.ablation_section import ablation_sections
from stages.shared.params import TargetParams
from stages.shared.text_files import write_json

TARGETS = {"band_gap": TargetParams(label="Band gap", unit="eV", mentions=[])}


def scores(mae: float, baseline: float, top_1: float | None) -> dict[str, Any]:
    return {
        "fusion": {"band_gap": {"fused_mae": mae, "structure_mae": 2 * mae, "mean_baseline_mae": baseline}},
        "dos": {
            "phonon": {"predicted_r2": 0.5, "predicted_mae": 0.1, "mean_baseline_r2": 0.25, "mean_baseline_mae": 0.2}
        },
        "retrieval": {name: {"top_1": top_1, "top_1_chance": 0.01} for name in ("text_to_crystal", "crystal_to_text")},
    }


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows(table: dict[str, Any]) -> dict[str, list[str]]:
    write_json(Path("metrics/ablation/encoders.json"), table)
    (section,) = ablation_sections(TARGETS, ["phonon"])
    (shown,) = section.tables
    assert list(shown.header) == ["score", *sorted(table), "mean or chance"]
    return {label: list(cells) for label, *cells in shown.rows}


def test_without_a_comparison_there_is_no_section() -> None:
    assert ablation_sections(TARGETS, ["phonon"]) == []


def test_a_row_has_the_score_of_each_encoder_and_the_baseline() -> None:
    table = rows({"painn": scores(0.5, 1.5, 0.75), "cgcnn": scores(0.25, 1.5, None)})
    assert table == {
        "Band gap, MAE (eV)": ["0.250", "0.500", "1.50"],
        "Band gap, MAE of the structure branch alone (eV)": ["0.500", "1.00", "1.50"],
        "Phonon DOS, R²": ["0.500", "0.500", "0.250"],
        "Phonon DOS, MAE": ["0.100", "0.100", "0.200"],
        "Text → crystal, top-1": ["–", "75 %", "1 %"],
        "Crystal → text, top-1": ["–", "75 %", "1 %"],
    }


def test_baselines_on_different_test_crystals_are_a_range() -> None:
    table = rows({"painn": scores(0.5, 1.5, 0.75), "cgcnn": scores(0.25, 1.25, 0.5)})
    assert table["Band gap, MAE (eV)"][-1] == "1.25 to 1.50"


def test_a_target_that_was_not_compared_is_a_dash() -> None:
    one = scores(0.5, 1.5, 0.75)
    del one["fusion"]["band_gap"]
    assert rows({"painn": one})["Band gap, MAE (eV)"] == ["–", "–"]


@pytest.mark.parametrize(("names", "warned"), [(["painn", "precomputed_chgnet"], True), (["painn", "cgcnn"], False)])
def test_a_model_trained_elsewhere_comes_with_a_warning(names: list[str], warned: bool) -> None:
    write_json(Path("metrics/ablation/encoders.json"), {name: scores(0.5, 1.5, 0.75) for name in names})
    (section,) = ablation_sections(TARGETS, ["phonon"])
    assert any("may have seen the labels of test crystals" in paragraph for paragraph in section.paragraphs) == warned
