"""Time and memory from one graph to a hundred thousand: time grows in proportion, memory stays flat."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness import RSS, fresh, publish

RUN = (
    RSS
    + """
import json, resource, sys, time
sys.path.insert(0, sys.argv[2])
from workloads import DEVICES, varied_mobilenets
from predictor_core import load_latency_predictor
predictor = load_latency_predictor(DEVICES[0])
building = 0.0

def counted(graphs):
    # The time to build the graphs is not the predictor's.
    global building
    start = time.perf_counter()
    for graph in graphs:
        building += time.perf_counter() - start
        yield graph
        start = time.perf_counter()
    building += time.perf_counter() - start

next(varied_mobilenets(1))
before, start = rss_mb(), time.perf_counter()
total = predictor.predict_many(counted(varied_mobilenets(int(sys.argv[1])))).sum()
seconds = time.perf_counter() - start - building
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([seconds, before, peak]))
"""
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=100_000, help="largest number of graphs")
    most = parser.parse_args().most
    rows = []
    for exponent in range(6):
        count = 10**exponent
        if count > most:
            break
        ((seconds, before, peak),) = fresh(RUN, str(count), str(Path(__file__).parent))
        rows.append(
            {
                "graphs": count,
                "s": seconds,
                "ms per graph": 1000 * seconds / count,
                "peak MB": peak,
                "MB above the start": peak - before,
            }
        )
        print(rows[-1], flush=True)
    notes = ["Different MobileNet v2 graphs on one device, one process; building the graphs is not counted."]
    publish("scaling", "Scaling", rows, notes)


if __name__ == "__main__":
    main()
