from __future__ import annotations

import os
import pickle
import pickletools
import random
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.fuzz import mutate_pickle, read_pickled_forest
from predictor_core.errors import PackError
from predictor_core.legacy import pickle_reader
from predictor_core.legacy.pickle_reader import KNOWN_NAMES, Record, parse_pickle, read_pickle
from predictor_core.legacy.sklearn_forest import parse_forest

PICKLES = Path(__file__).parent / "pickles"


class Attack:
    def __init__(self, called: Any, *args: Any) -> None:
        self.call = called, args

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_are_read_as_pickle_reads_them(protocol: int) -> None:
    value = [
        1,
        -5,
        2**31 - 1,
        2**40,
        0.1,
        None,
        True,
        False,
        "é",
        "x" * 300,
        (1,),
        (1, 2, 3, 4),
        {"a": {"b": [(), ""]}},
    ]

    assert parse_pickle(pickle.dumps(value, protocol=protocol)) == value


def test_bytes_are_not_copied() -> None:
    content = pickle.dumps(b"y" * 1000, protocol=4)

    read = parse_pickle(content)

    assert isinstance(read, memoryview)
    assert bytes(read) == b"y" * 1000
    assert read.obj is content


def test_objects_become_records_and_nothing_is_called() -> None:
    record = parse_pickle(pickle.dumps(np.float64(1.5), protocol=4))

    assert isinstance(record, Record)
    assert record.type == "scalar"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "attack",
    [
        lambda marker: Attack(os.system, f"touch {marker}"),
        lambda marker: Attack(eval, f"open({str(marker)!r}, 'w')"),
        lambda marker: [1, {"deep": ("in", Attack(os.mkdir, str(marker)))}],
    ],
)
def test_attacks_are_refused_and_not_executed(attack: Any, protocol: int, tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    path = tmp_path / "attack.pkl"
    path.write_bytes(pickle.dumps(attack(marker), protocol=protocol))

    with pytest.raises(PackError, match=r"attack\.pkl is refused"):
        read_pickle(path)

    assert not marker.exists()
    assert pickle.loads(path.read_bytes()) is not None  # the attack is a real one


def test_the_refused_name_is_in_the_message() -> None:
    with pytest.raises(PackError, match=r"collections\.OrderedDict, which is no part of a random forest"):
        parse_pickle(pickle.dumps(OrderedDict(), protocol=4))


def test_every_known_name_is_inert() -> None:
    for module, name in KNOWN_NAMES:
        record = parse_pickle(f"c{module}\n{name}\n)R(NNNtb.".encode())

        assert isinstance(record, Record)
        assert record.type == name
        assert record.state == (None, None, None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "truncated or malformed"),
        (b"\x80\x04", "truncated or malformed"),
        (b"\x80\x04N", "truncated or malformed"),
        (b"N.N.", "2 bytes follow its end"),
        (b"NN.", "does not leave one object"),
        (b"(.", "does not leave one object"),
        (b"\x80\x00N.", "protocol 0"),
        (b"t.", "malformed"),
        (b"Nt.", "a mark is missing"),
        (b"\x86.", "truncated or malformed"),
        (b"(N\x86.", "an object is missing"),
        (b"NN\x85R.", "expected a name"),
        (b"]NR.", "expected a tuple"),
        (b"h\x05.", "truncated or malformed"),
        (b"}K\x01K\x02s.", "not a string"),
        (b"}(K\x01u.", "not a string"),
        (b"NNa.", "expected a list"),
        (b"NNb.", "expected a record"),
        (b"cnumpy\ndtype\n)R)b)b.", "two states"),
        (b"B\xff\xff\xff\xffabc.", "expected 4294967295 bytes"),
        (b"\x8e" + struct.pack("<Q", 2**63) + b"abc.", "truncated"),
        (b"X\x02\x00\x00\x00\xff\xff.", "truncated or malformed"),
        (b"c" + b"x" * 1000, "truncated or malformed"),
        (b"I1\n.", "opcode 0x49"),
        (b"Pid\n.", "opcode 0x50"),
    ],
)
def test_malformed_pickles_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(PackError, match=message):
        parse_pickle(content)


def test_huge_memo_indices_take_no_memory() -> None:
    assert parse_pickle(b"Nr\xff\xff\xff\xff.") is None


def test_shared_structure_is_read_in_linear_time() -> None:
    # Each tuple holds the one before twice: 2**60 leaves when expanded.
    content = b"N" + b"".join(b"\x94h" + bytes([i]) + b"\x86" for i in range(60))
    value = parse_pickle(content + b".")

    assert isinstance(value, tuple)


@pytest.mark.parametrize(
    "content",
    [
        b"N" + b"\x85" * 300_000,
        b"]" * 300_000 + b"a" * 299_999,
        b"cnumpy\ndtype\nq\x00" + b"q\x01\x85q\x01h\x00h\x01R" * 100_000,
    ],
    ids=["tuples", "lists", "calls"],
)
def test_deep_nesting_does_not_overflow_the_stack(content: bytes) -> None:
    with pytest.raises(PackError):
        parse_forest(content + b".")


def test_opcodes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_reader, "MAX_OPCODES", 100)

    with pytest.raises(PackError, match="more than 100 opcodes"):
        parse_pickle(b"N" * 101 + b".")


def test_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "big.pkl"
    path.write_bytes(b"N.")
    monkeypatch.setattr(pickle_reader, "MAX_PICKLE_BYTES", 1)

    with pytest.raises(PackError, match="at most 1"):
        read_pickle(path)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"absent\.pkl can't be read: No such file"):
        read_pickle(tmp_path / "absent.pkl")


def test_the_reader_knows_every_opcode_of_real_forests() -> None:
    for path in PICKLES.glob("*.pkl"):
        content = path.read_bytes()
        assert sum(1 for _ in pickletools.genops(content)) > 100
        assert parse_pickle(content).type == "RandomForestRegressor"


def test_mutated_forests_are_read_or_refused() -> None:
    rng = random.Random(20)
    pickles = [path.read_bytes() for path in sorted(PICKLES.glob("*.pkl"))]

    accepted = sum(read_pickled_forest(mutate_pickle(pickles, rng), Path()) for _ in range(1000))

    assert 20 < accepted < 500
