"""The parts a page is made of, and how they become HTML."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stages.report.pipeline import StageBox


@dataclass(frozen=True)
class Figure:
    """A PNG with the words that stand for it where it cannot be seen."""

    path: Path
    alt: str

    @property
    def uri(self) -> str:
        """The picture itself as a `data:` address, so that the page needs no other file."""
        return "data:image/png;base64," + base64.b64encode(self.path.read_bytes()).decode()


@dataclass(frozen=True)
class Table:
    """Rows of text under a header; the first `n_text` columns are words, the others numbers."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    n_text: int = 1


@dataclass(frozen=True)
class Verdict:
    """A sentence on whether a result is good, and the answer: yes, no or not known."""

    good: bool | None
    sentence: str


@dataclass(frozen=True)
class Section:
    """A headed part of the page.

    Args:
        key: unique, for links to it.
        title: its heading.
        paragraphs: plain text.
        verdicts: marked sentences after the paragraphs.
        figures: pictures; those whose file is missing are replaced by a sentence.
        tables: in reading order.
    """

    key: str
    title: str
    paragraphs: Sequence[str]
    verdicts: Sequence[Verdict] = field(default=())
    figures: Sequence[Figure] = field(default=())
    tables: Sequence[Table] = field(default=())


def missing_section(key: str, title: str, path: Path) -> Section:
    """Say in place of a result that it is not there."""
    return Section(key, title, [f"There is no result yet: {path} is missing. `dvc repro` makes it."])


def render(summary: Table, layers: Sequence[Sequence[StageBox]], sections: Sequence[Section]) -> str:
    """Return the page; every text that comes from data is escaped.

    Args:
        summary: the results at a glance.
        layers: the pipeline's stages, a row for each step.
        sections: data and results in reading order.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("page.html.j2")
    return template.render(summary=summary, layers=layers, sections=sections)
