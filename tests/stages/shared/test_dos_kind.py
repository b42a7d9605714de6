import pytest

from stages.shared.dos_kind import chosen_kind
from stages.shared.errors import StageError


def test_a_kind_with_a_recipe_is_chosen_by_its_name() -> None:
    assert chosen_kind(["electron"], {"phonon", "electron"}) == "electron"


@pytest.mark.parametrize(
    ("arguments", "kinds"),
    [
        ([], ["phonon", "electron"]),
        (["phonon", "electron"], ["phonon", "electron"]),
        (["electron"], ["phonon"]),  # no recipe in params.yaml
        (["magnon"], ["phonon", "magnon"]),  # a recipe, but no such spectra
    ],
)
def test_anything_else_is_answered_with_the_kinds_there_are(arguments: list[str], kinds: list[str]) -> None:
    message = f"^'{' '.join(arguments)}' is not a kind of density of states; use one of phonon, electron$"
    with pytest.raises(StageError, match=message):
        chosen_kind(arguments, kinds)
