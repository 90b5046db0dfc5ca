"""Candidates of NNI 3.x: an ``ExecutableModelSpace`` in raw or simplified format; spaces that are none."""

from __future__ import annotations

import sys
from typing import Any

from nnmeter_nni._nni import installed_major
from nnmeter_nni.candidates.build import build
from nnmeter_nni.candidates.candidate import Candidate, freeze
from predictor_core.errors import ModelFormatError


def read(candidate: Any) -> Candidate | None:
    """Read a frozen ``RawFormatModelSpace`` or ``SimplifiedModelSpace``; None for anything else."""
    if not hasattr(candidate, "executable_model") or hasattr(candidate, "graphs"):
        return None
    if not candidate.status.frozen():
        raise _no_single_latency(len(candidate.simplify()))
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


def refuse_open(module: Any) -> None:
    """Refuse the module of a space of either NNI whose choices are open: its ``forward`` takes any of them.

    Raises
    ------
    ModelFormatError
        When choices are open.
    """
    # No module is a space unless this is loaded, which takes seconds.
    if "nni.nas" not in sys.modules:
        return
    choices: Any = None
    if getattr(module, "_nni_model_wrapper", False):
        from nni.nas.nn.pytorch.mutator import extract_mutation_from_pt_module

        choices = extract_mutation_from_pt_module(module)[1]
    elif installed_major() == 3:
        from nni.nas.nn.pytorch import MutableModule

        choices = isinstance(module, MutableModule) and module.simplify()
    if choices:
        raise _no_single_latency(len(choices))


def _no_single_latency(count: int) -> ModelFormatError:
    return ModelFormatError(
        f"got a model space of {count} choices, which has no single latency; "
        "freeze it with a sample first, or predict the whole space with nnmeter_nni.SpaceLatency"
    )
