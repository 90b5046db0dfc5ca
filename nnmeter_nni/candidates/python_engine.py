"""Candidates of NNI 2.x's Python engine: a class, its arguments and the history of mutations."""

from __future__ import annotations

from typing import Any

from torch import nn

from nnmeter_nni.candidates.build import build
from nnmeter_nni.candidates.candidate import Candidate, freeze


def read(candidate: Any) -> Candidate | None:
    """Read a ``Model`` that has a ``python_class``; None for anything else."""
    python_class = getattr(candidate, "python_class", None)
    if python_class is None or not hasattr(candidate, "history"):
        return None
    arguments = dict(candidate.python_init_params or {})
    sample = history(candidate)

    def fixed() -> nn.Module:
        from nni.nas.utils import ContextStack

        with ContextStack("fixed", sample):
            module: nn.Module = python_class(**arguments)
        return module

    return Candidate(
        "python",
        build=lambda: build(fixed),
        sample=sample,
        space=(python_class, freeze(arguments)),
        build_space=lambda: build(lambda: python_class(**arguments)),
        keep=arguments,
    )


def history(candidate: Any) -> dict[str, Any]:
    """Return label -> choice (or list of choices) from the mutations of a ``Model``."""
    sample = {}
    for mutation in candidate.history:
        chosen = list(mutation.samples)
        sample[mutation.mutator.label] = chosen[0] if len(chosen) == 1 else chosen
    return sample
