"""How many measurements a plan saves: planned networks against random ones, on public latencies of phones.

For each environment a third of the networks is held out; from the rest, as many as asked for are chosen by
the design that `nn-meter plan` uses, or at random, and the environment is learned from them; nothing is run.

    python benchmarks/measurement_plan.py ../shared/data/phones

Needs torch and pytorchcv (``pip install --no-deps pytorchcv``). Takes about ten minutes.
"""

from __future__ import annotations

import argparse
import csv
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from harness import publish

from predictor_core import load_latency_predictor
from predictor_core.frontends.torch import pytorchcv
from predictor_core.learning.adapt import Prior, pose
from predictor_core.learning.corpus import cut_of, kernel_counts
from predictor_core.measuring.planning.order import plan_order, sensitivities
from predictor_core.predictor import to_graph

COUNTS = (10, 15, 20, 30, 40)
SPLITS, DRAWS = 3, 2
#: Seconds that a network takes besides its runs, and runs (as in `predictor_core.measuring.planning.plan`).
OVERHEAD_S, RUNS = 2.0, 60


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with tflite_cnn.csv and torch_cnn.csv")
    parser.add_argument("--table", default="tflite_cnn", help="tflite_cnn or torch_cnn")
    parser.add_argument("--environments", default="_fp32", help="part of the names of the environments")
    parser.add_argument(
        "--most", type=int, default=9, help="environments, evenly spaced in alphabetical order"
    )
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    latencies = _latencies(options.data / f"{options.table}.csv", options.environments)
    chosen = sorted(latencies)[:: max(1, len(latencies) // options.most)]
    names = sorted({name for environment in chosen for name in latencies[environment]})
    source = load_latency_predictor("cortexA76cpu_tflite21")
    graphs = [_graph(name) for name in names]
    cut = cut_of(kernel_counts(graph, source.rules) for graph in graphs)
    problem = pose(Prior.of(source), cut)
    sensitivity = sensitivities(problem)
    cost_s = OVERHEAD_S + 1e-3 * RUNS * source.predict_graphs(graphs)
    errors: dict[tuple[str, int], list[Any]] = defaultdict(list)
    seconds: dict[tuple[str, int], list[float]] = defaultdict(list)

    def score(way: str, models: Any, held_out: Any, latency_ms: Any) -> None:
        predicted = problem.predict(problem.fit(latency_ms, models).mean, held_out)
        errors[way, len(models)].append(np.abs(predicted / latency_ms[held_out] - 1.0))
        seconds[way, len(models)].append(float(cost_s[models].sum()))

    for environment in chosen:
        latency_ms = np.array([latencies[environment].get(name, np.nan) for name in names])
        known = np.flatnonzero(np.isfinite(latency_ms))
        for seed in range(SPLITS):
            rng = np.random.default_rng(seed)
            order = rng.permutation(known)
            held_out, rest = order[: len(known) // 3], order[len(known) // 3 :]
            # The networks to be predicted are not known while a plan is made: all of the rest stand for them.
            plan = plan_order(sensitivity[rest], sensitivity[rest], cost_s[rest], max(COUNTS)).chosen
            for count in COUNTS:
                score("planned", rest[list(plan[:count])], held_out, latency_ms)
                for _ in range(DRAWS):
                    score("random", rng.choice(rest, count, replace=False), held_out, latency_ms)
        print(f"{environment} is done", flush=True)
    rows = [
        {
            "networks": count,
            "chosen": way,
            "within ±10 % (%)": round(100.0 * float(np.mean([np.mean(e <= 0.1) for e in found])), 1),
            "MAPE (%)": round(100.0 * float(np.mean([np.mean(e) for e in found])), 2),
            "time (s)": round(float(np.mean(seconds[way, count]))),
        }
        for (way, count), found in sorted(errors.items(), key=lambda item: (item[0][1], item[0][0]))
    ]
    notes = [
        f"Mean over {len(chosen)} environments of {options.table} ({options.environments}), {SPLITS} splits "
        "each, all learned from the Cortex-A76 predictor. Time: to measure the choice, by the "
        f"source's latencies, with {RUNS} runs and {OVERHEAD_S:.0f} s besides for each network."
    ]
    publish("measurement_plan", "Planned against random measurements", rows, notes)


def _latencies(path: Path, part: str) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = defaultdict(dict)
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if part in row["environment"]:
                found[row["environment"]][row["model"]] = float(row["latency_ms"])
    return found


def _graph(name: str) -> Any:
    return to_graph(pytorchcv.build(name), "torch", (1, 3, 224, 224))


if __name__ == "__main__":
    main()
