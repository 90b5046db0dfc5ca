"""Candidates of NNI 3.x: an ``ExecutableModelSpace`` in raw or simplified format."""

from __future__ import annotations

from typing import Any

from nnmeter_nni.candidates.build import build
from nnmeter_nni.candidates.candidate import Candidate, freeze
from predictor_core.errors import ModelFormatError


def read(candidate: Any) -> Candidate | None:
    """Read a frozen ``RawFormatModelSpace`` or ``SimplifiedModelSpace``; None for anything else."""
    if not hasattr(candidate, "executable_model") or hasattr(candidate, "graphs"):
        return None
    if not candidate.status.frozen():
        raise ModelFormatError(
            f"got a model space of {len(candidate.simplify())} choices, which has no single latency; "
            "freeze it with a sample first, or predict the whole space with nnmeter_nni.SpaceLatency"
        )
    sample = dict(candidate.sample or {})
    if hasattr(candidate, "model"):
        recipe = candidate.model
        return Candidate(
            "space",
            build=lambda: build(candidate.executable_model),
            sample=sample,
            space=(recipe.trace_symbol, freeze(recipe.trace_args), freeze(recipe.trace_kwargs)),
            build_space=lambda: build(lambda: recipe.trace_copy().get(traceable=False)),
            keep=recipe,
        )
    original = candidate.model_space
    return Candidate(
        "space",
        build=candidate.executable_model,
        sample=sample,
        space=("raw", id(original)) if sample else None,
        build_space=lambda: build(lambda: original.trace_copy().get(traceable=False)),
        keep=original,
    )
