"""`python -m stages.report`: one self-contained HTML page about everything the pipeline made."""

from pathlib import Path

import yaml

from stages.report.ablation_section import ablation_sections
from stages.report.active_section import active_sections
from stages.report.data_section import data_section
from stages.report.dos_ablation_section import dos_ablation_sections
from stages.report.dos_section import dos_section
from stages.report.model_sections import fusion_section, pretrain_section
from stages.report.page import render
from stages.report.pipeline import pipeline_layers
from stages.report.seed_section import seed_sections
from stages.report.summary import summary_table
from stages.report.transfer_section import transfer_sections
from stages.report.uncertainty_section import uncertainty_sections
from stages.report.worst import Crystal
from stages.report.zero_shot_section import zero_shot_sections
from stages.shared.atomic import atomic_file
from stages.shared.errors import run_stage
from stages.shared.params import load_params
from stages.shared.tables import read_table


def main() -> None:
    """Write report.html."""
    params = load_params("targets", "dos_kinds", "evaluate")
    table = read_table(Path("data/crystals.parquet"), ["material_id", "formula", "crystal_system"])
    columns = (table[name].to_pylist() for name in ("material_id", "formula", "crystal_system"))
    crystals = {material_id: Crystal(formula, system) for material_id, formula, system in zip(*columns, strict=True)}
    stages = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
    targets, kinds, temperature = params.targets, params.dos_kinds, params.evaluate.temperature
    names_of = {"targets": list(targets), "dos_kinds": list(kinds)}

    sections = [
        data_section(),
        pretrain_section(),
        *zero_shot_sections(),
        *(fusion_section(target, setting, crystals) for target, setting in targets.items()),
        *(dos_section(kind, setting, temperature, crystals) for kind, setting in kinds.items()),
        *seed_sections(targets, kinds),
        *dos_ablation_sections(kinds),
        *uncertainty_sections(kinds),
        *transfer_sections(kinds),
        *active_sections(),
        *ablation_sections(targets, kinds),
    ]
    page = render(summary_table(targets, kinds), pipeline_layers(stages, names_of), sections)
    with atomic_file(Path("report.html")) as file:
        file.write(page.encode())


if __name__ == "__main__":
    run_stage(main)
