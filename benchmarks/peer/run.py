"""Times nn-Meter 2.0 on the given IR files; runs in its own environment and prints JSON."""

import json
import statistics
import sys
import time


def rss_mb():
    """Return the resident memory of this process."""
    with open("/proc/self/status") as lines:
        for line in lines:
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
    return 0.0


def main(repeat, paths):
    """Import, load, and IR dict to ms."""
    before, start = rss_mb(), time.perf_counter()
    import nn_meter

    answer = {"import": [time.perf_counter() - start, rss_mb() - before]}
    before, start = rss_mb(), time.perf_counter()
    predictor = nn_meter.load_latency_predictor("cortexA76cpu_tflite21", 1.0)
    answer["load"] = [time.perf_counter() - start, rss_mb() - before]
    for path in paths:
        with open(path) as file:
            document = json.load(file)
        times = []
        for _ in range(repeat):
            start = time.perf_counter()
            predictor.predict(document, "nnmeter-ir")
            times.append(time.perf_counter() - start)
        answer[path] = statistics.median(times)
    return answer


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), sys.argv[2:])))
