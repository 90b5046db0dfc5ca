"""Feed mutated files to everything that reads files of others: refused or read, within the budgets.

    python benchmarks/fuzz.py --minutes 10 [--seed 0] [--only onnx pickle ...]

Each kind of file runs in a process of its own under limits of memory, so that a crash is counted and named.
Reported is what left as anything else than an error of the package, on one line, in time. Exits with 1 where
there is any.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from predictor_core import load_latency_predictor, zoo
from predictor_core.budget import current
from predictor_core.catalog.registry import check_entry
from predictor_core.errors import PackError, PredictorError
from predictor_core.forest import Forest, load_pack, save_pack
from predictor_core.forest.forest import Tree
from predictor_core.frontends.nnmeter_ir import to_document
from predictor_core.legacy.compact import CompactForests
from predictor_core.legacy.sklearn_forest import parse_forest
from predictor_core.text import MAX_LINE
from predictor_core.yaml_files import read_yaml

ROOT = Path(__file__).resolve().parents[1]
FIXTURES = ROOT / "tests" / "fixtures"
PICKLES = ROOT / "tests" / "predictor_core" / "legacy" / "pickles"

#: Larger files of a format are no seeds: their weights would take all mutations.
MAX_SEED_BYTES = 400_000
#: Address space of a process that reads mutated files.
MEMORY_BYTES = 4 * 2**30

#: Numbers that break what is not checked.
NUMBERS = (0, 1, -1, 2, 3, 4097, 2**31 - 1, 2**31, 2**40, 2**62, -(2**63), 1e308, float("inf"), float("nan"))
WORDS = ("", "x", "conv", "lstm", "Einsum", "\n[RESULT]", "\x1b[2J", "a" * 3000, "../..", "\u202e")


class Target(NamedTuple):
    """One kind of file.

    Parameters
    ----------
    seeds : callable
        Returns sound files.
    mutate : callable
        (seeds, random source) -> a file with faults.
    attempt : callable
        (content, a folder to write it to) -> whether it was read; anything but a `PredictorError` is a leak.
    """

    seeds: Callable[[], Sequence[bytes]]
    mutate: Callable[[Sequence[bytes], random.Random], bytes]
    attempt: Callable[[bytes, Path], bool]


class Outcome(NamedTuple):
    """What came of some cases of one target."""

    cases: int
    read: int
    slowest_s: float
    leaks: list[str]


#: Opcodes and operands that reach rare paths: calls, sizes near the limits, attacks in every protocol.
TOKENS = (
    *(
        b"R",
        b"\x81",
        b"b",
        b"0",
        b"1",
        b"2",
        b"(",
        b".",
        b"t",
        b"e",
        b"u",
        b"s",
        b"a",
        b"N",
        b"]",
        b"}",
        b")",
        b"Q",
    ),
    *(
        b"\x85",
        b"\x86",
        b"\x87",
        b"\x88",
        b"\x93",
        b"\x94",
        b"\x97",
        b"\x98",
        b"\x82\x01",
        b"\x80\x05",
        b"P1\n",
    ),
    *(b"h\x00", b"h\xff", b"j\xff\xff\xff\xff", b"r\xff\xff\xff\xff", b"K\xff", b"I1\n", b"S'x'\n"),
    *(b"cos\nsystem\n", b"cbuiltins\neval\n", b"inumpy\nndarray\n"),
    *(b"J\xff\xff\xff\xff", b"J\xff\xff\xff\x7f", b"G\x7f\xf8\x00\x00\x00\x00\x00\x00", b"\x8a\xff"),
    *(b"B\xff\xff\xff\xff", b"X\xff\xff\xff\x7f", b"\x8b\xff\xff\xff\x7f"),
    *(b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x96\x00\x00\x00\x00\x00\x00\x00\x80"),
    b"\x95\xff\xff\xff\xff\xff\xff\xff\xff",
)


def mutate_pickle(pickles: Sequence[bytes], rng: random.Random) -> bytes:
    """Return one of `pickles` with a few random changes."""
    data = bytearray(rng.choice(pickles))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        # Most of a pickle is raw array content; the opcodes stand in its first part and between arrays.
        at = rng.randrange(max(1, len(data)))
        if rng.random() < 0.5:
            at = min(at, rng.randrange(1, 1500))
        kind = rng.randrange(7)
        if kind == 0:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            data[at : at + 1] = bytes([data[at] ^ (1 << rng.randrange(8))]) if at < len(data) else b""
        elif kind == 2:
            del data[at : at + rng.choice((1, 2, 4, 30, 400))]
        elif kind == 3:
            data[at:at] = rng.choice(TOKENS)
        elif kind == 4:
            token = rng.choice(TOKENS)
            data[at : at + len(token)] = token
        elif kind == 5:
            other = rng.choice(pickles)
            start = rng.randrange(len(other))
            data[at:at] = other[start : start + rng.choice((1, 8, 100))]
        else:
            del data[at:]
    return bytes(data)


def read_pickled_forest(content: bytes, folder: Path) -> bool:
    """Read one pickle and, where it is accepted, evaluate its forest; return whether it was accepted."""
    try:
        forest = parse_forest(content)
        rows = np.zeros((2, forest.n_features), dtype=np.float32)
        CompactForests.from_pickled([("forest", forest)]).predict({"forest": rows})
    except PackError:
        return False
    return True


def mutate_bytes(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return one of `seeds` with wrong bytes, wrong numbers, and pieces cut, doubled or swapped."""
    data = rng.choice(seeds)
    content = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        place = rng.randrange(len(content))
        kind = rng.randrange(6)
        if kind == 0:
            content[place] = rng.randrange(256)
        elif kind == 1:
            content[place] ^= 1 << rng.randrange(8)
        elif kind == 2:
            number = rng.choice((0, 1, 2**31 - 1, 2**32 - 1, 2**31, len(data), rng.randrange(2**32)))
            content[place : place + 4] = number.to_bytes(4, "little")
        elif kind == 3:
            piece = content[place : place + rng.randrange(1, 200)]
            other = rng.randrange(len(content))
            content[other : other + (0 if rng.random() < 0.5 else len(piece))] = piece
        elif kind == 4:
            del content[place : place + rng.randrange(1, 200)]
        else:
            digits = [i for i in range(place, min(place + 400, len(content))) if 48 <= content[i] < 58]
            for i in digits[:1]:
                content[i : i + 1] = rng.choice((b"-1", b"0", b"99999999999", b"1e9", b"3"))
        if len(content) < 2:
            break
    if rng.random() < 0.05:
        del content[rng.randrange(len(content)) :]
    return bytes(content)


def mutate_tree(value: Any, rng: random.Random) -> Any:
    """Return a value of JSON with one wrong part."""
    if isinstance(value, dict) and value and rng.random() < 0.95:
        key = rng.choice(list(value))
        kind = rng.random()
        if kind < 0.05:
            return {name: part for name, part in value.items() if name != key}
        if kind < 0.1:
            return {(rng.choice(WORDS) if name == key else name): part for name, part in value.items()}
        return {**value, key: mutate_tree(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = rng.randrange(len(value))
        kind = rng.random()
        if kind < 0.1:
            return value[:place] + value[place + 1 :]
        if kind < 0.2:
            return [*value, *value]
        return [*value[:place], mutate_tree(value[place], rng), *value[place + 1 :]]
    wrong = (rng.choice(NUMBERS), rng.choice(WORDS), None, True, [], {}, [[]], [rng.choice(NUMBERS)] * 3)
    return rng.choice(wrong)


def mutate_json(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return a JSON file with wrong values, or wrong bytes."""
    if rng.random() < 0.2:
        return mutate_bytes(seeds, rng)
    value = json.loads(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 4))):
        value = mutate_tree(value, rng)
    return json.dumps(value).encode()


def mutate_onnx(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return an ONNX model with wrong fields, or wrong bytes."""
    import onnx

    if rng.random() < 0.3:
        return mutate_bytes(seeds, rng)
    model = onnx.ModelProto.FromString(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 4))):
        mutate_message(model.graph, rng)
    return bytes(model.SerializeToString())


def mutate_message(message: Any, rng: random.Random) -> None:
    """Put a wrong value into a protobuf message or into one inside of it."""
    fields = message.ListFields()
    if not fields:
        return
    field, value = rng.choice(fields)
    several = hasattr(value, "__len__") and not isinstance(value, (str, bytes))
    if several and len(value) and rng.random() < 0.1:
        del value[rng.randrange(len(value))]
        return
    if field.message_type is not None:
        mutate_message(rng.choice(value) if several else value, rng)
        return
    try:
        if isinstance(value, bytes):
            wrong: Any = rng.choice(WORDS).encode()
        elif isinstance(value, str) or (several and len(value) and isinstance(value[0], str)):
            wrong = rng.choice(WORDS)
        else:
            wrong = rng.choice(NUMBERS)
        if several:
            value[rng.randrange(len(value))] = wrong
        else:
            setattr(message, field.name, wrong)
    except (TypeError, ValueError, OverflowError, IndexError):
        # The field takes no such value.
        message.ClearField(field.name)


def mutate_pack(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return a pack with a wrong header or wrong trees, and mostly the right digest."""
    content = rng.choice(seeds)
    (length,) = struct.unpack_from("<I", content, 8)
    header, rest = json.loads(content[12 : 12 + length]), bytearray(content[12 + length : -32])
    if rng.random() < 0.7:
        header = mutate_tree(header, rng)
    else:
        for _ in range(rng.choice((1, 4))):
            rest[rng.randrange(len(rest))] = rng.randrange(256)
    text = json.dumps(header).encode()
    body = content[:8] + struct.pack("<I", len(text)) + text + rest
    if rng.random() < 0.1:
        return mutate_bytes([body], rng)
    return body + hashlib.sha256(body).digest()


@lru_cache(maxsize=1)
def _predictor() -> Any:
    return load_latency_predictor("cortexA76cpu_tflite21")


def _predicts(model_type: str, suffix: str) -> Callable[[bytes, Path], bool]:
    def attempt(content: bytes, folder: Path) -> bool:
        path = folder / f"model{suffix}"
        path.write_bytes(content)
        _predictor().predict(path, model_type)
        return True

    return attempt


def read_pack(content: bytes, folder: Path) -> bool:
    """Load a pack and predict with it."""
    from predictor_core.predictor import LatencyPredictor

    path = folder / "forests.pack"
    path.write_bytes(content)
    device = ROOT / "predictor_core" / "devices" / "cortexA76cpu_tflite21"
    (folder / "fusion_rules.yaml").write_bytes((device / "fusion_rules.yaml").read_bytes())
    LatencyPredictor.from_pack(path).profile(zoo.build("squeezenet"))
    return True


def read_entry(content: bytes, folder: Path) -> bool:
    """Read a meta file of a predictor."""
    path = folder / "meta.yaml"
    path.write_bytes(content)
    try:
        entry = read_yaml(path)
    except ValueError as error:
        raise PredictorError(str(error)) from error
    check_entry(entry, str(path), folder)
    return True


def _packed(folder: str, ending: str) -> Callable[[], list[bytes]]:
    def seeds() -> list[bytes]:
        found = [
            gzip.decompress(path.read_bytes()) for path in sorted((FIXTURES / folder).glob(f"*{ending}.gz"))
        ]
        return [data for data in found if len(data) <= MAX_SEED_BYTES]

    return seeds


def onnx_seeds() -> list[bytes]:
    """Return published models without their weights."""
    from predictor_core.frontends.onnx.file import without_payloads

    return [
        without_payloads(path.read_bytes()) for path in sorted((ROOT / "examples" / "models").glob("*.onnx"))
    ]


def ir_seeds() -> list[bytes]:
    """Documents of this package, and of nn-Meter."""
    own = [json.dumps(to_document(zoo.build(name))).encode() for name in ("squeezenet", "mobilenetv3")]
    return [*own, *_packed("legacy/ir", ".json")()]


def pack_seeds() -> list[bytes]:
    """Return a pack with every part of an embedded one and the smallest forest of it."""
    path = next((ROOT / "predictor_core" / "devices" / "cortexA76cpu_tflite21").glob("*.pack"))
    header = dict(load_pack(path).header)
    name, facts = min(
        header["forests"].items(), key=lambda item: item[1]["last_tree"] - item[1]["first_tree"]
    )
    width = facts["n_features"]
    leaf, root = np.array([1, -1, -1]), np.array([2, -1, -1])
    tree = Tree(leaf, root, np.array([width - 1, 0, 0]), np.array([1.0, 0, 0]), np.array([0.0, 0.1, -0.1]))
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "small.pack"
        save_pack(
            target, {**header, "forests": {name: facts}}, {name: Forest.from_trees([tree, tree], width)}
        )
        return [target.read_bytes()]


def entry_seeds() -> list[bytes]:
    """Meta files."""
    entry = {
        "name": "mine",
        "version": 1.0,
        "category": "cpu",
        "package_location": ".",
        "kernel_predictors": ["a"],
    }
    return [yaml.safe_dump(entry).encode(), json.dumps(entry).encode()]


TARGETS: Mapping[str, Target] = {
    "onnx": Target(onnx_seeds, mutate_onnx, _predicts("onnx", ".onnx")),
    "pb": Target(_packed("tensorflow", "_frozen.pb"), mutate_bytes, _predicts("pb", ".pb")),
    "tflite": Target(_packed("tflite", ".tflite"), mutate_bytes, _predicts("tflite", ".tflite")),
    "openvino": Target(_packed("openvino", ".xml"), mutate_bytes, _predicts("openvino", ".xml")),
    "nnmeter-ir": Target(ir_seeds, mutate_json, _predicts("nnmeter-ir", ".json")),
    "pack": Target(pack_seeds, mutate_pack, read_pack),
    "pickle": Target(
        lambda: [path.read_bytes() for path in sorted(PICKLES.glob("*.pkl"))],
        mutate_pickle,
        read_pickled_forest,
    ),
    "meta": Target(
        entry_seeds,
        lambda seeds, rng: mutate_json([seeds[1]], rng) if rng.random() < 0.7 else mutate_bytes(seeds, rng),
        read_entry,
    ),
}


def fuzz(name: str, seed: int, *, cases: int | None = None, seconds: float | None = None) -> Outcome:
    """Try mutated files of one kind in this process.

    Parameters
    ----------
    name : str
        Of `TARGETS`.
    seed : int
        Equal seeds make equal files.
    cases : int, optional
        How many; without it as many as fit in `seconds`.
    seconds : float, optional
        How long; without it until all cases are done.
    """
    target, rng = TARGETS[name], random.Random(seed)
    seeds = target.seeds()
    read, slowest_s, leaks, case = 0, 0.0, [], 0
    end_s = time.monotonic() + (seconds or float("inf"))
    with tempfile.TemporaryDirectory() as folder:
        while (cases is None or case < cases) and time.monotonic() < end_s:
            content = target.mutate(seeds, rng)
            start_s = time.thread_time()
            try:
                read += target.attempt(content, Path(folder))
            except PredictorError as error:
                text = str(error)
                if len(text) > MAX_LINE or not text.isprintable():
                    leaks.append(f"case {case}: a message of {len(text)} characters, or of several lines")
            except Exception as error:  # noqa: BLE001  any escape is what this looks for
                leaks.append(f"case {case}: {type(error).__name__}: {error}")
            spent_s = time.thread_time() - start_s
            if spent_s > current().seconds:
                leaks.append(f"case {case}: {spent_s:.1f} s")
            slowest_s = max(slowest_s, spent_s)
            case += 1
    return Outcome(case, read, slowest_s, leaks)


def _apart(name: str, seed: int, seconds: float) -> dict[str, Any]:
    """Fuzz one target in a process of its own; return a row of the table."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", name, "--seed", str(seed), "--minutes", str(seconds / 60)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [""]
        return {"target": name, "leaks": f"the process ended with {done.returncode}: {last[0]}"}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="for all kinds of files together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=list(TARGETS), default=list(TARGETS))
    parser.add_argument("--child", choices=list(TARGETS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    seconds = 60 * arguments.minutes
    if arguments.child:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        found = fuzz(arguments.child, arguments.seed, seconds=seconds)
        row = {
            "target": arguments.child,
            "cases": found.cases,
            "read": found.read,
            "slowest (s)": round(found.slowest_s, 3),
            "peak (MB)": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "leaks": len(found.leaks),
        }
        for leak in found.leaks[:20]:
            print(leak, file=sys.stderr)
            print(leak)
        print(json.dumps({**row, "first": found.leaks[:5]}))
        return 0
    from harness import publish  # beside this script; the tests import the functions above alone

    rows = [_apart(name, arguments.seed, seconds / len(arguments.only)) for name in arguments.only]
    for row in rows:
        for leak in row.pop("first", ()):
            print(f"{row['target']}: {leak}")
    publish("fuzz", "Mutated files, read or refused", rows)
    return 1 if any(row["leaks"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
