"""`make_plan`: candidates, what they teach, and the order in which to time them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from predictor_core.catalog import load_latency_predictor
from predictor_core.errors import PredictorError
from predictor_core.ir.graph import Graph
from predictor_core.kernels import weights
from predictor_core.learning.adapt import Prior, pose
from predictor_core.learning.corpus import cut_of, kernel_counts
from predictor_core.measuring.planning import pool
from predictor_core.measuring.planning.order import plan_order, sensitivities
from predictor_core.predictor import LatencyPredictor
from predictor_core.predictor.batch import numbered

#: Predictor that plans are made with when none is named: of a CPU, as most new devices are.
SOURCE = "cortexA76cpu_tflite21"
#: Seconds that a model takes besides its runs, and runs of each model.
OVERHEAD_S, RUNS = 2.0, 60
#: Models that take longer on the source, or have more weights, are not worth their time and their files.
LONGEST_MS, MOST_WEIGHTS = 1000.0, 30_000_000


@dataclass(frozen=True)
class Planned:
    """One model of a plan.

    Parameters
    ----------
    name : str
        Of the model and, with an ending, of its files.
    graph : Graph
    source_ms : float
        Latency on the predictor that the plan was made with.
    deviation : float
        Expected relative error of the predictions for the targets, once this model and those before it are
        measured.
    """

    name: str
    graph: Graph
    source_ms: float
    deviation: float


def make_plan(
    budget: int,
    like: str | LatencyPredictor | None = None,
    *,
    candidates: Iterable[Graph] | None = None,
    targets: Iterable[Graph] | None = None,
) -> list[Planned]:
    """Choose the models to time.

    Parameters
    ----------
    budget : int
        How many.
    like : str or LatencyPredictor, optional
        The predictor that the device is expected to be most like.
    candidates : iterable of Graph, optional
        What can be timed. Default: members of the zoo's families and real architectures.
    targets : iterable of Graph, optional
        What is to be predicted. Default: real architectures.

    Returns
    -------
    list of Planned
        In the order in which to time them; every beginning of it is a plan too.

    Raises
    ------
    PredictorError
        When the budget is not positive, or the predictor is none that a device can be learned from.
    """
    if budget < 1:
        raise PredictorError(f"a plan needs a budget of at least one model, got {budget}")
    source = load_latency_predictor(like or SOURCE) if not isinstance(like, LatencyPredictor) else like
    if not isinstance(source, LatencyPredictor):
        raise PredictorError(
            f"{source.name} {source.version} has no analytic base to plan with; choose a version 2.0"
        )
    real = [*pool.real_architectures(), *pool.published()] if candidates is None or targets is None else []
    offered = [*real, *pool.variants()] if candidates is None else list(candidates)
    asked = real if targets is None else list(targets)
    if not offered or not asked:
        raise PredictorError("a plan needs models to choose from and models to predict; got none")
    return _ordered(budget, source, _distinct(offered), asked)


def _ordered(
    budget: int, source: LatencyPredictor, offered: Sequence[Graph], asked: Sequence[Graph]
) -> list[Planned]:
    kernels = [kernel_counts(graph, source.rules) for graph in (*offered, *asked)]
    n = len(offered)
    source_ms = source.predict_kernels(*numbered(parts.elements() for parts in kernels[:n]))
    size = np.array([sum(count * weights(spec) for spec, count in parts.items()) for parts in kernels[:n]])
    kept = np.flatnonzero((source_ms <= LONGEST_MS) & (size <= MOST_WEIGHTS))
    if not len(kept):
        kept = np.arange(n)
    rows = sensitivities(pose(Prior.of(source), cut_of(kernels)))
    order = plan_order(rows[kept], rows[n:], OVERHEAD_S + 1e-3 * RUNS * source_ms[kept], budget)
    return [
        Planned(offered[i].name, offered[i], float(source_ms[i]), deviation)
        for i, deviation in zip(kept[list(order.chosen)], order.deviation)
    ]


def _distinct(graphs: Sequence[Graph]) -> list[Graph]:
    """Give models of one name numbers, so that each has a file of its own."""
    seen: Counter[str] = Counter()
    out = []
    for graph in graphs:
        name = "".join(c if c.isalnum() or c in "_-." else "_" for c in graph.name) or "model"
        seen[name.lower()] += 1
        if seen[name.lower()] > 1:
            name = f"{name}_{seen[name.lower()]}"
        out.append(graph if graph.name == name else Graph(graph.nodes, name, graph.outputs, graph.free))
    return out
