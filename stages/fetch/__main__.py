"""Fetch the raw files of one source: `python -m stages.fetch materials_project|jarvis|narratives`."""

import argparse
from pathlib import Path

from stages.fetch.sample import copy_source
from stages.shared.errors import StageError, run_stage
from stages.shared.params import load_params
from stages.shared.progress import say
from stages.shared.sources.registry import SOURCES

RAW = Path("data/raw")


def main() -> None:
    """Copy and check the raw files of the source named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m stages.fetch", description=__doc__)
    parser.add_argument("source", choices=list(SOURCES))
    source = SOURCES[parser.parse_args().source]

    params = load_params("fetch").fetch
    if params.mode == "remote":
        raise StageError(
            "fetch.mode is 'remote', but downloading is not there yet; set fetch.mode to 'sample' "
            "and fetch.sample_directory to a folder with the raw files"
        )
    directory = Path(params.sample_directory)
    files = copy_source(source, directory, RAW / source.name)
    for name, facts in files.items():
        say(f"{source.name}: {name}, {facts['bytes']} bytes")
    if not files:
        say(f"{source.name}: {directory} holds no file of this source, so it gives no crystals")


if __name__ == "__main__":
    run_stage(main)
