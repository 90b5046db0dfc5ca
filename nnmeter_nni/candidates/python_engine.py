"""Candidates of NNI 2.x's Python engine: a class, its arguments and the history of mutations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnmeter_nni.candidates.build import build
from nnmeter_nni.candidates.candidate import Candidate, freeze


def read(candidate: Any) -> Candidate | None:
    """Read a ``Model`` that has a ``python_class``; None for anything else."""
    python_class = getattr(candidate, "python_class", None)
    if python_class is None or not hasattr(candidate, "history"):
        return None
    return record(python_class, candidate.python_init_params or {}, history(candidate))


def record(python_class: Any, arguments: Mapping[str, Any], sample: Mapping[str, Any]) -> Candidate:
    """Describe the candidate that a class makes of its arguments in the context of a sample.

    Parameters
    ----------
    python_class : type
        Class of the space.
    arguments : mapping
        Arguments of its constructor.
    sample : mapping
        Label -> choice.
    """

    def fixed() -> Any:
        from nni.nas.utils import ContextStack

        with ContextStack("fixed", dict(sample)):
            return python_class(**arguments)

    return Candidate(
        "python",
        build=lambda: build(fixed),
        sample=sample,
        space=(python_class, freeze(arguments)),
        build_space=lambda: build(lambda: python_class(**arguments)),
        keep=arguments,
    )


def history(candidate: Any) -> dict[str, Any]:
    """Return label -> choice (or list of choices) from the mutations of a ``Model``.

    Choices of the evaluator are left out: they do not change the model.
    """
    sample: dict[str, Any] = {}
    for mutation in candidate.history:
        kind, label, chosen = type(mutation.mutator).__name__, mutation.mutator.label, mutation.samples
        if kind.startswith("Evaluator"):
            continue
        # The graph engine draws a depth or an argument by one mutator, and has another carry it out.
        if not chosen and (label is None or label in sample):
            continue
        key = f"{label} ({kind})" if label in sample else label
        sample[key] = chosen[0] if len(chosen) == 1 else list(chosen)
    return sample
