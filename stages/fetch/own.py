"""Your own files, copied next to the raw files of the other sources."""

import shutil
from pathlib import Path

from stages.fetch.manifest import Facts, write_manifest
from stages.fetch.sample import copy_checked
from stages.shared.errors import StageError
from stages.shared.params import OwnFetchParams
from stages.shared.progress import say
from stages.shared.sources.files import MANIFEST
from stages.shared.sources.own_files import kind_of
from stages.shared.sources.record import shortened

PICKLES = (".pkl", ".pickle", ".pkl.gz", ".pickle.gz", ".p", ".joblib", ".pt")
CONVERSION = (
    "from json import dumps; from pickle import load; rows = load(open('{pickle}', 'rb'))\n"
    "open('{stem}.jsonl', 'w').writelines("
    "dumps({{**row, 'structure': row['structure'].as_dict()}}, default=float) + '\\n' for row in rows)"
)
"""Two lines of Python for a list of dictionaries whose `structure` is pymatgen's, as Crystalformer takes them."""


def copy_own(params: OwnFetchParams, target: Path) -> dict[str, Facts]:
    """Replace `target` by the files of `params.directory` that can be read, plus a manifest; name those that cannot.

    Returns:
        the manifest's `files`.

    Raises:
        StageError: no such folder, or a pickle in it: reading one runs whatever program it holds.
    """
    directory = Path(params.directory)
    if not directory.is_dir():
        raise StageError(f"fetch.own.directory is '{directory}', which is no folder; name the one with your files")
    if directory.resolve().is_relative_to(target.resolve()):
        raise StageError(f"fetch.own.directory is '{directory}', which fetch replaces; name a folder elsewhere")
    files = sorted(path for path in directory.iterdir() if path.is_file() and not path.name.startswith("."))
    for path in files:
        if path.name.lower().endswith(PICKLES):
            raise StageError(_refusal_of_pickle(path))
    # a name that is no UTF-8 could stand in no table
    readable = [path for path in files if kind_of(path.name) and path.name.isprintable() and path.name != MANIFEST]
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for path in readable:
        copy_checked(path, target / path.name, None)
    others = [path.name for path in files if path not in readable and path.name not in ("README.md", MANIFEST)]
    if others:
        say(f"own: {len(others)} files of {directory} are of no known kind, for example {shortened(others[0])}")
    return write_manifest(target)


def _refusal_of_pickle(path: Path) -> str:
    conversion = CONVERSION.format(pickle=path, stem=path.with_name(path.name.split(".")[0]))
    return (
        f"{path} is a pickle, which would run any program hidden in it; if you trust it, turn it into a table with "
        f"these two lines of Python and remove it:\n{conversion}"
    )
