"""Feed mutated model files to the front ends: every failure must be an error of the package, soon.

python benchmarks/mutated_files.py [--count 20000] [--seed 0] [FORMAT ...]
"""

from __future__ import annotations

import argparse
import gzip
import os
import random
import resource
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from predictor_core.errors import PredictorError
from predictor_core.frontends import find

FIXTURES = Path(__file__).resolve().parents[1] / "tests" / "fixtures"
#: Model type -> folder of the fixtures and their ending.
FORMATS = {
    "tflite": ("tflite", ".tflite"),
    "openvino": ("openvino", ".xml"),
    "pb": ("tensorflow", "_frozen.pb"),
}
#: Larger files are mutated near their structure alone.
MAX_BYTES = 400_000


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return a file with a few faults: wrong bytes, wrong numbers, cut, doubled, swapped pieces."""
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("formats", nargs="*", default=["tflite", "openvino"])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for name in arguments.formats:
        folder, ending = FORMATS[name]
        packed = sorted((FIXTURES / folder).glob(f"*{ending}.gz"))
        originals = [
            data for data in (gzip.decompress(file.read_bytes()) for file in packed) if len(data) <= MAX_BYTES
        ]
        rng, load = random.Random(arguments.seed), find(name)
        outcomes: Counter[str] = Counter()
        slowest = 0.0
        with tempfile.TemporaryDirectory() as scratch:
            path = os.path.join(scratch, f"model{Path(ending).suffix}")
            for _ in range(arguments.count):
                data = mutated(rng.choice(originals), rng)
                Path(path).write_bytes(data)
                start = time.process_time()
                try:
                    load(path)
                    outcomes["read"] += 1
                except PredictorError as error:
                    outcomes[type(error).__name__] += 1
                    if len(str(error).splitlines()) > 1:
                        outcomes["error of several lines"] += 1
                except Exception:  # noqa: BLE001 - what is looked for
                    outcomes["FOREIGN"] += 1
                    kept = Path(tempfile.gettempdir()) / f"foreign_{outcomes['FOREIGN']}{Path(ending).suffix}"
                    kept.write_bytes(data)
                    print(kept, traceback.format_exc(limit=-3), flush=True)
                slowest = max(slowest, time.process_time() - start)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(
            f"{name}: {arguments.count} files of {len(originals)} originals: {dict(outcomes)}; "
            f"slowest {slowest * 1000:.0f} ms of CPU; peak {peak} MB"
        )


if __name__ == "__main__":
    main()
