"""Which files of the project a module imports, directly or through others, at its top or inside a function."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def imported_files(module: str) -> set[str]:
    """Return the project's files that running `python -m module` can import, relative to the root."""
    start = _file_of(f"{module}.__main__") or _file_of(module)
    assert start is not None, f"{module} does not exist"
    found: set[Path] = set()
    waiting = [start, *_packages(start)]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            for name in _imported_names(file):
                target = _file_of(name)
                if target is not None:
                    waiting += [target, *_packages(target)]
    return {str(file.relative_to(ROOT)) for file in found if file.read_text(encoding="utf-8").strip()}


def _imported_names(file: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def _file_of(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _packages(file: Path) -> list[Path]:
    """Return the `__init__.py` files that importing `file` runs."""
    parents = [parent for parent in file.parents if parent != ROOT and ROOT in parent.parents]
    return [parent / "__init__.py" for parent in parents if (parent / "__init__.py").is_file()]
