"""Speed of the latency filter and of whole-space predictions on the SPOS space, under NNI 2.10.

Prints a table and writes ``spos_filter.json`` beside it. NNI's own mutations are made before the clock
starts.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

from predictor_core.files import write_atomically

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "examples" / "spos_multi_trial")]

INPUT_SHAPE = (1, 3, 224, 224)
PREDICTOR = "cortexA76cpu_tflite21"

#: nn-Meter 2.0 with NNI's graph engine, measured on a machine of this class.
PEER = {"filter, candidates/s": 2.6, "set-up, s": 139.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=2000)
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    try:
        from nni.nas.nn.pytorch.mutator import extract_mutation_from_pt_module
        from space import SposSpace
    except ImportError as error:
        raise SystemExit(f"skipped: this needs NNI 2.10 ({error})") from error

    from nnmeter_nni import LatencyFilter, SpaceLatency
    from nnmeter_nni.strategies.retiarii import MutatorSpace

    rows: dict[str, float] = {}
    space = MutatorSpace(*extract_mutation_from_pt_module(SposSpace()))
    rng = Random(0)
    candidates = [space.model(space.random(rng)) for _ in range(options.candidates)]
    latency_filter = LatencyFilter(1e6, PREDICTOR, input_shape=INPUT_SHAPE)
    rows["filter, first candidate, s"] = timed(lambda: latency_filter(candidates[0]))
    early = timed(lambda: [latency_filter(one) for one in candidates[:50]])
    rows["filter, first 50, candidates/s"] = 50 / early
    rates = []
    for start in range(50, len(candidates), 200):
        part = candidates[start : start + 200]
        rates.append(len(part) / timed(lambda part=part: [latency_filter(one) for one in part]))
    rows["filter, candidates/s"] = statistics.median(rates)

    found: list[Any] = []
    rows["set-up, s"] = timed(
        lambda: found.append(SpaceLatency(SposSpace(), PREDICTOR, input_shape=INPUT_SHAPE))
    )
    whole = found[0]
    rows["fill all factors, s"] = timed(lambda: whole.sample_latencies(100, seed=0))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows[f"sample_latencies({options.samples}), s"] = timed(
        lambda: whole.sample_latencies(options.samples, seed=1)
    )
    rows["memory added by the samples, MB"] = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    ) / 1024
    rows["bounds, s"] = timed(whole.bounds)

    print(f"{'SPOS, ' + PREDICTOR:<40} {'here':>12} {'nn-Meter 2.0':>14}")
    for name, value in rows.items():
        peer = f"{PEER[name]:.4g}" if name in PEER else "-"
        print(f"{name:<40} {value:>12.4g} {peer:>14}")
    machine = {"python": platform.python_version(), "machine": platform.platform()}
    write_atomically(
        options.output, json.dumps({"rows": rows, "nn_meter_2_0": PEER, **machine}, indent=2) + "\n"
    )


def timed(run: Any) -> float:
    """Seconds of wall time that a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
