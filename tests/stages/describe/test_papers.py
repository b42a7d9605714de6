"""Paragraphs of papers: to which crystals they go, and that no row is lost."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.describe.papers import PaperTexts
from stages.describe.views import all_views
from stages.shared.errors import StageError


def write(folder: Path, name: str, rows: list[dict]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), folder / name)


@pytest.fixture
def papers(tmp_path: Path) -> Iterator[PaperTexts]:
    write(
        tmp_path,
        "b.parquet",
        [
            {"reduced_formula": "Cl Na", "paragraphs": [["Salt is soft.", " It dissolves. "], ["", "Salt is cubic."]]},
            {"reduced_formula": "Na2Cl2", "paragraphs": [["Again."]]},
            {"reduced_formula": "MgO", "paragraphs": [["Nobody asks."]]},
            {"reduced_formula": "no formula", "paragraphs": [["Lost."]]},
            {"reduced_formula": "KCl", "paragraphs": [["", None], []]},
            {"reduced_formula": None, "paragraphs": [["Of what?"]]},
        ],
    )
    write(tmp_path, "a.parquet", [{"material_id": "mp-1", "formula": "KCl", "text": "Only mp-1."}])
    (tmp_path / "c.parquet").write_bytes(b"no parquet")
    with closing(PaperTexts(tmp_path)) as opened:
        yield opened


def test_every_crystal_of_a_composition_has_its_texts_however_the_formula_is_written(papers: PaperTexts) -> None:
    texts = ["Salt is soft. It dissolves.", "Salt is cubic.", "Again."]
    assert papers.of("mp-2", "NaCl") == texts
    assert papers.of("mp-1", "NaCl") == ["Only mp-1.", *texts]


def test_a_text_on_one_crystal_is_not_given_to_others_of_its_composition(papers: PaperTexts) -> None:
    assert papers.of("mp-9", "KCl") == []


def test_every_row_is_used_or_rejected_with_a_reason(papers: PaperTexts) -> None:
    papers.of("mp-1", "NaCl")
    rejected = dict(papers.rejected())
    assert set(rejected) == {f"b-00000{place}" for place in (2, 3, 4, 5)} | {"c-000000"}
    assert rejected["b-000002"] == "no crystal is MgO"
    assert "no formula" in rejected["b-000003"]
    assert rejected["b-000004"] == "the row has no text"
    assert rejected["b-000005"] == "the row has neither material_id nor formula"
    assert "c.parquet cannot be read" in rejected["c-000000"]


def test_the_views_of_a_crystal_are_sorted_by_name(papers: PaperTexts) -> None:
    crystal = {"material_id": "mp-1", "formula": "K", "narrative": "N.", "explanation": None, "description": "D."}
    views = [(view.view, view.text) for view in all_views(crystal, papers)]
    assert views == [("original", "N."), ("paper", "Only mp-1."), ("robocrystallographer", "D.")]


def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"describe\.papers_directory is .* no folder"):
        PaperTexts(tmp_path / "nowhere")
