"""Devices: what is asked for latencies."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol, Union

from nnmeter_nni.errors import ArgumentTypeError, CandidateError
from predictor_core import load_latency_predictor
from predictor_core.ir.graph import Graph


class DevicePredictor(Protocol):
    """What is asked for latencies: a loaded predictor, or an object of the user with these two members."""

    @property
    def name(self) -> str:
        """What its latencies are listed under."""

    def predict(self, model: Any) -> float:
        """Return the latency of a `Graph` in ms."""


#: A device: the name of a predictor, or a predictor.
Predictor = Union[str, DevicePredictor]


def load_device(given: Predictor, version: str | float | None) -> DevicePredictor:
    """Return the predictor of a name, or the predictor itself, checked.

    Raises
    ------
    ArgumentTypeError
        When it is neither.
    UnknownPredictorError
        When there is no predictor of the name and version.
    """
    if isinstance(given, str):
        loaded: DevicePredictor = load_latency_predictor(given, version)
        return loaded
    if isinstance(getattr(given, "name", None), str) and callable(getattr(given, "predict", None)):
        return given
    hint = ""
    if isinstance(given, Collection):
        hint = "; for several devices write one threshold for each: {'cortexA76cpu_tflite21': 100, ...}"
    raise ArgumentTypeError(
        "a predictor must be a name, e.g. 'cortexA76cpu_tflite21', or an object with the attributes name and "
        f"predict, but got {given!r}{hint}"
    )


def latency_of(graph: Graph, predictor: DevicePredictor) -> float:
    """Return the latency of a Graph in ms.

    Raises
    ------
    CandidateError
        When the predictor of a user returns what is no latency.
    """
    # Predictors of this package are asked for Graphs as such; of a user's, `predict` is all that is needed.
    of_graphs = getattr(predictor, "predict_graphs", None)
    answer = predictor.predict(graph) if of_graphs is None else of_graphs([graph])[0]
    try:
        latency_ms = float(answer)
    except (TypeError, ValueError):
        latency_ms = float("nan")
    if not 0.0 <= latency_ms < float("inf"):
        raise CandidateError(
            f"the predictor {predictor.name!r} must return a finite latency in ms, but got {answer!r}"
        )
    return latency_ms
