"""pymoo: the Pareto front of latency and score, with a constraint on the latency (``n_ieq_constr``)."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import ElementwiseProblem
from pymoo.optimize import minimize
from space import latency_ms, score

LIMIT_MS = 60.0


class Search(ElementwiseProblem):
    """Width and three kernel sizes: 3, 5 or 7."""

    def __init__(self) -> None:
        super().__init__(n_var=4, n_obj=2, n_ieq_constr=1, xl=[0.25, 0, 0, 0], xu=[1.5, 2.999, 2.999, 2.999])

    def _evaluate(self, x: Any, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        width, (first, second, third) = float(x[0]), (3 + 2 * int(one) for one in x[1:])
        ms = latency_ms(width, (first, second, third))
        out["F"] = [ms, -score(width, (first, second, third))]
        # Feasible where the constraint is not above 0.
        out["G"] = [ms - LIMIT_MS]


def main(generations: int = 8) -> None:
    found = minimize(Search(), NSGA2(pop_size=16), ("n_gen", generations), seed=0)
    for ms, negative in np.unique(found.F, axis=0):
        print(f"Pareto front: {ms:.2f} ms, score {-negative:.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
