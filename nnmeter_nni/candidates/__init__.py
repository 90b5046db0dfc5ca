"""Whatever NNI proposes, as a Graph."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnmeter_nni._nni import require_torch
from nnmeter_nni.candidates.candidate import Candidate, freeze
from predictor_core.errors import ModelFormatError, PredictorError
from predictor_core.frontends import find
from predictor_core.ir.graph import Graph, Shape
from predictor_core.ir.inputs import GivenShapes, InputShapes

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "DEFAULT_INPUT_SHAPE",
    "candidate_to_graph",
    "describe",
    "freeze",
    "load",
    "module_to_graph",
    "record_to_graph",
]

DEFAULT_INPUT_SHAPE: Shape = (1, 3, 224, 224)


def describe(candidate: Any) -> Candidate:
    """Return the `Candidate` record of a candidate of any kind.

    Raises
    ------
    ModelFormatError
        When it is none of the kinds that NNI proposes, or a whole space.
    MissingDependencyError
        When torch is not installed.
    """
    require_torch("predicting a candidate")
    from torch import nn

    from nnmeter_nni.candidates import graph_engine, model_space, python_engine

    if isinstance(candidate, nn.Module):
        model_space.refuse_open(candidate)
        return Candidate("module", lambda: candidate)
    for reader in (python_engine, graph_engine, model_space):
        found: Candidate | None = reader.read(candidate)
        if found is not None:
            return found
    raise ModelFormatError(
        f"got a candidate of type {type(candidate).__name__}; expected a torch.nn.Module, an NNI 2.10 Model "
        "(Python or graph engine, or its dumped IR), or an NNI 3.0 ExecutableModelSpace"
    )


def candidate_to_graph(candidate: Any, input_shape: GivenShapes = None) -> Graph:
    """Convert a candidate to a Graph.

    Parameters
    ----------
    candidate : object
        An NNI 2.10 ``Model`` of the Python or the graph engine (or the dict of its ``_dump()``), a frozen
        NNI 3.0 ``ExecutableModelSpace`` in raw, simplified or graph format, or a ``torch.nn.Module``.
    input_shape : optional
        Shape of the input, batch first, channels second, or of several inputs (see
        `predictor_core.ir.inputs.InputShapes`). Default: what the candidate records (the dummy input of a
        graph engine), else (1, 3, 224, 224).

    Returns
    -------
    Graph
        Canonical, channels last. No weights are allocated and no random state moves.

    Raises
    ------
    PredictorError
        When the candidate is of no known kind, or can't be traced; the message says why.
    """
    record = describe(candidate)
    if input_shape is None:
        input_shape = record.input_shape or DEFAULT_INPUT_SHAPE
    return record_to_graph(record, input_shape)


def record_to_graph(record: Candidate, input_shape: GivenShapes) -> Graph:
    """Build and trace a described candidate.

    Raises
    ------
    PredictorError
        When its constructor or its ``forward`` fails.
    """
    try:
        module = record.build()
    except PredictorError:
        raise
    except Exception as error:
        raise ModelFormatError(
            f"the candidate {dict(record.sample)} can't be built: {type(error).__name__}: {error}"
        ) from error
    # A module without weights can't be exported, so only the caller's own may take the way via ONNX.
    via = None if record.kind == "module" else "direct"
    given = InputShapes(input_shape)
    if len(given.ordered) == 1:
        given.ordered.extend(record.more_inputs)
    return module_to_graph(module, given.named or given.ordered, via=via)


def module_to_graph(module: nn.Module, input_shape: GivenShapes, *, via: str | None = "direct") -> Graph:
    """Trace a module; `via` is an option of the torch front end."""
    return find("torch")(module, input_shape=input_shape, via=via)


def load(model: Any, *, input_shape: GivenShapes = None) -> Graph:
    """Front end of model type ``nni-ir``: a candidate, or the path of a dumped IR (JSON).

    Parameters
    ----------
    model : object or path
        See `candidate_to_graph`.
    input_shape : optional
        See `candidate_to_graph`.
    """
    if isinstance(model, (str, Path)):
        try:
            model = json.loads(Path(model).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ModelFormatError(f"{model} is not the JSON of an NNI graph: {error}") from error
    return candidate_to_graph(model, input_shape)
