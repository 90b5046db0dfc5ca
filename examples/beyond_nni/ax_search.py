"""Ax: a search below a latency (``outcome_constraints``)."""

from __future__ import annotations

import sys

from ax.api.client import Client
from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig
from space import latency_ms, score

LIMIT_MS = 30.0


def main(trials: int = 20) -> None:
    client = Client(random_seed=0)
    width = RangeParameterConfig(name="width", parameter_type="float", bounds=(0.25, 1.5))
    kernels = [
        ChoiceParameterConfig(name=f"kernel{i}", parameter_type="int", values=[3, 5, 7], is_ordered=True)
        for i in range(3)
    ]
    client.configure_experiment(parameters=[width, *kernels])
    client.configure_optimization(objective="score", outcome_constraints=[f"latency_ms <= {LIMIT_MS}"])
    for _ in range(trials):
        for number, chosen in client.get_next_trials(max_trials=1).items():
            candidate = chosen["width"], tuple(chosen[f"kernel{i}"] for i in range(3))
            found = {"latency_ms": latency_ms(*candidate), "score": score(*candidate)}
            client.complete_trial(trial_index=number, raw_data=found)
    best, values, *_ = client.get_best_parameterization(use_model_predictions=False)
    ms, value = values["latency_ms"][0], values["score"][0]
    print(f"below {LIMIT_MS:g} ms: score {value:.2f}, {ms:.2f} ms with {best}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
