"""Run one RetiariiExperiment as its arguments say, and print what came out as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

from nni.retiarii import strategy
from nni.retiarii.evaluator import FunctionalEvaluator
from nni.retiarii.experiment.pytorch import RetiariiExperiment
from small_space2 import SmallSpace, evaluate

from nnmeter_nni import (
    LatencyEvolution,
    LatencyFilter,
    LatencyRandom,
    LatencySorted,
    retiarii_config,
    run_experiment,
)

SHAPE = (1, 3, 32, 32)


def main() -> None:
    options: dict[str, Any] = json.loads(sys.argv[1])
    graph = options.get("engine") == "graph"
    latency_filter = LatencyFilter(
        options["threshold"],
        "cortexA76cpu_tflite21",
        input_shape=None if graph else tuple(options.get("input_shape", SHAPE)),
        patience=options.get("patience", 10_000),
    )
    strategies = {
        "nni-random": lambda: strategy.Random(model_filter=latency_filter, dedup=options.get("dedup", True)),
        "nni-evolution": lambda: strategy.RegularizedEvolution(
            population_size=2, sample_size=1, cycles=4, model_filter=latency_filter
        ),
        "random": lambda: LatencyRandom(latency_filter, patience=60, seed=0),
        "sorted": lambda: LatencySorted(latency_filter, pool_size=options.get("pool_size", 10), seed=0),
        "pareto": lambda: LatencyEvolution(
            latency_filter, objective="pareto", population_size=2, sample_size=1, mutation_prob=0.5, seed=0
        ),
    }
    search = strategies[options["strategy"]]()
    experiment = RetiariiExperiment(SmallSpace(), FunctionalEvaluator(evaluate), [], search)
    config = retiarii_config(
        "graph" if graph else "python",
        SHAPE if graph else None,
        max_trial_number=options.get("trials", 3),
        trial_concurrency=2,
        experiment_working_directory=options["folder"],
    )
    with run_experiment(experiment, config):
        top = experiment.export_top_models(top_k=3, formatter="dict")
    stats = latency_filter.stats
    print(
        "RESULT "
        + json.dumps(
            {
                "top": top,
                "accepted": stats.accepted,
                "latencies": list(stats.latencies_ms["cortexA76cpu_tflite21"]),
                "front": [one.sample for one in getattr(search, "front", [])],
            }
        )
    )


if __name__ == "__main__":
    main()
