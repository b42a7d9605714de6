"""Published splits: one list of material_ids per split, in a folder of text or JSON files."""

import json
from pathlib import Path

from stages.shared.errors import StageError
from stages.shared.schemas import SPLITS
from stages.shared.sources import phonon_tutorial
from stages.shared.sources.files import BrokenFile


def read_index_files(directory: Path) -> dict[str, str]:
    """Return the split of every listed material_id.

    A split is listed in `<split>.txt`, one id per line, or in `<split>.json`, a list of ids. A split without a file is
    empty. An id that is listed twice for one split counts once.

    Raises:
        StageError: no list at all, two for one split, an unreadable one, or an id in two splits.
    """
    splits: dict[str, str] = {}
    files = {split: _file_of(directory, split) for split in SPLITS}
    if not any(files.values()):
        raise StageError(
            f"{directory} holds no index file, which generate_cif.split.scheme file needs: "
            "put train.txt, val.txt and test.txt there, one material_id per line"
        )
    for split, path in files.items():
        for material_id in [] if path is None else _read_ids(path):
            if splits.setdefault(material_id, split) != split:
                raise StageError(f"{material_id} is in the lists {splits[material_id]} and {split} of {directory}")
    return splits


def read_tutorial_split(folder: Path) -> dict[str, str]:
    """Return the split of every material_id of the phonon tutorial, whose index files hold row numbers of its table.

    Raises:
        StageError: a file is missing, or it does not fit the table.
    """
    try:
        return phonon_tutorial.published_split(folder)
    except BrokenFile as error:
        raise StageError(
            f"generate_cif.split.scheme is phonon_tutorial, but {error}; fetch.sources.phonon_tutorial must be true"
        ) from None


def _file_of(directory: Path, split: str) -> Path | None:
    found = [path for path in (directory / f"{split}.txt", directory / f"{split}.json") if path.is_file()]
    if len(found) > 1:
        raise StageError(f"{directory} holds both {split}.txt and {split}.json; remove one")
    return found[0] if found else None


def _read_ids(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        ids = json.loads(text) if path.suffix == ".json" else text.splitlines()
    except ValueError:  # of UTF-8 or of JSON
        raise StageError(f"{path} cannot be read as {path.suffix[1:]} in UTF-8") from None
    if not (isinstance(ids, list) and all(isinstance(one, str) for one in ids)):
        raise StageError(f'{path} must be a list of material_ids, for example ["mp-149", "JVASP-1002"]')
    return [one.strip() for one in ids if one.strip()]
