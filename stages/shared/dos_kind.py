"""Which kind of density of states a stage is run for."""

from collections.abc import Collection, Sequence

from stages.shared.errors import StageError
from stages.shared.spectra import COLUMNS


def chosen_kind(arguments: Sequence[str], kinds: Collection[str]) -> str:
    """Return the kind that the command line names, `phonon` or `electron`.

    Args:
        arguments: of the command line, without the name of the program.
        kinds: those with a recipe, the keys of `dos_kinds` in params.yaml.

    Raises:
        StageError: the arguments are not just one kind that has a recipe.
    """
    kind = " ".join(arguments)
    if kind not in kinds or kind not in COLUMNS:
        raise StageError(f"'{kind}' is not a kind of density of states; use one of {', '.join(COLUMNS)}")
    return kind
