"""The whole sample, read once for all tests of the stage."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from stages.shared.params import GenerateCifParams, load_params
from tests.stages.generate_cif.collected import ListedLedger, collected
from tests.stages.raw_records import ROOT, SAMPLE


@pytest.fixture(scope="session")
def params() -> GenerateCifParams:
    return load_params("generate_cif", path=ROOT / "params.yaml").generate_cif


@pytest.fixture(scope="session")
def sample_raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    raw = tmp_path_factory.mktemp("raw")
    for source, pattern in (("materials_project", "mat*"), ("jarvis", "jarvis*"), ("narratives", "narr*")):
        (raw / source).mkdir()
        for path in SAMPLE.glob(pattern):
            shutil.copy(path, raw / source)
    return raw


@pytest.fixture(scope="session")
def sample(sample_raw: Path, params: GenerateCifParams) -> tuple[dict[str, dict[str, Any]], ListedLedger]:
    crystals, ledger = collected(sample_raw, params)
    return {crystal.source_id: dict(crystal.columns) for crystal in crystals}, ledger
