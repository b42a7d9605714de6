"""Fetch the raw files of one source: `python -m stages.fetch materials_project|jarvis|narratives|…`."""

import argparse
from pathlib import Path

from stages.fetch.own import copy_own
from stages.fetch.remote import download_source
from stages.fetch.sample import copy_source, empty_folder
from stages.shared.errors import run_stage
from stages.shared.params import load_params
from stages.shared.progress import say
from stages.shared.sources.registry import SOURCES

RAW = Path("data/raw")


def main() -> None:
    """Bring the raw files of the source named on the command line into `data/raw/<source>`."""
    parser = argparse.ArgumentParser(prog="python -m stages.fetch", description=__doc__)
    parser.add_argument("source", choices=list(SOURCES))
    source = SOURCES[parser.parse_args().source]
    params = load_params("fetch").fetch
    folder = RAW / source.name

    if not getattr(params.sources, source.name):
        files = empty_folder(folder)
        nothing = f"fetch.sources.{source.name} is false"
    elif source.name == "own":
        files = copy_own(params.own, folder)
        nothing = f"{params.own.directory} holds no file of it"
    elif params.mode == "sample":
        files = copy_source(source, Path(params.sample_directory), folder)
        nothing = f"{params.sample_directory} holds no file of this source"
    else:
        files = download_source(source.name, params, folder)
        nothing = "nothing there passes its filters"

    for name, facts in files.items():
        say(f"{source.name}: {name}, {facts['bytes']} bytes")
    if not files:
        say(f"{source.name}: {nothing}, so it gives no crystals")


if __name__ == "__main__":
    run_stage(main)
