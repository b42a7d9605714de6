"""Plain values out of a pickle, whose program is not run.

A pickle is a program for a machine with a stack, and some of its instructions import names and call them. Python's
`pickletools.genops` only parses them. Here the instructions that build plain values are followed, and the pattern in
which numpy writes a scalar, which becomes a number of Python's. A name in the file is text to be compared with the few
we know: nothing is imported, looked up, called or set that a file names. Whatever else is in it is refused.
"""

import io
import pickletools
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any

from stages.shared.sources.files import BrokenFile, read_bytes
from stages.shared.sources.record import shortened

_SCALAR_NAMES = frozenset({"numpy.core.multiarray scalar", "numpy._core.multiarray scalar"})
_BYTES_NAMES = frozenset({"builtins bytes", "__builtin__ bytes"})
_NAMES = _SCALAR_NAMES | _BYTES_NAMES | {"numpy dtype", "_codecs encode"}
"""Module and name of what numpy's scalars, and bytes before protocol 3, are written with."""
_DTYPES = {"i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q", "f2": "e", "f4": "f", "f8": "d"}
_FORMATS = {order + dtype: order + letter for order in "<>" for dtype, letter in _DTYPES.items()}
_FORMATS |= {"|b1": "?", "|i1": "b", "|u1": "B"}
"""How the module `struct` calls numpy's numbers, by byte order and dtype."""
_RUNNING = frozenset({"INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID"})
_RUNNING |= {"NEXT_BUFFER", "READONLY_BUFFER"}
_NEWEST_PROTOCOL = 5
_KEYS = (str, bytes, bool, int, float, NoneType)
_LARGEST_KEY = 1 << 60
"""Larger integers may have one hash in their thousands, which makes a dictionary slow."""
_DEEPEST = 100
"""Levels of nesting; what contains itself has no end of them."""
_LARGEST = 50_000_000
"""Values and characters, written out: few bytes can name one list so often that it would fill the memory."""


def read_pickled_list(path: Path) -> list[Any]:
    """Return the list of plain values in a pickle, which may be packed as `.gz` or `.zip`.

    Raises:
        BrokenFile: damaged, no list, or anything in it that is no plain value.
    """
    try:
        value = plain_value(read_bytes(path))
    except BrokenFile as error:
        raise BrokenFile(f"{path.name} cannot be used: {error}") from None
    if not isinstance(value, list):
        raise BrokenFile(f"{path.name} is no list")
    return value


def plain_value(content: bytes) -> Any:
    """Return what a pickle of any protocol holds, out of None, booleans, numbers, text, bytes, lists, tuples and dicts.

    Keys are numbers or text, not tuples; integers have up to 255 bytes.

    Raises:
        BrokenFile: damaged, or anything else in it; the message says what and where.
    """
    machine, stream, position = _Machine(), io.BytesIO(content), 0
    try:
        for instruction, argument, place in pickletools.genops(stream):
            position = place or 0
            step = _STEPS.get(instruction.name)
            if step is None:
                harm = "might run something" if instruction.name in _RUNNING else "no plain value needs"
                raise BrokenFile(f"it holds {instruction.name}, which {harm}")
            step(machine, argument)
        (value,) = machine.stack
        if machine.marks or stream.read(1):
            raise BrokenFile("it goes on behind its end")
    except BrokenFile as error:
        raise BrokenFile(f"{error} (at byte {position})") from None
    except (IndexError, KeyError, ValueError, struct.error):
        raise BrokenFile(f"it is damaged or breaks off behind byte {position}") from None
    _measure(value, 0, {})
    return value


@dataclass(frozen=True)
class _Name:
    """Module and name, as in `_NAMES`, of something that the file would import."""

    text: str


@dataclass
class _Dtype:
    """A dtype of numpy's as the file writes it; its byte order comes after it."""

    code: str
    order: str = ""

    def number(self, content: bytes) -> bool | int | float:
        """Return the scalar of these bytes."""
        name = self.order + self.code
        if name not in _FORMATS:
            raise BrokenFile(f"it holds a scalar of dtype {shortened(name)}, which is no plain number")
        (number,) = struct.unpack(_FORMATS[name], content)
        return number


class _Machine:
    """The stack, what was on it below each open mark, and the memo of values that come again."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def check_protocol(self, protocol: int) -> None:
        if protocol > _NEWEST_PROTOCOL:
            raise BrokenFile(f"it is of protocol {protocol}, which is newer than we know")

    def mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def last(self, count: int) -> list[Any]:
        """Take so many values off the stack."""
        return [self.stack.pop() for _ in range(count)][::-1]

    def extend(self, items: list[Any]) -> None:
        """Add to the list on top of the stack."""
        if type(self.stack[-1]) is not list:
            raise BrokenFile("it appends to what is no list")
        self.stack[-1].extend(items)

    def fill(self, items: list[Any]) -> None:
        """Add keys and values, in turn, to the dictionary on top of the stack."""
        if type(self.stack[-1]) is not dict:
            raise BrokenFile("it sets items of what is no dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) not in _KEYS or (isinstance(key, int) and abs(key) >= _LARGEST_KEY):
                raise BrokenFile(f"it has a key that is neither text nor a usual number: {type(key).__name__}")
            self.stack[-1][key] = value

    def dictionary(self) -> None:
        items = self.since_mark()
        self.push({})
        self.fill(items)

    def remember(self, place: int | None = None) -> None:
        self.memo[len(self.memo) if place is None else place] = self.stack[-1]

    def name(self, text: str) -> None:
        """Push a name of a module, with a blank before that of its member, which is not looked up."""
        if text not in _NAMES:
            raise BrokenFile(f"it names {shortened(text)}, which might run something")
        self.push(_Name(text))

    def name_on_stack(self) -> None:
        module, member = self.last(2)
        if not isinstance(module, str) or not isinstance(member, str):
            raise BrokenFile("it names something by what is no text, which might run something")
        self.name(f"{module} {member}")

    def call(self) -> None:
        """Do what a call of a known name would, where its arguments are what numpy and Python write."""
        name, arguments = self.last(2)
        text = name.text if isinstance(name, _Name) else type(name).__name__
        match (text, *arguments) if isinstance(arguments, tuple) else ():
            case ("numpy dtype", str(code), 0, 1):
                self.push(_Dtype(code))
            case (str(), _Dtype() as dtype, bytes(content)) if text in _SCALAR_NAMES:
                self.push(dtype.number(content))
            case ("_codecs encode", str(encoded), "latin1"):
                self.push(encoded.encode("latin1"))
            case (str(),) if text in _BYTES_NAMES:
                self.push(b"")
            case _:
                raise BrokenFile(f"it calls {shortened(text)} in a way of its own, which might run something")

    def build(self) -> None:
        """Take the byte order out of the state of a dtype."""
        dtype, state = self.last(2)
        match dtype, state:
            case _Dtype(), (3, str(order), None, None, None, -1, -1, 0):
                dtype.order = order
            case _:
                raise BrokenFile("it sets the state of an object in a way of its own, which might run something")
        self.push(dtype)


_Step = Callable[[_Machine, Any], None]


def _pushing(*instructions: str) -> dict[str, _Step]:
    return dict.fromkeys(instructions, _Machine.push)


_STEPS: Mapping[str, _Step] = {
    **dict.fromkeys(("FRAME", "STOP"), lambda machine, _: None),
    "PROTO": _Machine.check_protocol,
    **_pushing("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "FLOAT", "BINFLOAT"),
    **_pushing("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    **_pushing("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "MARK": lambda machine, _: machine.mark(),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "LIST": lambda machine, _: machine.push(machine.since_mark()),
    "APPEND": lambda machine, _: machine.extend(machine.last(1)),
    "APPENDS": lambda machine, _: machine.extend(machine.since_mark()),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "TUPLE1": lambda machine, _: machine.push(tuple(machine.last(1))),
    "TUPLE2": lambda machine, _: machine.push(tuple(machine.last(2))),
    "TUPLE3": lambda machine, _: machine.push(tuple(machine.last(3))),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.since_mark())),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "DICT": lambda machine, _: machine.dictionary(),
    "SETITEM": lambda machine, _: machine.fill(machine.last(2)),
    "SETITEMS": lambda machine, _: machine.fill(machine.since_mark()),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.remember),
    "MEMOIZE": lambda machine, _: machine.remember(),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda machine, place: machine.push(machine.memo[place])),
    "GLOBAL": _Machine.name,
    "STACK_GLOBAL": lambda machine, _: machine.name_on_stack(),
    "REDUCE": lambda machine, _: machine.call(),
    "BUILD": lambda machine, _: machine.build(),
}
"""What each instruction does; all others are refused."""


def _measure(value: Any, depth: int, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """Return how many values and characters a value takes written out, and how many levels of lists are in it.

    Args:
        value: as it was found.
        depth: levels around it.
        known: what was returned for each list, tuple or dictionary, by its identity.

    Raises:
        BrokenFile: too much of either, or something in it that is no plain value.
    """
    if isinstance(value, str | bytes):
        return 1 + len(value), 0
    if type(value) in _KEYS:
        return 1, 0
    if type(value) not in (list, tuple, dict):
        raise BrokenFile("it holds a part of a numpy scalar by itself, which is no plain value")
    if id(value) not in known and depth < _DEEPEST:
        parts = [*value, *value.values()] if isinstance(value, dict) else value
        measures = [_measure(part, depth + 1, known) for part in parts]
        levels = 1 + max((levels for _, levels in measures), default=0)
        known[id(value)] = (1 + sum(size for size, _ in measures), levels)
    size, levels = known.get(id(value), (0, 1))
    if depth + levels > _DEEPEST:
        raise BrokenFile(f"it has more than {_DEEPEST} levels of lists, or one that contains itself")
    if size > _LARGEST:
        raise BrokenFile(f"written out it would take more than {_LARGEST} values and characters")
    return size, levels
