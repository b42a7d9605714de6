"""Crystals with a text and target values, read from the tables of earlier stages."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stages.fusion.redaction import without_target
from stages.shared.encoded_texts import EncodedTexts, encode_texts
from stages.shared.errors import StageError
from stages.shared.graphs import GraphTable, read_inputs, rows_of
from stages.shared.params import EncoderParams, TargetParams
from stages.shared.schemas import SPLITS, property_columns
from stages.shared.tables import iterate_rows, read_table
from stages.shared.tokenizers import TextTokenizer

_VIEW_NAMES = {"robocrystallographer": "robocrystallographer", "narrative": "original"}


@dataclass(frozen=True)
class LabelledCrystals:
    """The examples of the regression.

    Attributes:
        graphs: n crystals, by split, then by material_id.
        texts: what may be read about each, one piece; empty where nothing is written.
        values: (n, n_targets) the target and then the auxiliary ones, each in its unit; NaN where unknown, which the
            first is in the train split only.
    """

    graphs: GraphTable
    texts: EncodedTexts
    values: NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of crystals."""
        return len(self.graphs)

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "LabelledCrystals":
        """Return some of the crystals; `chosen` is a mask (n,) or their places."""
        places = np.arange(len(self))[chosen]
        return LabelledCrystals(self.graphs.select(places), self.texts.select(places), self.values[places])

    def of_split(self, split: str) -> "LabelledCrystals":
        """Return the crystals of `train`, `val` or `test`."""
        return self.select(self.graphs.splits == split)

    def with_target(self) -> "LabelledCrystals":
        """Return the crystals whose target is known, without those that are there for auxiliary targets alone."""
        return self.select(~np.isnan(self.values[:, 0]))


def learned_targets(
    target: str,
    auxiliary: Mapping[str, Sequence[str]],
    known: Mapping[str, TargetParams],
    columns: Sequence[str],
) -> dict[str, Sequence[str]]:
    """Return what is learned, the target first, and for each the words that betray it.

    Args:
        target: what is to be predicted.
        auxiliary: what is learned along with it, with its words; `target` itself may be among them.
        known: the `targets` section.
        columns: of data/crystals.parquet.

    Raises:
        StageError: the target is not in params.yaml, or it or an auxiliary one is no property of crystals.
    """
    if target not in known:
        raise StageError(f"{target} is not among the targets of params.yaml: {', '.join(known)}")
    properties = property_columns(columns)
    for section, names in (("targets", [target]), ("fusion.auxiliary_targets", auxiliary)):
        if unknown := next((name for name in names if name not in properties), None):
            raise StageError(f"{section} holds {unknown}, which is not among the properties: {', '.join(properties)}")
    return {target: known[target].mentions} | {name: auxiliary[name] for name in auxiliary if name != target}


def read_labelled(
    data: Path,
    targets: Mapping[str, Sequence[str]],
    text: str,
    encoder: EncoderParams,
    tokenizer: TextTokenizer,
    scratch: Path,
) -> LabelledCrystals:
    """Return all labelled crystals that the graph tower can read, by split, then by material_id.

    A crystal is labelled when it has a value of the first target; in the train split a value of any target suffices.
    No text speaks of any of the targets.

    Args:
        data: the pipeline's data folder.
        targets: scalar columns of crystals.parquet with the words that betray them, what is to be predicted first.
        text: `robocrystallographer`, or `narrative` for the narrative where there is one and else the former.
        encoder: the graph tower.
        tokenizer: of the text tower.
        scratch: folder for the memory-mapped files; they must stay while the crystals are used.
    """
    graphs = read_inputs(data, SPLITS, encoder, scratch)
    values = _values(data / "crystals.parquet", list(targets), graphs.material_ids)
    known = ~np.isnan(values)
    labelled = known[:, 0] | ((graphs.splits == "train") & known.any(axis=1))
    graphs, values = graphs.select(np.flatnonzero(labelled)), values[labelled]

    narratives = data / "narratives.parquet"
    row_of_text = _preferred_rows(narratives, text, graphs.material_ids)
    redacted = _redacted(narratives, row_of_text, values, list(targets.values()))
    encoded = encode_texts(scratch / "texts.arrow", redacted, tokenizer)
    used = np.sort(row_of_text[row_of_text >= 0])
    place = np.where(row_of_text >= 0, np.searchsorted(used, row_of_text), len(used))
    return LabelledCrystals(graphs, encoded.select(place), values)


def _values(crystals: Path, targets: Sequence[str], material_ids: pa.StringArray) -> NDArray[np.float64]:
    """Return the targets of some crystals, (n, n_targets), NaN where unknown."""
    table = read_table(crystals, ["material_id", *targets])
    rows = rows_of(material_ids, table["material_id"])
    columns = [table[target].cast(pa.float64()).to_numpy()[rows] for target in targets]
    return np.stack(columns, axis=1)


def _preferred_rows(narratives: Path, text: str, material_ids: pa.StringArray) -> NDArray[np.int64]:
    """Return the row of each crystal's text, −1 for none: the preferred view, else that of robocrystallographer."""
    table = read_table(narratives, ["material_id", "view"])
    crystal = rows_of(table["material_id"], material_ids)  # -1: not labelled
    rows = np.full(len(material_ids), -1)
    for view in ("robocrystallographer", _VIEW_NAMES[text]):
        of_view = np.flatnonzero(pc.equal(table["view"], view).to_numpy() & (crystal >= 0))
        rows[crystal[of_view]] = of_view
    return rows


def _redacted(
    narratives: Path, row_of_text: NDArray[np.int64], values: NDArray[np.float64], mentions: Sequence[Sequence[str]]
) -> Iterator[list[str]]:
    """Yield the chosen texts in the order of the table without what they say of the targets, and last an empty one."""
    crystal_of_row = {int(row): crystal for crystal, row in enumerate(row_of_text) if row >= 0}
    for row, narrative in enumerate(iterate_rows(narratives, ["text"])):
        if row in crystal_of_row:
            text = narrative["text"]
            for words, value in zip(mentions, values[crystal_of_row[row]].tolist(), strict=True):
                text = without_target(text, words, None if math.isnan(value) else value)
            yield [text]
    yield [""]
