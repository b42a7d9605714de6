"""The section on the data: how many crystals, from where, what is known of them, what was rejected."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.report.formatting import MISSING, count, title
from stages.report.page import Section, Table, missing_section
from stages.shared.schemas import SPLITS
from stages.shared.text_files import read_csv, read_json

REJECTS = (Path("data/rejected.csv"), Path("data/describe_rejected.csv"), Path("data/graphs_rejected.csv"))
N_REASONS = 30
N_EXAMPLES = 3
N_DIGITS = 12
"""Of a SHA-256 digest that are shown."""
VERSIONS = ("revision", "database_version", "figshare_file")
"""What tells the version of a raw file, whatever its source calls it."""


def data_section() -> Section:
    """Tell what the models were trained on."""
    heading, path = "The data", Path("metrics/data.json")
    if not path.exists():
        return missing_section("data", heading, path)
    metrics = read_json(path)
    split, sources = metrics["split"], metrics["source"]
    raw = sum(one["raw"] for one in sources.values())
    paragraphs = [
        f"{count(raw, 'raw record')} of {count(len(sources), 'source')} gave {count(metrics['crystals'], 'crystal')}: "
        f"{split['train']:,} to train on, {split['val']:,} to validate and {split['test']:,} to test. "
        "The split is decided once and is the same for every model.",
        *split_sentences(metrics["split_manifest"]),
    ]
    rejected = [row for path in REJECTS if path.exists() for row in read_csv(path)]
    tables = [
        split_table(metrics["split_manifest"]),
        Table(
            "Records by source; a merged record adds to a crystal that another one gave",
            ["source", "raw records", "crystals", "merged", "rejected"],
            [
                [title(name), *(f"{one[key]:,}" for key in ("raw", "crystals", "merged", "rejected"))]
                for name, one in sources.items()
            ],
        ),
        Table(
            "Known of how many crystals",
            ["property", "crystals"],
            [[title(name), f"{n:,}"] for name, n in metrics["known"].items()],
        ),
        Table(
            "Crystals by crystal system",
            ["crystal system", "crystals"],
            [[name, f"{n:,}"] for name, n in metrics["crystal_system"].items()],
        ),
    ]
    if any(metrics["raw_files"].values()):
        tables.append(raw_files_table(metrics["raw_files"]))
    if rejected:
        tables.append(rejection_table(rejected))
    else:
        paragraphs.append("No record was rejected.")
    return Section("data", heading, paragraphs, tables=tables)


def split_sentences(manifest: Mapping[str, Any]) -> list[str]:
    """Say what a reader of the results must know of the split."""
    several, unlisted, not_found = (
        manifest[name] for name in ("formulas_in_several_splits", "without_split", "ids_not_found")
    )
    sentences = []
    if several:
        sentences.append(
            f"Formulas that lie in more than one split: {several:,}. A model may know the composition of a test "
            "crystal from training."
        )
    else:
        sentences.append("No formula lies in more than one split.")
    if unlisted:
        sentences.append(f"Crystals that no index file lists, and that are in no split: {unlisted:,}.")
    if not_found:
        sentences.append(f"Names in the index files that belong to no crystal: {not_found:,}.")
    return sentences


def split_table(manifest: Mapping[str, Any]) -> Table:
    """Show the size of each split and the digest of its material_ids, so that a reader sees whether one has moved."""
    rows = [
        [split, _digest(manifest[split]["material_ids_sha256"])]
        + [f"{manifest[split][size]:,}" for size in ("crystals", "groups")]
        for split in SPLITS
    ]
    seed = "" if manifest["seed"] is None else f", seed {manifest['seed']}"
    caption = (
        f"The split, scheme {manifest['scheme']}{seed}; the crystals of a group stay together. The digest changes with "
        "any material_id of the split; metrics/data.json has all of its digits"
    )
    return Table(caption, ["split", "SHA-256 of the material_ids", "crystals", "groups"], rows, n_text=2)


def raw_files_table(raw_files: Mapping[str, Mapping[str, Mapping[str, str | int]]]) -> Table:
    """Show the version and the digest of each raw file.

    Args:
        raw_files: by source and name of the file.
    """
    rows = []
    for source, files in raw_files.items():
        for name, facts in files.items():
            version = next((str(facts[key]) for key in VERSIONS if key in facts), MISSING)
            rows.append([title(source), name, version, _digest(str(facts["sha256"])), f"{facts['bytes']:,}"])
    caption = "Raw files; the version is the source's own, a dash stands for the sample or a file of one's own"
    return Table(caption, ["source", "file", "version", "SHA-256", "bytes"], rows, n_text=4)


def _digest(digits: str) -> str:
    return f"{digits[:N_DIGITS]}…"


def rejection_table(rejected: Iterable[Mapping[str, str]]) -> Table:
    """Group rejected records by stage and reason, the most frequent first, with a few of their names."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rejected:
        groups[row["stage"], row["reason"]].append(row["source_id"])
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    rows: list[Sequence[str]] = [
        [reason, stage, _examples(ids), f"{len(ids):,}"] for (stage, reason), ids in ordered[:N_REASONS]
    ]
    left_out = len(ordered) - len(rows)
    caption = "What was rejected, and why"
    if left_out:
        caption += f" (the {N_REASONS} most frequent reasons; the files {', '.join(map(str, REJECTS))} list all)"
    return Table(caption, ["reason", "stage", "for example", "records"], rows, n_text=3)


def _examples(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[:N_EXAMPLES])
    return shown if len(ids) <= N_EXAMPLES else f"{shown}, …"
