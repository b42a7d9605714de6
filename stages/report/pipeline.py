"""The pipeline as boxes, read from dvc.yaml."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

ANY = "*"


@dataclass(frozen=True)
class StageBox:
    """One stage of dvc.yaml.

    Args:
        name: as in dvc.yaml.
        description: its `desc`.
        variants: what it runs once for each of; empty for a stage that runs once.
        reads_from: names of the stages whose outputs it reads.
    """

    name: str
    description: str
    variants: tuple[str, ...]
    reads_from: tuple[str, ...]


def pipeline_layers(stages: Mapping[str, Any], names_of: Mapping[str, Sequence[str]]) -> list[list[StageBox]]:
    """Put the stages into layers, each reading from earlier layers only.

    Args:
        stages: the `stages` section of dvc.yaml.
        names_of: what a template such as `${targets}` stands for.

    Raises:
        ValueError: stages read from each other in a circle.
    """
    bodies = {name: body.get("do", body) for name, body in stages.items()}
    outputs = {name: _paths(body, "outs", "metrics", "plots") for name, body in bodies.items()}
    boxes = {}
    for name, body in bodies.items():
        inputs = _paths(body, "deps")
        reads_from = tuple(
            other
            for other, paths in outputs.items()
            if other != name and any(_overlap(mine, theirs) for mine in inputs for theirs in paths)
        )
        variants = _variants(stages[name], names_of)
        boxes[name] = StageBox(name, body.get("desc", ""), variants, reads_from)
    return _layers(boxes)


def _layers(boxes: Mapping[str, StageBox]) -> list[list[StageBox]]:
    placed: set[str] = set()
    layers = []
    while len(placed) < len(boxes):
        layer = [box for box in boxes.values() if box.name not in placed and placed.issuperset(box.reads_from)]
        if not layer:
            raise ValueError(f"stages read from each other in a circle: {sorted(set(boxes) - placed)}")
        placed.update(box.name for box in layer)
        layers.append(layer)
    return layers


def _variants(stage: Mapping[str, Any], names_of: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return what a `foreach` or a one-dimensional `matrix` runs over."""
    over = stage.get("foreach", ())
    for values in stage.get("matrix", {}).values():
        over = values
    if isinstance(over, str):
        over = names_of.get(over.strip("${} "), ())
    return tuple(str(one) for one in over)


def _paths(body: Mapping[str, Any], *sections: str) -> list[PurePosixPath]:
    """Return the paths in some sections of a stage, with `*` for every template.

    A path that starts with a template could be anywhere; it is left out.
    """
    entries = [entry for section in sections for entry in body.get(section, ())]
    names = [name for entry in entries for name in (entry if isinstance(entry, Mapping) else [entry])]
    paths = [PurePosixPath(re.sub(r"\$\{[^}]*\}", ANY, name)) for name in names]
    return [path for path in paths if not path.parts[0].startswith(ANY)]


def _overlap(one: PurePosixPath, other: PurePosixPath) -> bool:
    """Tell whether two paths are the same or one lies in the other; `*` fits within a name."""
    return all(_fits(a, b) for a, b in zip(one.parts, other.parts, strict=False))


def _fits(one: str, other: str) -> bool:
    patterns = [re.escape(name).replace(re.escape(ANY), ".*") for name in (one, other)]
    return bool(re.fullmatch(patterns[0], other) or re.fullmatch(patterns[1], one))
