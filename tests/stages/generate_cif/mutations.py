"""Records as sources deliver them, with something broken in each."""

import copy
import math
from collections.abc import Iterator
from typing import Any

import numpy as np


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = list(enumerate(value))[:3]
    for key, item in items:
        yield from _places(item, (*path, key))


_JUNK: list[Any] = [None, "na", "", "x", math.nan, math.inf, -1, 0, 1e300, -1e-300, True, 10**400, [], [[]], {}]
_JUNK += [{"a": 1}, [None], ["x"], [1, [2]], "\ud800", "Xx", [math.nan] * 3, [[0, 0, 0]] * 3, "1.5"]


def mutated_record(record: dict[str, Any], random: np.random.RandomState) -> dict[str, Any]:
    record = copy.deepcopy(record)
    for _ in range(random.randint(1, 4)):
        places = list(_places(record))
        if not places:
            break
        *parents, last = places[random.randint(len(places))]
        target: Any = record
        for key in parents:
            target = target[key]
        if random.rand() < 0.3 and isinstance(target, dict):
            del target[last]
        else:
            target[last] = copy.deepcopy(_JUNK[random.randint(len(_JUNK))])
    return record


def mutated_records(records: list[dict[str, Any]], count: int, seed: int) -> list[dict[str, Any]]:
    random = np.random.RandomState(seed)
    return [mutated_record(records[random.randint(len(records))], random) for _ in range(count)]


def mutated_text(text: str, random: np.random.RandomState) -> str:
    """Return a text with one to three words, lines or ends of it replaced, doubled, cut off or removed."""
    for _ in range(random.randint(1, 4)):
        lines = text.split("\n")
        line = random.randint(len(lines))
        words = lines[line].split(" ")
        match random.randint(6):
            case 0:
                words[random.randint(len(words))] = _WORDS[random.randint(len(_WORDS))]
                lines[line] = " ".join(words)
            case 1:
                lines.insert(line, lines[random.randint(len(lines))])
            case 2:
                del lines[line]
            case 3:
                lines = "\n".join(lines)[: random.randint(len(text) + 1)].split("\n")
            case 4:
                del words[random.randint(len(words))]
                lines[line] = " ".join(words)
            case 5:
                place = random.randint(len(lines[line]) + 1)
                lines[line] = lines[line][:place] + _CHARACTERS[random.randint(len(_CHARACTERS))] + lines[line][place:]
        text = "\n".join(lines)
    return text


_WORDS = ["", "nan", "inf", "-1", "0", "1e300", "1e-300", "9" * 30, "1000000000", "Xx", "'", '"', "?", ".", "[]", "_"]
_WORDS += [
    "x,y,z",
    "1/0",
    "loop_",
    "data_",
    "__import__('os').getpid()",
    "0.5(3)",
    "{",
    "((((",
    "T",
    "#",
    ";",
    "\0",
    "é",
]
_WORDS += ["loop_"]
_CHARACTERS = ["'", '"', "[", "]", "{", "}", "(", ")", ",", ":", ";", "-", "e", "9", ".", " ", "\t", "\r", "\0", "\n"]
_CHARACTERS += ["\ud800"]
