"""The models that measurements name, each once, with one latency for each environment."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core.errors import LearningError, PredictorError
from predictor_core.frontends.reading import to_graph
from predictor_core.fusion import Rules
from predictor_core.ir.graph import Graph
from predictor_core.learning.corpus import Corpus
from predictor_core.measuring.measurements import TYPES, Measured, type_of

Floats = NDArray[np.float64]

#: Measurements of one model that differ by more than this factor are no repeats of each other.
_CONTRADICTION = 1.5


@dataclass(frozen=True)
class Unreadable:
    """A model that was left out."""

    model: str
    row: int
    reason: str


@dataclass(frozen=True)
class Read:
    """Measured models, read.

    Parameters
    ----------
    corpus : Corpus
        The distinct models.
    latency_ms : dict of str to (n,) float64
        Environment -> latency of each model of the corpus, NaN where it was not measured.
    rows : tuple of int
        First row of each model.
    repeat : float or None
        Standard deviation of the logarithm of repeated measurements, where there are any.
    unreadable : list of Unreadable
    """

    corpus: Corpus
    latency_ms: Mapping[str, Floats]
    rows: tuple[int, ...]
    repeat: float | None
    unreadable: list[Unreadable]


def read_models(measurements: Sequence[Measured], *, strict: bool = False) -> Read:
    """Read the models of measurements, each once, with the median of its repeats.

    A model whose repeats contradict each other is left out, as one that can't be read is.

    Parameters
    ----------
    measurements : sequence of Measured
    strict : bool
        Raise for a model that can't be read, or has repeats that contradict each other, instead of leaving it
        out.

    Raises
    ------
    LearningError
        There is no measurement, a latency is not a positive number, or the repeats of a model contradict each
        other: of more than half of the models that have any, or of one when `strict`.
    PredictorError
        When `strict` and a model can't be read.
    """
    if not measurements:
        raise LearningError("there is no measurement: no row stands below the names of the columns")
    graphs: dict[Any, tuple[str, Graph, int]] = {}
    values: dict[tuple[str, Any], list[tuple[float, int]]] = {}
    failed: dict[Any, Unreadable] = {}
    for one in measurements:
        where = f"row {one.row}"
        if isinstance(one.latency_ms, bool) or not math.isfinite(one.latency_ms) or one.latency_ms <= 0.0:
            raise LearningError(
                f"{where}: the latency of {name_of(one.model)} is {one.latency_ms}; expected a positive "
                "number of ms"
            )
        path = isinstance(one.model, (str, os.PathLike))
        key = (os.fspath(one.model) if path else id(one.model), str(one.input_shape), one.model_type)
        if key in failed:
            continue
        if key not in graphs:
            kind = one.model_type or (type_of(os.fspath(one.model)) if path else None)
            try:
                graph = to_graph(one.model, kind, one.input_shape)
            except PredictorError as error:
                if strict:
                    raise
                failed[key] = Unreadable(name_of(one.model), one.row, str(error).splitlines()[0])
                continue
            graphs[key] = (name_of(one.model) if path else graph.name or f"model {one.row}", graph, one.row)
        values.setdefault((one.environment, key), []).append((one.latency_ms, one.row))
    names = dict(zip(graphs, _distinct([name for name, _, _ in graphs.values()])))
    kept: dict[str, dict[Any, float]] = {}
    contradictions: list[Unreadable] = []
    squares, degrees, repeated = 0.0, 0, 0
    for (environment, key), found in values.items():
        repeated += len(found) > 1
        ms = np.array([value for value, _ in found])
        logs = np.log(ms)
        near = np.abs(logs - np.median(logs)) <= math.log(_CONTRADICTION)
        if len(found) > 2 and near.sum() > 0.5 * len(found):
            # Most agree: what is far from their median was disturbed.
            for (value, row), agrees in zip(found, near):
                if not agrees:
                    reason = f"took {value:.4g} ms, its repeats {np.exp(np.median(logs)):.4g} ms"
                    failed[key, row] = Unreadable(names[key], row, reason)
            ms, logs = ms[near], logs[near]
        elif np.ptp(logs) > math.log(_CONTRADICTION):
            low, high = found[int(np.argmin(logs))], found[int(np.argmax(logs))]
            reason = (
                f"took {low[0]:.4g} ms in row {low[1]} and {high[0]:.4g} ms in row {high[1]}; "
                "expected repeats of one measurement"
            )
            contradictions.append(Unreadable(names[key], min(low[1], high[1]), reason))
            continue
        squares += float(((logs - logs.mean()) ** 2).sum())
        degrees += len(logs) - 1
        kept.setdefault(environment, {})[key] = float(np.median(ms))
    if contradictions and (strict or not kept or len(contradictions) > max(1, 0.5 * repeated)):
        # More than half are no busy minute: the rows are of different devices or settings.
        first, others = contradictions[0], repeated - 1
        raise LearningError(
            f"row {first.row}: {first.model} {first.reason}"
            + (
                f" (and {len(contradictions) - 1} of the other {others} models that stand twice)"
                if others
                else ""
            )
            + "; rows of several devices or settings need a column environment, or a file each"
        )
    repeat = math.sqrt(squares / degrees) if degrees else None
    measured = [key for key in graphs if any(key in column for column in kept.values())]
    return Read(
        Corpus([(names[key], graphs[key][1]) for key in measured]),
        {
            environment: np.array([column.get(key, math.nan) for key in measured])
            for environment, column in kept.items()
        },
        tuple(graphs[key][2] for key in measured),
        repeat,
        [*failed.values(), *contradictions],
    )


def refuse_contradictions(read: Read, rules: Rules) -> None:
    """Refuse two models that differ in name alone, with latencies that can't both be right.

    Parameters
    ----------
    read : Read
    rules : Rules
        By which models are cut into kernels; those with the same kernels are the same network.

    Raises
    ------
    LearningError
        The message names both rows.
    """
    names = read.corpus.names
    for i, first in enumerate(read.corpus.cut(rules).same()):
        for column in read.latency_ms.values():
            # Where either was not measured, the comparison is false.
            if abs(np.log(column[i] / column[first])) > math.log(_CONTRADICTION):
                raise LearningError(
                    f"rows {read.rows[first]} and {read.rows[i]}: {names[first]} and {names[i]} are the same "
                    f"network, but took {column[first]:.4g} ms and {column[i]:.4g} ms; take out the wrong one"
                )


def name_of(model: Any) -> str:
    """Return what a model is called in tables."""
    if isinstance(model, (str, os.PathLike)):
        return Path(model).stem if Path(model).suffix in TYPES else Path(model).name
    return str(getattr(model, "name", "") or type(model).__name__)


def _distinct(names: Sequence[str]) -> list[str]:
    """Names with a number behind those that stand twice."""
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return out
