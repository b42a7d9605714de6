from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.shared.params import load_params
from tests.pipeline.imports import ROOT


@pytest.mark.parametrize("profile", sorted((ROOT / "profiles").glob("*.txt")), ids=lambda path: path.name)
def test_every_line_of_a_profile_sets_an_existing_parameter_to_an_allowed_value(profile: Path, tmp_path: Path) -> None:
    params: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for line in profile.read_text(encoding="utf-8").splitlines():
        key, value = line.split("=", 1)
        assert " " not in line, "the shell would split it"
        *sections, name = key.split(".")
        place = params
        for section in sections:
            place = place[section]
        assert name in place
        assert place[name] != yaml.safe_load(value), "says nothing new"
        place[name] = float(value) if isinstance(place[name], float) else yaml.safe_load(value)
    edited = tmp_path / "params.yaml"
    edited.write_text(yaml.safe_dump(params), encoding="utf-8")
    assert load_params("encoder", path=edited).encoder.dim == params["encoder"]["dim"]
