"""Spaces of NNI 2.10: a module under ``model_wrapper``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nni.nas.nn.pytorch.mutator import extract_mutation_from_pt_module
from torch import nn

from nnmeter_nni.candidates.candidate import Candidate
from nnmeter_nni.candidates.python_engine import record
from predictor_core.errors import PredictorError


class RetiariiSource:
    """Choices of a wrapped module.

    Raises
    ------
    PredictorError
        When it is not one, or has choices whose values depend on other choices.
    """

    def __init__(self, space: Any) -> None:
        if not isinstance(space, nn.Module):
            raise PredictorError(
                f"expected a module under NNI's model_wrapper, but got {type(space).__name__}"
            )
        base, mutators = extract_mutation_from_pt_module(space)
        self._class = base.python_class
        self._arguments = dict(base.python_init_params or {})
        self.values: dict[str, list[Any]] = {}
        for mutator in mutators or ():
            candidates, base = mutator.dry_run(base)
            if len(candidates) != 1:
                raise PredictorError(
                    f"the choice {mutator.label!r} makes {len(candidates)} decisions at once; "
                    "predict candidates of this space one by one, with nnmeter_nni.CandidateLatency"
                )
            self.values[mutator.label] = list(candidates[0])

    def record(self, sample: Mapping[str, Any]) -> Candidate:
        """Describe a candidate."""
        return record(self._class, self._arguments, sample)
