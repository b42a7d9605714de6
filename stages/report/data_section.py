"""The section on the data: how many crystals, from where, what is known of them, what was rejected."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from stages.report.formatting import count, title
from stages.report.page import Section, Table, missing_section
from stages.shared.tables import read_csv, read_json

REJECTS = (Path("data/rejected.csv"), Path("data/describe_rejected.csv"), Path("data/graphs_rejected.csv"))
N_REASONS = 30
N_EXAMPLES = 3


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
        "The split is decided once and is the same for every model."
    ]
    rejected = [row for path in REJECTS if path.exists() for row in read_csv(path)]
    tables = [
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
    if rejected:
        tables.append(rejection_table(rejected))
    else:
        paragraphs.append("No record was rejected.")
    return Section("data", heading, paragraphs, tables=tables)


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
