"""Pairs of crystal and text, read from the tables of earlier stages."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stages.shared.encoded_texts import EncodedTexts, encode_texts
from stages.shared.graphs import GraphTable, read_inputs, rows_of
from stages.shared.params import EncoderParams
from stages.shared.sentences import split_sentences
from stages.shared.tables import iterate_rows, read_table
from stages.shared.tokenizers import TextTokenizer

VIEWS = {
    "narratives": ("original", "robocrystallographer"),
    "papers": ("paper",),
    "mixed": ("original", "paper", "robocrystallographer"),
}
"""Which texts of data/narratives.parquet each value of `pretrain.texts` stands for."""


@dataclass(frozen=True)
class CrystalTexts:
    """Crystals with all that is written about them.

    Attributes:
        graphs: n crystals.
        texts: of all crystals, one text per view, the narrative (`original`) first where there is one; in the train
            split cut into sentences, elsewhere whole.
        first_text: (n + 1,) the texts of crystal i are number `first_text[i]` to `first_text[i + 1]`, at least one.
        text_digest: (n_texts,) equal for equal texts.
        structure: (n,) equal for crystals that are the same structure.
    """

    graphs: GraphTable
    texts: EncodedTexts
    first_text: NDArray[np.int64]
    text_digest: NDArray[np.int64]
    structure: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of crystals."""
        return len(self.graphs)

    def same_meaning(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return (n, m) True where two crystals are the same structure or share a text: neither is wrong for the other.

        Args:
            rows: (n,) crystals, all of them among `others`.
            others: (m,) the crystals of a batch, each once.
        """
        same = self.structure[rows][:, None] == self.structure[others][None, :]
        (owner, digest), (other, other_digest) = self._texts_of(rows), self._texts_of(others)
        values, counts = np.unique(other_digest, return_counts=True)
        for value in np.intersect1d(values[counts > 1], digest):
            same[np.ix_(owner[digest == value], other[other_digest == value])] = True
        return same

    def _texts_of(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return for every text of some crystals the crystal's place in `rows`, and the digest of the text."""
        texts = [np.arange(self.first_text[row], self.first_text[row + 1]) for row in rows]
        return np.repeat(np.arange(len(rows)), [len(own) for own in texts]), self.text_digest[np.concatenate(texts)]


def read_pairs(
    data: Path, split: str, views: Sequence[str], encoder: EncoderParams, tokenizer: TextTokenizer, scratch: Path
) -> CrystalTexts:
    """Return the crystals of a split that have a text and what the graph tower reads, sorted by material_id.

    Args:
        data: the pipeline's data folder.
        split: `train` or `val`.
        views: the texts that count.
        encoder: the graph tower.
        tokenizer: of the text tower.
        scratch: folder for the memory-mapped files; they must stay while the pairs are used.
    """
    graphs = read_inputs(data, [split], encoder, scratch)
    narratives = data / "narratives.parquet"  # sorted by (material_id, view)
    crystal = rows_of(read_table(narratives, ["material_id"])["material_id"], graphs.material_ids)  # -1: another split
    crystal = np.where(_are_among(narratives, views), crystal, -1)
    n_texts = np.bincount(crystal[crystal >= 0], minlength=len(graphs))
    graphs = graphs.select(np.flatnonzero(n_texts))

    cut = _sentences if split == "train" else _whole
    texts = (cut(row["text"]) for place, row in enumerate(iterate_rows(narratives, ["text"])) if crystal[place] >= 0)
    return CrystalTexts(
        graphs,
        encode_texts(scratch / f"texts_{split}.arrow", texts, tokenizer),
        np.cumsum([0, *n_texts[n_texts > 0]]),
        _digests(narratives)[crystal >= 0],
        _structures(data / "crystals.parquet", graphs.material_ids),
    )


def _sentences(text: str) -> list[str]:
    return split_sentences(text) or [text]


def _whole(text: str) -> list[str]:
    return [text]


def _are_among(narratives: Path, views: Sequence[str]) -> NDArray[np.bool_]:
    """Return (n_texts,) True for the texts whose view is one of the given."""
    mask = pc.is_in(read_table(narratives, ["view"])["view"], value_set=pa.array(views, type=pa.string()))
    return mask.to_numpy().astype(np.bool_)


def _digests(narratives: Path) -> NDArray[np.int64]:
    """Return a 64-bit hash of each text; among a million texts two collide with a probability of 3e-8."""
    hashes = (hashlib.blake2b(row["text"].encode(), digest_size=8) for row in iterate_rows(narratives, ["text"]))
    return np.fromiter((int.from_bytes(one.digest(), "big", signed=True) for one in hashes), dtype=np.int64)


def _structures(crystals: Path, material_ids: pa.StringArray) -> NDArray[np.int64]:
    """Return a number for each crystal, equal for equal fingerprints."""
    table = read_table(crystals, ["material_id", "fingerprint"])
    fingerprints = table["fingerprint"].take(pa.array(rows_of(material_ids, table["material_id"])))
    encoded = pc.dictionary_encode(fingerprints.combine_chunks(), null_encoding="encode")
    return encoded.indices.to_numpy().astype(np.int64)
