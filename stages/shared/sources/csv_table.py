"""Reading comma-separated tables row by row."""

import csv
import zlib
from collections.abc import Iterator
from pathlib import Path

from stages.shared.sources.files import BrokenFile, open_text


def iterate_csv(path: Path) -> Iterator[dict[str, str] | str]:
    """Yield the rows below the header by column, or for a row that cannot be read the reason; blank lines do not count.

    No cell may be longer than 128 KiB, so that a quotation mark that is never closed does not swallow the table.

    Raises:
        BrokenFile: the compressed data break off or are damaged.
    """
    with open_text(path) as file:
        reader = csv.reader(file, strict=True)
        header: list[str] | None = None
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield f"line {reader.line_num} of {path.name} cannot be read: {error}"
                continue
            except (EOFError, OSError, zlib.error) as error:
                raise BrokenFile(f"{path.name} cannot be read any further: {error}") from None
            if cells is None:
                return
            if not cells:
                continue
            if header is None:
                header = [name.strip().removeprefix("\ufeff") for name in cells]
            elif len(cells) != len(header):
                yield f"the row has {len(cells)} cells, the header of {path.name} {len(header)}"
            else:
                yield dict(zip(header, cells, strict=True))
