"""LatencyProfiler for NNI 3.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnmeter_nni._nni import nni_major
from nnmeter_nni.candidates import DEFAULT_INPUT_SHAPE
from nnmeter_nni.errors import NniVersionError
from nnmeter_nni.filter import Predictor
from nnmeter_nni.space import SpaceLatency
from predictor_core.ir.graph import Shape

if nni_major("nnmeter_nni.LatencyProfiler") != 3:
    raise NniVersionError(
        "LatencyProfiler is for NNI 3.0, whose one-shot strategies take profilers; under NNI 2.10 use "
        "nnmeter_nni.SpaceLatency, or strategy.Random(model_filter=LatencyFilter(...))"
    )

from nni.mutable import MutableExpression
from nni.nas.profiler import ExpressionProfiler


class LatencyProfiler(ExpressionProfiler):
    """Profiler of the latency in ms of the models of a space.

    Use it with NNI's ``RangeProfilerFilter``, ``SampleProfilerPenalty`` and ``ExpectationProfilerPenalty``.

    Parameters
    ----------
    model_space : ModelSpace
        The space to profile; it is not changed.
    predictor : str or LatencyPredictor
        The device.
    predictor_version : str or float, optional
        Version of the predictor. Default: the latest.
    input_shape : tuple of int
        Input shape, batch first, channels second.

    Attributes
    ----------
    space : SpaceLatency
        Latency of every sample.
    expression : MutableExpression
        Sum over choices of what their values add, for the expectation of a latency over distributions of
        choices. `profile` does not use it: it is exact, the sum is not where kernels span two choices.
    """

    def __init__(
        self,
        model_space: Any,
        predictor: Predictor,
        predictor_version: str | float | None = None,
        *,
        input_shape: Shape = DEFAULT_INPUT_SHAPE,
    ) -> None:
        super().__init__(model_space)
        self.space = SpaceLatency(model_space, predictor, predictor_version, input_shape=input_shape)
        table = self.space.latency_table()
        mutables = model_space.simplify()
        self.expression: Any = table.base_ms
        for label, values in table.choices.items():
            self.expression = self.expression + MutableExpression.switch_case(mutables[label], values)

    def profile(self, sample: Mapping[str, Any]) -> float:
        """Return the latency of a sample in ms."""
        return self.space.latency({label: sample[label] for label in self.space.choices})
