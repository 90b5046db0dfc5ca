"""Candidates of NNI 2.x's Python engine: a class, its arguments and the history of mutations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

from nnmeter_nni.candidates.build import build
from nnmeter_nni.candidates.candidate import Candidate, freeze


def read(candidate: Any) -> Candidate | None:
    """Read a ``Model`` that has a ``python_class``; None for anything else."""
    python_class = getattr(candidate, "python_class", None)
    if python_class is None or not hasattr(candidate, "history"):
        return None
    mutators = [mutation.mutator for mutation in candidate.history]
    return record(
        python_class, candidate.python_init_params or {}, history(candidate), pick_modules(mutators)
    )


def record(
    python_class: Any, arguments: Mapping[str, Any], sample: Mapping[str, Any], picks_modules: bool
) -> Candidate:
    """Describe the candidate that a class makes of its arguments in the context of a sample.

    Parameters
    ----------
    python_class : type
        Class of the space.
    arguments : mapping
        Arguments of its constructor.
    sample : mapping
        Label -> choice.
    picks_modules : bool
        See `pick_modules`.
    """

    def fixed() -> nn.Module:
        from nni.nas.utils import ContextStack

        with ContextStack("fixed", dict(sample)):
            module: nn.Module = python_class(**arguments)
        return module

    return Candidate(
        "python",
        build=lambda: build(fixed),
        sample=sample,
        space=(python_class, freeze(arguments)),
        build_space=(lambda: build(lambda: python_class(**arguments))) if picks_modules else None,
        keep=arguments,
    )


def pick_modules(mutators: Iterable[Any]) -> bool:
    """Whether all mutators of the model only pick modules, as layer choices do."""
    kinds = {type(mutator).__name__ for mutator in mutators if not _of_evaluator(mutator)}
    return kinds <= {"LayerChoiceMutator"}


def _of_evaluator(mutator: Any) -> bool:
    return type(mutator).__name__.startswith("Evaluator")


def history(candidate: Any) -> dict[str, Any]:
    """Return label -> choice (or list of choices) from the mutations of a ``Model``.

    Choices of the evaluator are left out: they do not change the model.
    """
    sample = {}
    for mutation in candidate.history:
        mutator = mutation.mutator
        if not _of_evaluator(mutator):
            chosen = mutation.samples
            sample[mutator.label] = chosen[0] if len(chosen) == 1 else list(chosen)
    return sample
