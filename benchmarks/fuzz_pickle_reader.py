"""Feed mutated pickles of forests to the reader of 1.0 packs: it must refuse or read them, in bounded time.

    python benchmarks/fuzz_pickle_reader.py [--cases 20000] [--seed 0]

Prints how many were read, how many refused, the slowest case and the growth of the process; exits with 1
on any error that is not the package's own.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from predictor_core.errors import PackError
from predictor_core.legacy.compact import CompactForests
from predictor_core.legacy.sklearn_forest import parse_forest

SEEDS = Path(__file__).parents[1] / "tests" / "predictor_core" / "legacy" / "pickles"

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


def mutate(pickles: Sequence[bytes], rng: random.Random) -> bytes:
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


def attempt(content: bytes) -> bool:
    """Read one pickle and, where it is accepted, evaluate its forest; return whether it was accepted."""
    try:
        forest = parse_forest(content)
        rows = np.zeros((2, forest.n_features), dtype=np.float32)
        CompactForests.from_pickled([("forest", forest)]).predict({"forest": rows})
    except PackError:
        return False
    return True


def main() -> int:
    from harness import publish  # beside this script; the tests import the functions above alone

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    pickles = [path.read_bytes() for path in sorted(SEEDS.glob("*.pkl"))]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    accepted, slowest, failures = 0, 0.0, []
    for case in range(arguments.cases):
        content = mutate(pickles, rng)
        start = time.perf_counter()
        try:
            accepted += attempt(content)
        except Exception as error:  # noqa: BLE001  any escape is what this looks for
            failures.append(f"case {case}: {type(error).__name__}: {error}")
        slowest = max(slowest, time.perf_counter() - start)
    row = {
        "cases": arguments.cases,
        "seed": arguments.seed,
        "read": accepted,
        "refused": arguments.cases - accepted - len(failures),
        "other errors": len(failures),
        "slowest (ms)": 1e3 * slowest,
        "growth (MB)": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024,
    }
    publish("fuzz_pickle_reader", "Mutated pickles of forests, read or refused", [row])
    for failure in failures[:20]:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
