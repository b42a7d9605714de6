"""The page as a whole: complete, self-contained, escaped, the same bytes every time, and never a traceback."""

import re
import shutil
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from stages.evaluate import data, dos, dos_downstream, fusion, pretrain
from stages.report import __main__ as report
from stages.report.data_section import rejection_table
from stages.report.formatting import number
from stages.report.worst import Crystal, by_crystal_system, worst
from stages.shared.schemas import CRYSTALS_SCHEMA
from stages.shared.tables import read_table, write_table
from stages.shared.text_files import read_json, write_csv, write_json
from tests.stages.evaluate.world import REPOSITORY, write_world
from tests.stages.report.test_data_section import split_manifest

VOID = {"meta", "link", "img", "br"}
ATTACK = "<script>alert('x')</script>&\"https://evil.example"


class Page(HTMLParser):
    """Collects elements and text, and checks that elements close in the order they open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def words(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.text))

    def attributes(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.elements if name == tag)


def write_counts() -> None:
    """Add the whole manifest of the split, and raw files, to what `generate_cif` counted."""
    counts = read_json(Path("data/crystals_counts.json"))
    counts["split"] = split_manifest()
    counts["raw_files"] = {"materials_project": {"mp.jsonl.gz": {"sha256": "5e" * 32, "bytes": 12, "revision": "v7"}}}
    write_json(Path("data/crystals_counts.json"), counts)


def evaluate_all(monkeypatch: pytest.MonkeyPatch) -> None:
    write_counts()
    data.main()
    pretrain.main()
    kinds, targets = ("phonon", "electron"), ("formation_energy_per_atom", "band_gap")
    for program, names in ((fusion, targets), (dos, kinds), (dos_downstream, kinds)):
        for name in names:
            monkeypatch.setattr(sys, "argv", ["program", name])
            program.main()


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with the inputs of the data stages and all results of `evaluate`, once."""
    folder = tmp_path_factory.mktemp("results")
    write_world(folder, n=60)
    shutil.copy(REPOSITORY / "dvc.yaml", folder / "dvc.yaml")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        evaluate_all(monkeypatch)
    return folder


@pytest.fixture
def evaluated(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a copy of the folder with all results."""
    shutil.copytree(results, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_page() -> tuple[str, Page]:
    report.main()
    html = Path("report.html").read_text(encoding="utf-8")
    return html, Page(html)


def test_the_page_needs_nothing_but_itself(evaluated: Path) -> None:
    html, page = make_page()
    assert "http" not in html
    assert "<script" not in html
    assert "@import" not in html
    assert "url(" not in html
    for tag, attributes in page.elements:
        for name in ("src", "href"):
            target = attributes.get(name)
            assert target is None or target.startswith(("data:", "#")), (tag, target)


def test_every_result_has_its_figures_with_words_for_them(evaluated: Path) -> None:
    _, page = make_page()
    images = list(page.attributes("img"))
    assert len(images) == 1 + 2 * 2 + 2 * 4
    for image in images:
        assert image["src"].startswith("data:image/png;base64,iVBOR")
        assert len(image["alt"]) > 40


def test_links_lead_to_sections(evaluated: Path) -> None:
    _, page = make_page()
    keys = [attributes["id"] for attributes in page.attributes("section")]
    assert len(keys) == len(set(keys))
    assert {attributes["href"] for attributes in page.attributes("a")} == {f"#{key}" for key in keys}


def test_the_same_results_make_the_same_bytes(evaluated: Path) -> None:
    assert make_page()[0] == make_page()[0]


def test_the_worst_crystals_of_the_table_are_those_of_the_predictions(evaluated: Path) -> None:
    _, page = make_page()
    table = read_table(Path("data/predictions/fusion/band_gap.parquet")).to_pandas()
    test = table[table["split"] == "test"]
    largest = (test["fused"] - test["true"]).abs().sort_values(ascending=False).index[:10]
    words = page.words()
    section = words[words.index("Band gap", words.index("test crystals with the largest error")) :]
    shown = re.findall(r"mp-\d+", section[section.index("largest error") :])[:10]
    assert shown == list(test.loc[largest, "material_id"])


def test_the_errors_of_quantities_are_those_of_the_crystals(evaluated: Path) -> None:
    quantities = pd.read_csv("plots/dos/phonon_physics.csv")
    error = (quantities["mean_frequency_true"] - quantities["mean_frequency_predicted"]).abs().mean()
    words = make_page()[1].words()
    table = words[words.index("Quantities that follow from a spectrum") :]
    header = table[table.index("MAE of") : table.index("true: mean")]
    order = re.findall(r"heat capacity|entropy|free energy|mean frequency|highest frequency", header)
    shown = table[table.index("model, told the crystal system") : table.index("model, not told")].split()[-len(order) :]
    assert shown[order.index("mean frequency")] == number(error)
    assert "heat capacity at 300 K (J/(mol·K))" in header


def test_without_regressed_properties_the_page_says_so(evaluated: Path) -> None:
    Path("metrics/dos_downstream/phonon.json").unlink()
    assert "metrics/dos_downstream/phonon.json is missing" in make_page()[1].words()


def test_text_from_data_is_escaped(evaluated: Path) -> None:
    crystals = read_table(Path("data/crystals.parquet")).to_pydict()
    crystals["formula"] = [ATTACK] * 60
    write_table(Path("data/crystals.parquet"), crystals, CRYSTALS_SCHEMA)
    write_csv(Path("data/rejected.csv"), ["source", "source_id", "stage", "reason"], [[ATTACK] * 4])
    counts = read_json(Path("data/crystals_counts.json"))
    counts["source"] = {ATTACK: {"raw": 1, "crystals": 1, "merged": 0, "rejected": 0}}
    counts["raw_files"] = {ATTACK: {ATTACK: {"sha256": "5e" * 32, "bytes": 12, "revision": ATTACK}}}
    write_json(Path("data/crystals_counts.json"), counts)
    data.main()
    html, page = make_page()
    assert "<script" not in html
    assert "script" not in {tag for tag, _ in page.elements}
    assert page.words().count(ATTACK) >= 10 + 4 + 3


def test_missing_results_are_sentences(evaluated: Path) -> None:
    shutil.rmtree("metrics")
    shutil.rmtree("plots")
    _, page = make_page()
    words = page.words()
    for path in ("data", "pretrain", "zero_shot", "fusion/band_gap", "dos/phonon"):
        assert f"There is no result yet: metrics/{path}.json is missing." in words
    assert list(page.attributes("img")) == []


def test_a_missing_figure_is_a_sentence(evaluated: Path) -> None:
    Path("plots/fusion/band_gap_parity.png").unlink()
    assert "A figure is missing: plots/fusion/band_gap_parity.png" in make_page()[1].words()


def test_no_test_crystal_is_a_sentence(evaluated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_world(evaluated, n=30, test=False)
    evaluate_all(monkeypatch)
    words = make_page()[1].words()
    assert "No test crystal has a known band gap." in words
    assert "No test crystal has a known phonon density of states." in words


def test_a_diverged_model_is_reported_as_such(evaluated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path("data/predictions/fusion/band_gap.parquet")
    table = read_table(path)
    columns = table.to_pydict()
    columns["fused"] = [float("nan")] * table.num_rows
    write_table(path, columns, table.schema)
    monkeypatch.setattr(sys, "argv", ["program", "band_gap"])
    fusion.main()
    words = make_page()[1].words()
    assert "could not be scored: the model gave no finite number" in words
    assert "nan" not in words.split()


def test_rejections_are_grouped_by_reason() -> None:
    rows = [{"stage": "describe", "reason": "too large", "source_id": f"mp-{n}"} for n in range(5)]
    rows.append({"stage": "generate_cif", "reason": "no lattice", "source_id": "j-1"})
    table = rejection_table(rows)
    assert [list(row) for row in table.rows] == [
        ["too large", "describe", "mp-0, mp-1, mp-2, …", "5"],
        ["no lattice", "generate_cif", "j-1", "1"],
    ]


def test_rejections_beyond_the_table_are_said_to_be_in_the_files() -> None:
    rows = [{"stage": "describe", "reason": f"reason {n}", "source_id": "mp-1"} for n in range(40)]
    table = rejection_table(rows)
    assert len(table.rows) == 30
    assert "data/rejected.csv" in table.caption


def test_worst_puts_a_missing_number_first_and_breaks_ties_by_name() -> None:
    assert worst({"b": 1.0, "a": 1.0, "c": 3.0, "d": float("nan")}) == ["d", "c", "a", "b"]


def test_mean_error_by_crystal_system() -> None:
    crystals = {"a": Crystal("A", "cubic"), "b": Crystal("B", "trigonal"), "c": Crystal("C", "cubic")}
    assert by_crystal_system({"a": 1.0, "b": 5.0, "c": 2.0}, crystals) == [("cubic", 2, 1.5), ("trigonal", 1, 5.0)]
