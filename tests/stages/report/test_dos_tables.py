"""The tables of a density of states have a row for each prediction that was scored."""

from stages.report.dos_tables import DOS_ROWS, downstream_table, physics_table, system_table
from stages.report.model_parts import scores_table
from stages.shared.schemas import DOS_BASELINES_SCHEMA


def test_every_baseline_network_has_a_row_of_its_own() -> None:
    networks = [name for name in DOS_BASELINES_SCHEMA.names if name != "material_id"]
    scored = {f"{name}_r2": place / 10 for place, name in enumerate(networks)}
    table = scores_table({"test": {"n": 5, **scored}, "val": scored}, DOS_ROWS, {"r2": "R²"})
    assert len({row[0] for row in table.rows}) == len(networks) == 4
    shown = {row[0]: row[1] for row in table.rows}
    assert shown[DOS_ROWS["graph_network"]] == f"{scored['graph_network_r2']:.3f}".replace("0.000", "0.00")


def test_fail_rates_are_percentages_and_other_scores_numbers() -> None:
    scored = {"predicted_r2": 0.25, "predicted_fail_rate": 0.25}
    table = scores_table({"test": {"n": 5, **scored}, "val": scored}, DOS_ROWS, {"r2": "R²", "fail_rate": "fail rate"})
    assert [list(row) for row in table.rows] == [["model, told the crystal system", "0.250", "25 %", "0.250"]]


def test_quantities_have_unit_temperature_and_a_dash_where_a_prediction_gives_none() -> None:
    physics = {
        "entropy": {"unit": "J/(mol·K)", "n": 9, "true_mean": 40.0, "true_std": 10.0, "predicted_mae": 5.0},
        "occupied_share": {"unit": "", "n": 8, "true_mean": 0.5, "true_std": None, "predicted_mae": None},
    }
    table = physics_table(physics, 250.0)
    assert list(table.header) == ["MAE of", "entropy at 250 K (J/(mol·K))", "occupied share"]
    assert [list(row) for row in table.rows] == [
        ["true: mean ± standard deviation", "40.0 ± 10.0", "0.500"],
        ["crystals whose true spectrum gives it", "9", "8"],
        ["model, told the crystal system", "5.00", "–"],
    ]


def test_properties_of_true_spectra_stand_above_those_of_predicted_ones() -> None:
    scored = {"true_mae": 0.25, "true_r2": 0.75, "predicted_mae": 0.5, "predicted_r2": None}
    table = downstream_table({"fermi_energy": {"unit": "eV", "n_train": 1, "n": 1234, **scored}})
    assert list(table.header) == ["from", "fermi energy, MAE (eV)", "fermi energy, R²"]
    assert [list(row) for row in table.rows] == [
        ["true spectra", "0.250", "0.750"],
        ["model, told the crystal system", "0.500", "–"],
    ]
    assert "fermi energy of 1 train crystal and 1,234 to test" in table.caption


def test_crystal_systems_keep_their_order() -> None:
    scored = {"n": 3, "r2": 0.5, "mae": 0.25, "wasserstein": 30.0, "fail_rate": 0.0}
    table = system_table({"trigonal": scored, "cubic": scored}, "cm⁻¹")
    assert [list(row) for row in table.rows] == [
        ["trigonal", "3", "0.500", "0.250", "30.0", "0 %"],
        ["cubic", "3", "0.500", "0.250", "30.0", "0 %"],
    ]
