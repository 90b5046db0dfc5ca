"""Spaces of NNI 3.0: a ``ModelSpace`` module, or an ``ExecutableModelSpace``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nni.mutable import Categorical, CategoricalMultiple, MutableAnnotation, SampleValidationError
from nni.nas.space import ExecutableModelSpace, SimplifiedModelSpace
from torch import nn

from nnmeter_nni.candidates import describe
from nnmeter_nni.candidates.candidate import Candidate
from nnmeter_nni.errors import CandidateError, kind_of
from predictor_core.errors import PredictorError


class NasSource:
    """Choices of a model space.

    Raises
    ------
    PredictorError
        When it is not one, or has choices without a finite list of values.
    """

    def __init__(self, space: Any) -> None:
        if isinstance(space, nn.Module) and hasattr(space, "simplify"):
            space = SimplifiedModelSpace.from_model(space)
        if not isinstance(space, ExecutableModelSpace):
            raise PredictorError(f"expected an NNI ModelSpace, but got {kind_of(space)}")
        self._space = space
        self.values: dict[str, list[Any]] = {}
        for label, mutable in space.simplify().items():
            if isinstance(mutable, MutableAnnotation):
                continue
            if not isinstance(mutable, (Categorical, CategoricalMultiple)):
                raise PredictorError(
                    f"the choice {label!r} ({type(mutable).__name__}) has no finite list of values; "
                    "predict candidates of this space one by one, with nnmeter_nni.CandidateLatency"
                )
            self.values[label] = list(mutable.grid())

    def record(self, sample: Mapping[str, Any]) -> Candidate:
        """Describe a candidate.

        Raises
        ------
        PredictorError
            When the sample breaks a constraint of the space, or its candidate can't be built.
        """
        try:
            return describe(self._space.freeze(dict(sample)))
        except SampleValidationError as error:
            raise PredictorError(f"the sample breaks a constraint of the space: {error}") from error
        except Exception as error:
            raise CandidateError(
                f"the candidate {dict(sample)} can't be built: {type(error).__name__}: {error}"
            ) from error
