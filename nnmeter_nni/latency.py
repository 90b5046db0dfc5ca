"""CandidateLatency: latency of candidates on one or several devices, each architecture predicted once."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nnmeter_nni.device import DevicePredictor, Predictor, latency_of, load_device
from nnmeter_nni.errors import ArgumentError, CandidateError
from nnmeter_nni.limits import checked_shape
from predictor_core.errors import MissingDependencyError, PredictorError
from predictor_core.ir.graph import Shape

if TYPE_CHECKING:
    from nnmeter_nni.candidates.candidate import Candidate
    from nnmeter_nni.space.memo import SpaceMemo

_logger = logging.getLogger(__name__)


class CandidateLatency:
    """Callable: candidate -> latency in ms by predictor name.

    A candidate is read once, whatever the number of devices, and an architecture that was asked for before
    is answered from memory.

    Parameters
    ----------
    predictors : str, predictor, or sequence of those
        The devices.
    predictor_version : str or float, optional
        Version of those given by name. Default: the latest.
    input_shape : tuple of int, or several, optional
        Input shape of the candidates, batch first, channels second; of several inputs in order. Default:
        what each candidate records, else (1, 3, 224, 224).

    Attributes
    ----------
    predictors : dict of str to predictor
        The loaded predictors by name.
    names : dict
        Each of `predictors` -> the name that its latencies are listed under.
    known : int
        Calls that were answered from memory.
    last_sample : mapping
        Label -> choice of the candidate of the last call.

    Raises
    ------
    ArgumentError
        When there is no predictor, one is given twice, or one is neither a name nor a predictor.
    UnknownPredictorError
        When there is no predictor of a name.
    """

    def __init__(
        self,
        predictors: Predictor | Sequence[Predictor],
        predictor_version: str | float | None = None,
        *,
        input_shape: Shape | Sequence[Shape] | None = None,
    ) -> None:
        if isinstance(predictors, str) or not isinstance(predictors, Sequence):
            predictors = [predictors]
        loaded = [load_device(one, predictor_version) for one in predictors]
        if not loaded:
            raise ArgumentError("expected at least one device, e.g. ['cortexA76cpu_tflite21'], but got none")
        self.predictors: dict[str, DevicePredictor] = {one.name: one for one in loaded}
        if len(self.predictors) < len(loaded):
            raise ArgumentError(f"each device may be given once, but got {[one.name for one in loaded]}")
        self.names = {given: one.name for given, one in zip(predictors, loaded)}
        self.input_shape = None if input_shape is None else checked_shape(input_shape)
        self.known = 0
        self.last_sample: Mapping[str, Any] = {}
        self._spaces: dict[Hashable, SpaceMemo] = {}
        self._told_default = False

    def __call__(self, candidate: Any) -> dict[str, float]:
        """Predict a candidate.

        Raises
        ------
        PredictorError
            When it can't be predicted, whatever the candidate or a predictor of the user raises.
        """
        self.last_sample = {}
        try:
            return self._predict(candidate)
        except MissingDependencyError:
            raise
        except PredictorError as error:
            if self.last_sample and not error.origin:
                error.origin = f"the candidate {dict(self.last_sample)}"
            raise
        except Exception as error:
            raise CandidateError(
                f"the candidate {dict(self.last_sample) or type(candidate).__name__} can't be predicted: "
                f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            ) from error

    def bounds(self) -> dict[str, tuple[float, float]] | None:
        """Return proven bounds on the latencies of all candidates of the space.

        Returns
        -------
        dict of str to (float, float), or None
            Predictor name -> latency in ms of the fastest and of the slowest candidate. None while they are
            not proven, or when candidates of more than one space were predicted.
        """
        from nnmeter_nni.space.bounds import proven_bounds

        if len(self._spaces) != 1:
            return None
        (space,) = self._spaces.values()
        found = proven_bounds(space)
        return None if found is None else dict(zip(self.predictors, found))

    def _predict(self, candidate: Any) -> dict[str, float]:
        from nnmeter_nni.candidates import DEFAULT_INPUT_SHAPE, describe, record_to_graph

        record = describe(candidate)
        self.last_sample = record.sample
        shape = self.input_shape or record.input_shape
        if shape is None:
            shape = DEFAULT_INPUT_SHAPE
            if not self._told_default:
                self._told_default = True
                _logger.warning(
                    "no input_shape is given and the candidates record none; taking %s. "
                    "Write LatencyFilter(..., input_shape=(1, 3, height, width))",
                    shape,
                )
        if record.space is None:
            graph = record_to_graph(record, shape)
            return {name: latency_of(graph, one) for name, one in self.predictors.items()}
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
