"""The books of the stage: every raw row ends as a crystal, merged into one, or rejected with a reason."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from stages.generate_cif.crystals import Crystal, Rejection

STAGE = "generate_cif"


@dataclass
class Counts:
    """Numbers of raw rows of one source; `raw` is the sum of the other three.

    `merged` rows added to a crystal that another row had opened: a narrative of a known crystal, spectra of a known
    `jid`.
    """

    crystals: int = 0
    merged: int = 0
    rejected: int = 0

    @property
    def raw(self) -> int:
        """Number of rows the source delivered."""
        return self.crystals + self.merged + self.rejected

    def as_dict(self) -> dict[str, int]:
        """Return the four numbers for a JSON file."""
        return {
            "raw": self.raw,
            "crystals": self.crystals,
            "merged": self.merged,
            "rejected": self.rejected,
        }


class Lines(Protocol):
    """A table that takes lines of source, source_id, stage and text: a file, since there may be very many."""

    def append(self, line: tuple[str, str, str, str], /) -> None:
        """Add one line."""


@dataclass
class Ledger:
    """Counts per source, and where the lines of rejected.csv and notes.csv go."""

    rejected: Lines
    notes: Lines
    counts: dict[str, Counts] = field(default_factory=dict)

    def of(self, source: str) -> Counts:
        """Return the counts of a source, zero at first."""
        return self.counts.setdefault(source, Counts())

    def accept(self, crystal: Crystal) -> None:
        """Book a crystal and its notes: its first row opened it, the others were merged into it."""
        counts = self.of(crystal.source)
        counts.crystals += 1
        counts.merged += len(crystal.files) - 1
        self._note_all(crystal)

    def merge(self, crystal: Crystal) -> None:
        """Book the rows, and the notes, of something that became part of another crystal."""
        self.of(crystal.source).merged += len(crystal.files)
        self._note_all(crystal)

    def reject(self, rejection: Rejection) -> None:
        """Book every raw row behind a rejection, one line each; the file is named where there are several."""
        self.of(rejection.source).rejected += len(rejection.files)
        for file in rejection.files:
            reason = rejection.reason
            if len(rejection.files) > 1:
                reason = f"{reason} (row of {file})"
            self.rejected.append((rejection.source, rejection.source_id, STAGE, reason))

    def note(self, crystal: Crystal, text: str) -> None:
        """Keep a remark about something a row held that is not used."""
        self.notes.append((crystal.source, crystal.source_id, STAGE, text))

    def _note_all(self, crystal: Crystal) -> None:
        for note in crystal.notes:
            self.note(crystal, note)

    def summary(self) -> Iterator[str]:
        """Yield one plain sentence per source."""
        for source, counts in self.counts.items():
            yield (
                f"{source}: {counts.raw} raw rows = {counts.crystals} crystals + {counts.merged} merged "
                f"into a crystal + {counts.rejected} rejected"
            )
