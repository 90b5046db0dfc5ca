"""LatencyProfiler: latency for the one-shot strategies of NNI 3.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nnmeter_nni._nni import base_class
from nnmeter_nni.candidates import DEFAULT_INPUT_SHAPE
from nnmeter_nni.device import Predictor
from nnmeter_nni.space import SpaceLatency
from nnmeter_nni.space.latency import only
from predictor_core.ir.graph import Shape

if TYPE_CHECKING:
    ExpressionProfiler: Any
else:
    ExpressionProfiler = base_class(
        retiarii=None,
        nas="nni.nas.profiler:ExpressionProfiler",
        instead="under NNI 2.10 use SpaceLatency, or strategy.Random(model_filter=LatencyFilter(...))",
    )


class LatencyProfiler(ExpressionProfiler):
    """Profiler of the latency in ms of the models of a space.

    Use it with NNI's ``RangeProfilerFilter``, ``SampleProfilerPenalty`` and ``ExpectationProfilerPenalty``.

    Parameters
    ----------
    model_space : ModelSpace
        The space to profile; it is not changed.
    predictor : str or predictor
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

    Raises
    ------
    NniVersionError
        Under NNI 2.10, which has no profilers.
    MissingDependencyError
        When NNI or torch is not installed.
    PredictorError
        When the space has no choices, or no candidate of it can be built.
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
        from nni.mutable import Categorical, MutableExpression

        self.space = SpaceLatency(model_space, predictor, predictor_version, input_shape=input_shape)
        table = self.space.latency_table()
        self.expression: Any = table.base_ms
        for label, listed in table.choices.items():
            # NNI's expectation takes distributions over single values: of one input, not of a list of one.
            terms = {only(value): ms for value, ms in listed.items()}
            self.expression = self.expression + MutableExpression.switch_case(
                Categorical(list(terms), label=label), terms
            )

    def profile(self, sample: Mapping[str, Any]) -> float:
        """Return the latency of a sample in ms.

        Parameters
        ----------
        sample : mapping
            Label -> choice; labels that the space does not have, as those of an evaluator, are left out.
        """
        return self.space.latency({label: sample[label] for label in self.space.choices})
