"""Run one NasExperiment as its arguments say, and print what came out as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

from nni.nas.evaluator import FunctionalEvaluator
from nni.nas.experiment import NasExperiment
from nni.nas.experiment.config import NasExperimentConfig
from nni.nas.strategy import Random
from nni.nas.strategy.middleware import Chain, Filter
from small_space3 import SmallSpace, evaluate

from nnmeter_nni import LatencyEvolution, LatencyFilter, LatencyRandom, LatencySorted, run_experiment

SHAPE = (1, 3, 32, 32)


def main() -> None:
    options: dict[str, Any] = json.loads(sys.argv[1])
    latency_filter = LatencyFilter(options["threshold"], "cortexA76cpu_tflite21", input_shape=SHAPE)
    strategies = {
        "nni-random": lambda: Chain(Random(seed=0), Filter(latency_filter, patience=30)),
        "random": lambda: LatencyRandom(latency_filter, patience=60, seed=0),
        "sorted": lambda: LatencySorted(latency_filter, pool_size=10, seed=0),
        "pareto": lambda: LatencyEvolution(
            latency_filter, objective="pareto", population_size=2, sample_size=1, mutation_prob=0.5, seed=0
        ),
    }
    search = strategies[options["strategy"]]()
    experiment = NasExperiment(SmallSpace(), FunctionalEvaluator(evaluate), search)
    experiment.config = NasExperimentConfig("ts", options.get("format", "simplified"), "local")
    experiment.config.max_trial_number = options.get("trials", 3)
    experiment.config.trial_concurrency = 2
    experiment.config.training_service.use_active_gpu = False
    experiment.config.experiment_working_directory = options["folder"]
    with run_experiment(experiment):
        top = [model.sample for model in experiment.export_top_models(top_k=3)]
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
