"""A place outside DVC's outputs where an interrupted training run finds its checkpoint again.

DVC deletes a stage's outputs before it runs, and killing `dvc` leaves the stage running. So checkpoints live in
`scratch/<stage>/<key>` under the root of the repository, where the key is a hash of everything the result depends on,
and the folder is locked while a run uses it.
"""

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel

from stages.shared.errors import StageError


@contextmanager
def scratch_folder(stage: str, params: BaseModel, inputs: Sequence[Path]) -> Iterator[Path]:
    """Yield the run's own folder, locked; remove it when the run has ended well.

    Args:
        stage: name of the stage with its variant, for example `fusion@band_gap`.
        params: the parameters the stage reads.
        inputs: files the result depends on; folders count with all that is in them.

    Raises:
        StageError: another process runs the same stage with the same inputs, or the stage's source code was edited
            while it ran (DVC would file the result under the new code).
    """
    sources = project_sources()
    code = _digest_files(sources)
    key = hashlib.sha256(f"{params.model_dump_json()}\n{_digest_files(inputs)}\n{code}".encode())
    root = Path(os.environ.get("DVC_ROOT", "."))
    folder = root / "scratch" / stage / key.hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StageError(
                f"{stage} is already running with the same inputs; wait for it or end that process"
            ) from None
        yield folder
        if _digest_files(sources) != code:
            raise StageError(f"the source code of {stage} changed while it ran; run it again")
        shutil.rmtree(folder)


def project_sources() -> list[Path]:
    """Return the files of the project's own modules that this process has imported."""
    here = Path(__file__).resolve().parents[2]
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    paths = {Path(file).resolve() for file in files if file is not None}
    return sorted(path for path in paths if here / "stages" in path.parents or here / "models" in path.parents)


def _digest_files(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file():
                with file.open("rb") as opened:
                    digest.update(file.name.encode() + b"\0" + hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()
