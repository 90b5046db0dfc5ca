"""Spaces of NNI 2.10: a module under ``model_wrapper``."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, combinations, product
from typing import Any

from nni.nas.nn.pytorch.mutator import ManyChooseManyMutator, extract_mutation_from_pt_module
from nni.nas.utils import is_model_wrapped
from torch import nn

from nnmeter_nni.candidates.candidate import Candidate
from nnmeter_nni.candidates.python_engine import record
from nnmeter_nni.errors import kind_of
from predictor_core.errors import PredictorError

#: Values of one choice that are listed: all subsets of a dozen inputs, and no more.
_MOST_VALUES = 4096


class RetiariiSource:
    """Choices of a wrapped module.

    Raises
    ------
    PredictorError
        When it is not one, or has choices whose values depend on other choices.
    """

    def __init__(self, space: Any) -> None:
        if not isinstance(space, nn.Module) or not is_model_wrapped(space):
            raise PredictorError(f"expected a module under NNI's model_wrapper, but got {kind_of(space)}")
        base, mutators = extract_mutation_from_pt_module(space)
        self._class = base.python_class
        self._arguments = dict(base.python_init_params or {})
        self.values: dict[str, list[Any]] = {}
        for mutator in mutators or ():
            decisions, base = mutator.dry_run(base)
            values = _values(mutator, decisions, base)
            if values is None:
                raise PredictorError(
                    f"the choice {mutator.label!r} has no list of at most {_MOST_VALUES} values; "
                    "predict candidates of this space one by one, with nnmeter_nni.CandidateLatency"
                )
            self.values[mutator.label] = values

    def record(self, sample: Mapping[str, Any]) -> Candidate:
        """Describe a candidate."""
        return record(self._class, self._arguments, sample)


def _values(mutator: Any, decisions: list[list[Any]], base: Any) -> list[Any] | None:
    """Return what a choice can be; None where that is no list of values, or too long a one."""
    if not isinstance(mutator, ManyChooseManyMutator):
        return None
    node = base.get_nodes_by_label(mutator.label)[0]
    chosen = mutator.number_of_chosen(node)
    if chosen == 1:
        return list(decisions[0])
    options = mutator.candidates(node)
    # Any number of inputs is any subset; of a fixed number, NNI draws each by itself.
    if (2 ** len(options) if chosen is None else len(options) ** chosen) > _MOST_VALUES:
        return None
    if chosen is not None:
        return [list(one) for one in product(options, repeat=chosen)]
    sizes = range(len(options) + 1)
    return [list(one) for one in chain.from_iterable(combinations(options, size) for size in sizes)]
