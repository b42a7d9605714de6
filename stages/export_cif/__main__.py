"""Write the CIF files of some crystals of data/crystals.parquet: `python -m stages.export_cif mp-149 --out folder`."""

import argparse
from pathlib import Path

from stages.export_cif.export import file_name, read_cifs
from stages.shared.atomic import atomic_file
from stages.shared.errors import StageError, run_stage
from stages.shared.progress import say

CRYSTALS = Path("data/crystals.parquet")


def main() -> None:
    """Look the crystals up and write a file each; where one is unknown, write none."""
    options = parse_arguments()
    cifs = read_cifs(CRYSTALS, options.material_ids)
    for material_id, cif in cifs.items():
        path = options.out / file_name(material_id)
        try:
            with atomic_file(path) as file:
                file.write(cif.encode())
        except OSError as error:
            raise StageError(f"{path} cannot be written: {error.strerror}") from None
        say(str(path))


def parse_arguments() -> argparse.Namespace:
    """Return `material_ids` and `out`."""
    parser = argparse.ArgumentParser(prog="python -m stages.export_cif", description=__doc__)
    parser.add_argument("material_ids", nargs="+", metavar="material_id", help="for example mp-149")
    parser.add_argument("--out", type=Path, default=Path(), metavar="FOLDER", help="where to put them; default: here")
    return parser.parse_args()


if __name__ == "__main__":
    run_stage(main)
