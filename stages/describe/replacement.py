"""Another function in the place of one that a package would call, for a while."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


@contextmanager
def replaced(module: ModuleType, name: str, substitute: Callable[..., Any]) -> Iterator[None]:
    """Within `with`, `module.name` is the substitute, which must do what the original does."""
    original = getattr(module, name)
    setattr(module, name, substitute)
    try:
        yield
    finally:
        setattr(module, name, original)
