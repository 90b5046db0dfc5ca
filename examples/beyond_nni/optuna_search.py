"""Optuna 5: a search below a latency, and one for the Pareto front of latency and score."""

from __future__ import annotations

import sys

import optuna
from space import latency_ms, score

LIMIT_MS = 30.0


def candidate(trial: optuna.Trial) -> tuple[float, tuple[int, int, int]]:
    width = trial.suggest_float("width", 0.25, 1.5)
    first, second, third = (trial.suggest_categorical(f"kernel{i}", [3, 5, 7]) for i in range(3))
    return width, (first, second, third)


def constrained(trial: optuna.Trial) -> float:
    chosen = candidate(trial)
    # Feasible where the constraint is not above 0.
    trial.set_constraint("latency_ms", latency_ms(*chosen) - LIMIT_MS)
    return score(*chosen)


def both(trial: optuna.Trial) -> tuple[float, float]:
    chosen = candidate(trial)
    return latency_ms(*chosen), score(*chosen)


def main(trials: int = 60) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(constrained, n_trials=trials)
    print(f"below {LIMIT_MS:g} ms: score {study.best_value:.2f} with {study.best_params}")
    study = optuna.create_study(
        directions=["minimize", "maximize"], sampler=optuna.samplers.NSGAIISampler(population_size=20, seed=0)
    )
    study.optimize(both, n_trials=trials)
    for ms, value in sorted(tuple(trial.values) for trial in study.best_trials):
        print(f"Pareto front: {ms:.2f} ms, score {value:.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
