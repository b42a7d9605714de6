import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pymatgen.core import Structure

from stages.shared.text_files import read_csv
from tests.pipeline.imports import ROOT
from tests.pipeline.runs import (
    COMMANDS,
    Document,
    run_pipeline,
    sample_documents,
    write_documents,
    write_jarvis,
    write_narratives,
)
from tests.pipeline.test_dvc_yaml import STAGES
from tests.stages.shared.test_tokenizers import write_language_model


@pytest.fixture(autouse=True)
def _one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XTALK_WORKERS", "1")
    monkeypatch.delenv("DVC_ROOT", raising=False)


def metrics_of(root: Path) -> dict[str, Any]:
    return {
        str(path.relative_to(root / "metrics")): json.loads(path.read_text(encoding="utf-8"))
        for path in (root / "metrics").rglob("*.json")
    }


def numbers(tree: Any) -> list[float]:
    if isinstance(tree, dict):
        return [number for value in tree.values() for number in numbers(value)]
    return [tree] if isinstance(tree, int | float) else []


def test_the_commands_here_are_those_of_dvc_yaml() -> None:
    modules = {f"python -m stages.{command.split()[0]}" for command in COMMANDS}
    assert modules == {" ".join(stage["cmd"].split()[:3]) for stage in STAGES.values()}


def test_sixty_crystals_of_three_sources_give_the_same_bytes_twice(tmp_path: Path) -> None:
    documents = sample_documents()[:60]
    formulas = {document["formula_pretty"] for document in documents}
    raw = tmp_path / "raw"
    write_documents(raw, documents)
    write_jarvis(raw, 6)
    write_narratives(raw, formulas.__contains__)
    first = run_pipeline(tmp_path / "first", raw)
    second = run_pipeline(tmp_path / "second", raw)
    assert first == second
    produced = {f"{name}.json" for name in ("data", "pretrain", "zero_shot", "dos/phonon", "dos/electron")}
    metrics = metrics_of(tmp_path / "first")
    produced |= {"dos_downstream/phonon.json", "dos_downstream/electron.json"}
    assert produced | {"fusion/band_gap.json", "fusion/formation_energy_per_atom.json"} == set(metrics)
    assert metrics["fusion/band_gap.json"]["test"]["n"] > 3
    for name, values in metrics.items():
        assert numbers(values), name
    outs = [out for stage in STAGES.values() for out in stage.get("outs", [])]
    declared = {out if isinstance(out, str) else next(iter(out)) for out in outs}
    for path in {out for out in declared if "$" not in out}:
        assert (tmp_path / "first" / path).exists(), path


def test_the_other_choices_of_fusion_and_dos_run_too(tmp_path: Path) -> None:
    documents = sample_documents()[:30]
    write_documents(tmp_path / "raw", documents)
    write_narratives(tmp_path / "raw", {document["formula_pretty"] for document in documents}.__contains__)
    changes = {"fusion.text": "narrative", "fusion.mixing": "concat", "fusion.pretrained": False, "fusion.loss": "mse"}
    changes |= {"fusion.auxiliary_targets": {"band_gap": ["gap", "metal"]}, "fusion.target_normalization": "bias"}
    changes |= {"dos.model": "published", "dos_kinds.phonon.normalization": "sum", "dos.loss": "mae"}
    changes |= {"fusion.schedule": "inverse_sqrt", "fusion.decay": "all_but_bias", "fusion.swa_epochs": 1}
    run_pipeline(tmp_path / "run", tmp_path / "raw", changes)
    assert metrics_of(tmp_path / "run")["fusion/band_gap.json"]["test"]["fused_mae"] > 0


def test_a_language_model_can_be_the_text_tower(tmp_path: Path) -> None:
    write_documents(tmp_path / "raw", sample_documents()[:30])
    model = write_language_model(tmp_path / "model")
    changes = {"text_encoder.name": "huggingface", "text_encoder.model": str(model)}
    run_pipeline(tmp_path / "run", tmp_path / "raw", changes)
    metrics = metrics_of(tmp_path / "run")
    assert metrics["fusion/band_gap.json"]["test"]["text_mae"] > 0
    assert metrics["zero_shot.json"]["main"]["text_to_crystal"]["mrr"] > 0


def test_embeddings_of_another_model_can_be_the_graph_tower_and_crystals_without_one_get_no_prediction(
    tmp_path: Path,
) -> None:
    documents = sample_documents()[:40]
    lonely = {document["material_id"] for document in documents[::5]}
    for document in documents[::5]:  # so large a cell that CHGNet sees no neighbours
        structure = Structure.from_dict(document["structure"])
        document["structure"] = structure.scale_lattice(structure.volume * 1000).as_dict()
    write_documents(tmp_path / "raw", documents)
    run_pipeline(tmp_path / "run", tmp_path / "raw", {"encoder.name": "precomputed"})
    rejected = read_csv(tmp_path / "run/data/embeddings_rejected.csv")
    assert {row["material_id"] for row in rejected} == lonely
    predictions = pq.read_table(tmp_path / "run/data/predictions/fusion/formation_energy_per_atom.parquet")
    assert set(predictions["material_id"].to_pylist()) == {document["material_id"] for document in documents} - lonely
    metrics = metrics_of(tmp_path / "run")
    assert metrics["fusion/formation_energy_per_atom.json"]["test"]["fused_mae"] > 0
    assert metrics["zero_shot.json"]["main"]["text_to_crystal"]["n"] > 0


def incomplete(documents: list[Document], **replaced: Any) -> list[Document]:
    return [document | replaced for document in documents]


CASES = {
    "no phonon DOS and no narratives": incomplete(sample_documents()[:40], phonon_dos=None),
    "metals only, no electron DOS": incomplete(
        [document for document in sample_documents() if document["is_metal"]][:40], dos=None
    ),
    "no labels at all": incomplete(
        sample_documents()[:20], band_gap=None, formation_energy_per_atom=None, dos=None, phonon_dos=None
    ),
    "one crystal": sample_documents()[:1],
    "nothing": [],
}


@pytest.mark.parametrize("documents", CASES.values(), ids=CASES)
def test_what_is_missing_leads_to_empty_results_and_a_report(
    documents: list[Document], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    if documents:
        write_documents(raw, documents)
    run_pipeline(tmp_path / "run", raw)
    assert len(metrics_of(tmp_path / "run")) == 9
    page = re.sub(r'base64,[^"]*', "", (tmp_path / "run/report.html").read_text(encoding="utf-8"))
    assert not re.search(r"\bnan\b", page, re.IGNORECASE)
    crystals = pq.read_table(tmp_path / "run/data/crystals.parquet")
    assert crystals.num_rows == len(documents)


def test_a_sample_folder_that_does_not_exist_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        run_pipeline(tmp_path / "run", tmp_path / "nowhere")
    assert exit_.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_the_sample_is_the_published_one() -> None:
    shared = ROOT.parent / "shared/sample"
    if not shared.exists():
        pytest.skip("the original of the sample lies beside the project only where it is developed")
    for path in shared.iterdir():
        assert (ROOT / "data/sample" / path.name).read_bytes() == path.read_bytes()
