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
    """Import, load, IR dict to ms of two models, and of all others one after the other, once each."""
    before, start = rss_mb(), time.perf_counter()
    import nn_meter

    answer = {"import": [time.perf_counter() - start, rss_mb() - before]}
    before, start = rss_mb(), time.perf_counter()
    predictor = nn_meter.load_latency_predictor("cortexA76cpu_tflite21", 1.0)
    answer["load"] = [time.perf_counter() - start, rss_mb() - before]
    documents = []
    for path in paths:
        with open(path) as file:
            documents.append(json.load(file))
    for path, document in zip(paths[:2], documents):
        times = []
        for _ in range(repeat):
            start = time.perf_counter()
            predictor.predict(document, "nnmeter-ir")
            times.append(time.perf_counter() - start)
        answer[path] = statistics.median(times)
    answer["elapsed"] = []
    start = time.perf_counter()
    for document in documents[2:]:
        predictor.predict(document, "nnmeter-ir")
        answer["elapsed"].append(time.perf_counter() - start)
    return answer


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), sys.argv[2:])))
