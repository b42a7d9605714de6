"""A pickle gives what Python's own `pickle` gives where that is plain values, and a reason in all other cases."""

import builtins
import gzip
import io
import os
import pickle
import pickletools
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.shared.sources.files import BrokenFile
from stages.shared.sources.plain_pickle import plain_value, read_pickled_list
from tests.stages.raw_records import jarvis_atoms

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)

_numbers = st.booleans() | st.integers(-(2**2000), 2**2000) | st.floats(allow_nan=False)
_numpy_scalars = st.one_of(
    st.booleans().map(np.bool_),
    st.floats(allow_nan=False).map(np.float64),
    st.floats(width=32, allow_nan=False).map(np.float32),
    st.floats(width=16, allow_nan=False).map(np.float16),
    st.integers(-(2**63), 2**63 - 1).map(np.int64),
    st.integers(-(2**31), 2**31 - 1).map(np.int32),
    st.integers(0, 2**16 - 1).map(np.uint16),
    st.integers(-128, 127).map(np.int8),
)
_leaves = st.none() | _numbers | st.text(st.characters()) | st.binary() | _numpy_scalars
_keys = st.none() | st.booleans() | st.integers(-(2**59), 2**59) | st.floats(allow_nan=False) | st.text() | st.binary()
_values = st.recursive(
    _leaves,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(_keys, inner),
)


def _as_plain(value: Any) -> Any:
    """Turn numpy's scalars into Python's, anywhere in a value."""
    match value:
        case np.generic():
            return value.item()
        case dict():
            return {_as_plain(key): _as_plain(item) for key, item in value.items()}
        case list() | tuple():
            return type(value)(_as_plain(item) for item in value)
    return value


@settings(max_examples=300, deadline=None)
@given(value=_values, protocol=st.sampled_from(PROTOCOLS), shorten=st.sampled_from([bytes, pickletools.optimize]))
def test_plain_values_come_as_from_pythons_own_pickle(
    value: Any, protocol: int, shorten: Callable[[bytes], bytes]
) -> None:
    assert repr(plain_value(shorten(pickle.dumps(value, protocol)))) == repr(_as_plain(value))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_named_twice_is_one_object(protocol: int) -> None:
    shared: dict[str, Any] = {"props": [np.float64(1.5), "é", b"\xff", (), (1, 2)]}
    found = plain_value(pickle.dumps([shared, (shared, shared["props"])], protocol))
    assert found == [shared, (shared, shared["props"])]
    assert found[0] is found[1][0]
    assert found[0]["props"] is found[1][1]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_more_items_than_one_batch_holds(protocol: int) -> None:
    value = [{str(number): number for number in range(3001)}, list(range(-70_000, 70_000, 7)), tuple(range(5000))]
    assert plain_value(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("number", [float("nan"), np.float64("nan"), np.float32("nan")])
def test_not_a_number_stays_so(number: float) -> None:
    assert repr(plain_value(pickle.dumps(number))) == "nan"


def test_scalars_of_older_numpys_and_of_other_machines() -> None:
    written = pickle.dumps(np.float64(1.5), 0)
    older = written.replace(b"numpy._core", b"numpy.core").replace(b"I00\nI01\n", b"I0\nI1\n")
    assert older != written
    assert plain_value(older) == 1.5
    big = pickle.dumps(np.float64(1.5)).replace(np.float64(1.5).tobytes(), np.array(1.5, ">f8").tobytes())
    assert plain_value(big.replace(b"\x8c\x01<", b"\x8c\x01>")) == 1.5


class _Call:
    """Becomes a call when it is unpickled."""

    def __init__(self, function: Callable[..., Any], *arguments: Any, state: Any = None) -> None:
        self.reduced = (function, arguments, state)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.reduced


RUN = "touch it_ran"
EVALUATE = "__import__('os').system('touch it_ran')"
CALLS = {
    "system": _Call(os.system, RUN),
    "eval": _Call(builtins.eval, EVALUATE),
    "exec": _Call(builtins.exec, EVALUATE),
    "nested": [{"id": "mp-1", "atoms": {"elements": ["Na", _Call(os.system, RUN)]}}],
    "a key": {_Call(os.system, RUN): 1},
    "an argument of a scalar": _Call(np.float64(1).__reduce__()[0], np.dtype("f8"), _Call(os.system, RUN)),  # type: ignore[index]
    "an argument of encode": _Call(__import__("_codecs").encode, _Call(os.system, RUN), "latin1"),
    "behind getattr": _Call(getattr, _Call(__import__, "os"), "system"),
    "a path": _Call(Path.touch, Path("it_ran")),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", CALLS)
def test_nothing_a_pickle_calls_is_called(
    name: str, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BrokenFile, match=r"might run something \(at byte \d+\)"):
        plain_value(pickle.dumps([1, CALLS[name]], protocol))
    assert not Path("it_ran").exists()


def test_the_calls_of_these_tests_do_run_where_a_pickle_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(CALLS["nested"]))  # noqa: S301 - the reason for all this
    assert Path("it_ran").exists()


DTYPE = b"cnumpy\ndtype\n(Vf8\nI00\nI01\ntR"
STATE = b"(I3\nV<\nNNNI-1\nI-1\nI0\nt"
RUNNING = {
    "GLOBAL": (b"cthis\ns\n.", "it names 'this s'"),
    "STACK_GLOBAL": (b"\x8c\x04this\x8c\x01s\x93.", "it names 'this s'"),
    "STACK_GLOBAL of a number": (b"K\x01\x8c\x01s\x93.", "by what is no text"),
    "STACK_GLOBAL of a name": (b"cnumpy\ndtype\n\x8c\x01s\x93.", "by what is no text"),
    "GLOBAL of a relative": (b"cnumpy\nndarray\n.", "it names 'numpy ndarray'"),
    "INST": (b"(Vtouch it_ran\nios\nsystem\n.", "it holds INST"),
    "OBJ": (b"(cnumpy\ndtype\nVf8\no.", "it holds OBJ"),
    "NEWOBJ": (b"cnumpy\ndtype\n(Vf8\nt\x81.", "it holds NEWOBJ"),
    "NEWOBJ_EX": (b"cnumpy\ndtype\n(Vf8\nt}\x92.", "it holds NEWOBJ_EX"),
    "EXT1": (b"\x82\x01.", "it holds EXT1"),
    "EXT2": (b"\x83\x01\x00.", "it holds EXT2"),
    "EXT4": (b"\x84\x01\x00\x00\x00.", "it holds EXT4"),
    "PERSID": (b"Psomething\n.", "it holds PERSID"),
    "BINPERSID": (b"Vsomething\nQ.", "it holds BINPERSID"),
    "NEXT_BUFFER": (b"\x97.", "it holds NEXT_BUFFER"),
    "READONLY_BUFFER": (b"N\x98.", "it holds READONLY_BUFFER"),
    "BUILD of a dictionary": (b"}}b.", "it sets the state"),
    "BUILD of a name": (b"cnumpy\ndtype\n}b.", "it sets the state"),
    "BUILD with another state": (DTYPE + b"(I4\nV<\nNNNI-1\nI-1\nI0\n}tb.", "it sets the state"),
    "REDUCE of a text": (b"Vnumpy dtype\n(Vf8\nI00\nI01\ntR.", "it calls 'str'"),
    "REDUCE of a list": (b"](tR.", "it calls 'list'"),
    "REDUCE with no tuple": (b"cnumpy\ndtype\n]R.", "it calls 'numpy dtype'"),
    "REDUCE of a dtype": (DTYPE + b"(tR.", "it calls '_Dtype'"),
    "dtype with fields": (b"cnumpy\ndtype\n(]((Vx\nVf8\nteI00\nI01\ntR.", "it calls 'numpy dtype'"),
    "scalar without bytes": (b"cnumpy.core.multiarray\nscalar\n(" + DTYPE + STATE + b"btR.", "it calls 'numpy.core"),
    "encode with another codec": (b"c_codecs\nencode\n(Vaa\nVhex\ntR.", "it calls '_codecs encode'"),
    "bytes of a length": (b"cbuiltins\nbytes\n(I9999999999\ntR.", "it calls 'builtins bytes'"),
}


@pytest.mark.parametrize("name", RUNNING)
def test_whatever_might_run_something_is_named(name: str) -> None:
    content, found = RUNNING[name]
    with pytest.raises(BrokenFile, match=rf"{found}.* might run something \(at byte \d+\)"):
        plain_value(content)
    assert "this" not in sys.modules


def _scalar(order: bytes, dtype: bytes, content: bytes) -> bytes:
    head = b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(V" + dtype + b"\nI00\nI01\ntR(I3\nV" + order
    return head + b"\nNNNI-1\nI-1\nI0\ntbC" + bytes([len(content)]) + content + b"tR."


DAMAGED = {
    "nothing": (b"", "breaks off"),
    "no pickle": (b'[{"id": "mp-1"}]', "damaged"),
    "a protocol of the future": (b"\x80\x06N.", "it is of protocol 6"),
    "an unknown instruction": (b"\xff.", "damaged"),
    "no end": (b"]", "breaks off"),
    "an end without a value": (b".", "damaged"),
    "two values": (b"NN.", "damaged"),
    "an open mark": (b"(N.", "goes on behind its end"),
    "a second pickle": (b"N.N.", "goes on behind its end"),
    "an empty stack": (b"a.", "damaged"),
    "a stack that ends at a mark": (b"](a.", "damaged"),
    "no mark": (b"NNt.", "damaged"),
    "too few for a tuple": (b"N\x87.", "damaged"),
    "an unknown place": (b"h\x05.", "damaged"),
    "nothing to remember": (b"q\x00.", "damaged"),
    "a key without a value": (b"}(Nu.", "damaged"),
    "a list as key": (b"}]Ns.", "a key that is neither text nor a usual number: list"),
    "a tuple as key": (b"})Ns.", "a key that is neither text nor a usual number: tuple"),
    "a huge number as key": (b"}L" + b"9" * 30 + b"\nNs.", "a key that is neither text nor a usual number: int"),
    "an item of a tuple": (b")Na.", "it appends to what is no list"),
    "items of a dictionary": (b"}(NNe.", "it appends to what is no list"),
    "a key of a list": (b"]NNs.", "it sets items of what is no dictionary"),
    "text that is no UTF-8": (b"X\x01\x00\x00\x00\xff.", "damaged"),
    "text without an end": (b"X\xff\xff\xff\x7fabc", "damaged"),
    "bytes without an end": (b"\x8e" + b"\xff" * 7 + b"\x7fabc", "damaged"),
    "bytes that are no Latin-1": (b"c_codecs\nencode\n(V\\u0100\nVlatin1\ntR.", "damaged"),
    "a number that is none": (b"Ix\n.", "damaged"),
    "a number of 5000 digits": (b"I" + b"9" * 5000 + b"\n.", "damaged"),
    "a number of 300 bytes": (b"\x8b\x2c\x01\x00\x00" + b"\x01" * 300 + b".", "it holds LONG4"),
    "a set": (b"\x8f.", "it holds EMPTY_SET, which no plain value needs"),
    "text of Python 2": (b"S'abc'\n.", "it holds STRING, which no plain value needs"),
    "a dtype": (DTYPE + STATE + b"b.", "it holds a part of a numpy scalar by itself"),
    "a name in a list": (b"(cnumpy\ndtype\nl.", "it holds a part of a numpy scalar by itself"),
    "too few bytes": (_scalar(b"<", b"f8", b"1234"), "damaged"),
    "too many bytes": (_scalar(b"<", b"f8", b"1" * 9), "damaged"),
    "no byte order": (_scalar(b"|", b"f8", b"1" * 8), r"dtype '\|f8', which is no plain number"),
    "objects": (_scalar(b"|", b"O", b"1"), r"dtype '\|O', which is no plain number"),
    "a complex number": (_scalar(b"<", b"c16", b"1" * 16), "dtype '<c16', which is no plain number"),
    "a date": (_scalar(b"<", b"M8", b"1" * 8), "dtype '<M8', which is no plain number"),
    "a dtype of nonsense": (_scalar(b"\\u000a", b"\\u000a" * 99, b""), "which is no plain number"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_pickle_says_so(name: str) -> None:
    content, reason = DAMAGED[name]
    with pytest.raises(BrokenFile, match=reason) as broken:
        plain_value(content)
    assert "\n" not in str(broken.value)
    assert len(str(broken.value)) < 200


def _nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_lists_may_be_a_hundred_deep() -> None:
    assert plain_value(pickle.dumps(_nested(100))) == _nested(100)
    for levels in (101, 300):
        with pytest.raises(BrokenFile, match="more than 100 levels"):
            plain_value(pickle.dumps(_nested(levels)))
    with pytest.raises(BrokenFile, match="more than 100 levels"):
        plain_value(b"(" * 200_000 + b"t" * 200_000 + b".")
    chain = [_nested(1)]
    for _ in range(200):
        chain.append([chain[-1]])  # each is short, seen from the one before
    with pytest.raises(BrokenFile, match="more than 100 levels"):
        plain_value(pickle.dumps(chain))


def test_what_contains_itself_is_refused() -> None:
    endless: list[Any] = [[1, 2]]
    endless.append({"me": endless})
    with pytest.raises(BrokenFile, match="contains itself"):
        plain_value(pickle.dumps(endless))


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_few_bytes_cannot_stand_for_more_than_memory_holds(kind: type) -> None:
    value: Any = kind(["x" * 20])
    for _ in range(60):
        value = kind([value, value])
    assert len(pickle.dumps(value)) < 1000
    with pytest.raises(BrokenFile, match="more than 50000000 values and characters"):
        plain_value(pickle.dumps(value))


class _Restricted(pickle._Unpickler):  # type: ignore[misc,name-defined]
    """Python's own reader, for pickles in which ours has found nothing but plain values.

    It is the slow one: the one in C makes room for as many values as a number in the file says.
    """

    def find_class(self, module: str, name: str) -> Any:
        assert f"{module} {name}" in (
            "numpy.core.multiarray scalar",
            "numpy._core.multiarray scalar",
            "numpy dtype",
            "_codecs encode",
            "builtins bytes",
        )
        return super().find_class(module, name)


def _outcome(content: bytes) -> str:
    """Return "a value", or why there is none; a value must be the one that Python reads, if it reads any."""
    try:
        found = plain_value(content)
    except BrokenFile as error:
        return str(error)
    try:
        expected = _Restricted(io.BytesIO(content)).load()
    except (pickle.UnpicklingError, ValueError, TypeError, EOFError):
        return "a value"  # ours forgives a wrong length of a frame, and blanks in numbers
    assert repr(found) == repr(_as_plain(expected))
    return "a value"


RECORDS = [
    {
        "id": f"mp-{number}",
        "atoms": jarvis_atoms(),
        "bulk modulus": np.float64(number / 7),
        "shear modulus": np.float32(number),
        "count": (np.int64(number), number, b"\xff\x00", None, True, np.bool_(True)),
    }
    for number in range(2)
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_changed_bytes_give_a_plain_value_or_a_reason(protocol: int) -> None:
    content, random = pickle.dumps(RECORDS, protocol), np.random.RandomState(protocol)
    outcomes = []
    for _ in range(2500):
        changed = bytearray(content)
        for _ in range(random.randint(1, 4)):
            place = random.randint(len(changed))
            match random.randint(4):
                case 0:
                    changed[place] = random.randint(256)
                case 1:
                    changed[place] = content[random.randint(len(content))]
                case 2:
                    del changed[place : place + random.randint(1, 4)]
                case 3:
                    changed[place:place] = content[place : place + random.randint(1, 20)]
        outcomes.append(_outcome(bytes(changed)))
    assert 10 < outcomes.count("a value") < 1000
    assert all(outcome and "\n" not in outcome for outcome in outcomes)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_break_gives_a_reason(protocol: int) -> None:
    content = pickle.dumps(RECORDS, protocol)
    for length in range(len(content)):
        with pytest.raises(BrokenFile):
            plain_value(content[:length])


_pieces = st.sampled_from(
    [
        *(bytes([code]) for code in b"NttllddeausR00b()]}.\x85\x86\x87\x88\x89\x94\x93\x81"),
        *(b"q" + bytes([place]) for place in range(3)),
        *(b"h" + bytes([place]) for place in range(4)),
        *(
            b"K\x03",
            b"G" + bytes(8),
            b"Vlatin1\n",
            b"V<\n",
            b"Vf8\n",
            b"C\x08" + bytes(8),
            b"C\x00",
            b"I00\n",
            b"I01\n",
        ),
        *(b"cnumpy\ndtype\n", b"cnumpy.core.multiarray\nscalar\n", b"c_codecs\nencode\n", b"cbuiltins\nbytes\n"),
        *(DTYPE, STATE, DTYPE + STATE + b"b", _scalar(b"<", b"f8", bytes(8))[:-1], b"cos\nsystem\n"),
    ]
)


@settings(max_examples=1500, deadline=None)
@given(pieces=st.lists(_pieces, max_size=25))
def test_any_program_gives_a_plain_value_or_a_reason(pieces: list[bytes]) -> None:
    _outcome(b"".join(pieces) + b".")


def test_a_list_may_be_packed_and_what_is_none_names_its_file(tmp_path: Path) -> None:
    path, content = tmp_path / "list.pkl", pickle.dumps(RECORDS)
    path.write_bytes(content)
    assert read_pickled_list(path) == _as_plain(RECORDS)
    with gzip.open(tmp_path / "list.pkl.gz", "wb") as packed:
        packed.write(content)
    with zipfile.ZipFile(tmp_path / "list.pkl.zip", "w") as archive:
        archive.writestr("anything", content)
    for suffix in (".gz", ".zip"):
        assert read_pickled_list(tmp_path / f"list.pkl{suffix}") == _as_plain(RECORDS)
    (tmp_path / "list.pkl.gz").write_bytes((tmp_path / "list.pkl.gz").read_bytes()[:-20])
    with pytest.raises(BrokenFile, match=r"list\.pkl\.gz cannot be "):
        read_pickled_list(tmp_path / "list.pkl.gz")
    path.write_bytes(pickle.dumps({"id": "mp-1"}))
    with pytest.raises(BrokenFile, match=r"list\.pkl is no list"):
        read_pickled_list(path)
    path.write_bytes(pickle.dumps(CALLS["nested"]))
    with pytest.raises(
        BrokenFile, match=r"list\.pkl cannot be used: it names 'posix system', which might run something"
    ):
        read_pickled_list(path)
