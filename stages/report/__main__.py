"""`python -m stages.report`: one self-contained HTML page about everything the pipeline made."""

from pathlib import Path

import yaml

from stages.report.ablation_section import ablation_sections
from stages.report.data_section import data_section
from stages.report.model_sections import dos_section, fusion_section, pretrain_section
from stages.report.page import render
from stages.report.pipeline import pipeline_layers
from stages.report.summary import summary_table
from stages.report.worst import Crystal
from stages.report.zero_shot_section import zero_shot_sections
from stages.shared.errors import run_stage
from stages.shared.params import load_params
from stages.shared.tables import atomic_file, read_table


def main() -> None:
    """Write report.html."""
    params = load_params("targets", "dos_kinds")
    table = read_table(Path("data/crystals.parquet"), ["material_id", "formula", "crystal_system"])
    columns = (table[name].to_pylist() for name in ("material_id", "formula", "crystal_system"))
    crystals = {material_id: Crystal(formula, system) for material_id, formula, system in zip(*columns, strict=True)}
    stages = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
    names_of = {"targets": list(params.targets), "dos_kinds": list(params.dos_kinds)}

    sections = [
        data_section(),
        pretrain_section(),
        *zero_shot_sections(),
        *(fusion_section(target, setting, crystals) for target, setting in params.targets.items()),
        *(dos_section(kind, setting, crystals) for kind, setting in params.dos_kinds.items()),
        *ablation_sections(params.targets, params.dos_kinds),
    ]
    summary = summary_table(params.targets, params.dos_kinds)
    page = render(summary, pipeline_layers(stages, names_of), sections)
    with atomic_file(Path("report.html")) as file:
        file.write(page.encode())


if __name__ == "__main__":
    run_stage(main)
