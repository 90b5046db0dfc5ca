"""Latency of candidates on one or several devices, each architecture predicted once."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from predictor_core import load_latency_predictor
from predictor_core.ir.graph import Shape
from predictor_core.predictor import LatencyPredictor

if TYPE_CHECKING:
    from nnmeter_nni.candidates.candidate import Candidate
    from nnmeter_nni.space.memo import SpaceMemo

_logger = logging.getLogger(__name__)


class CandidateLatency:
    """Callable: candidate -> latency in ms by predictor name.

    Parameters
    ----------
    predictors : sequence of str or LatencyPredictor
        The devices.
    predictor_version : str or float, optional
        Version of those given by name. Default: the latest.
    input_shape : tuple of int, optional
        Input shape of the candidates, batch first, channels second. Default: what each candidate records,
        else (1, 3, 224, 224).

    Attributes
    ----------
    names : dict
        Each of `predictors` -> the name that its latencies are listed under.
    known : int
        Calls that were answered from memory.
    last_sample : mapping
        Label -> choice of the candidate asked for last.
    """

    def __init__(
        self,
        predictors: Sequence[str | LatencyPredictor],
        predictor_version: str | float | None = None,
        *,
        input_shape: Shape | None = None,
    ) -> None:
        loaded = [
            load_latency_predictor(one, predictor_version) if isinstance(one, str) else one
            for one in predictors
        ]
        self.predictors: dict[str, LatencyPredictor] = {one.name: one for one in loaded}  # type: ignore[misc]
        if len(self.predictors) < len(loaded):
            raise ValueError(f"each device may be given once, but got {[one.name for one in loaded]}")
        self.names = {given: one.name for given, one in zip(predictors, loaded)}
        self.input_shape = None if input_shape is None else tuple(input_shape)
        self.known = 0
        self.last_sample: Mapping[str, Any] = {}
        self._spaces: dict[Hashable, SpaceMemo] = {}
        self._told_default = False

    def __call__(self, candidate: Any) -> dict[str, float]:
        """Predict a candidate.

        Raises
        ------
        PredictorError
            When it can't be predicted.
        """
        from nnmeter_nni.candidates import DEFAULT_INPUT_SHAPE, describe, record_to_graph

        record = describe(candidate)
        self.last_sample = record.sample
        shape = self.input_shape or record.input_shape
        if shape is None:
            shape = DEFAULT_INPUT_SHAPE
            if not self._told_default:
                self._told_default = True
                _logger.warning("no input_shape is given and the candidates record none; taking %s", shape)
        if record.space is None:
            graph = record_to_graph(record, shape)
            return {name: float(one.predict_graphs([graph])[0]) for name, one in self.predictors.items()}
        space = self._space(record, shape)
        before = space.known
        answer = space.latencies(record.sample, lambda: record_to_graph(record, shape))
        self.known += space.known - before
        return dict(zip(self.predictors, answer.tolist()))

    def _space(self, record: Candidate, shape: Shape) -> SpaceMemo:
        from nnmeter_nni.space.memo import SpaceMemo

        key = (record.space, shape)
        if key not in self._spaces:
            self._spaces[key] = SpaceMemo(record, shape, list(self.predictors.values()))
        return self._spaces[key]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_spaces": {}}
