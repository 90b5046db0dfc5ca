"""Front end for torch modules: a direct trace, or ONNX where the direct trace can't follow."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from predictor_core.budget import meter
from predictor_core.errors import ModelFormatError, PredictorError, missing_dependency, own_errors, requires
from predictor_core.frontends import find, model_types
from predictor_core.frontends.common.values import AS_FLOAT
from predictor_core.ir.graph import Graph, Shape
from predictor_core.ir.inputs import GivenShapes, InputShapes
from predictor_core.ir.layout import channels_last
from predictor_core.text import MAX_REASON, one_line

DEFAULT_SHAPE = (1, 3, 224, 224)

_VIAS = (None, "direct", "onnx")
#: Packages of the modules that torch.ao puts in place of float ones.
_QUANTISED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized")
_LOGGER = logging.getLogger(__name__)


def load(
    model: Any,
    *,
    input_shape: GivenShapes = None,
    example_inputs: Any = None,
    via: str | None = None,
    apply_nni: bool = False,
) -> Graph:
    """Convert a torch module to a Graph, without running or copying its weights.

    The module is read as it is deployed, in evaluation mode; the caller's object keeps its mode, weights,
    buffers and hooks (hooks are not called), and the random state stays as it is.

    Parameters
    ----------
    model : torch.nn.Module, torch.export.ExportedProgram, or path
        A module on any device, the meta device included. A path is that of a ``.pt2`` file of
        ``torch.export.save``; nothing in it is run. Pickled modules and TorchScript archives are refused.
    input_shape : sequence of int, sequence of those, or mapping, optional
        Shape of the input, of each input in order, or of inputs by their name in ``forward``; with or
        without the batch dimension. Default: (1, 3, 224, 224); of an exported program what it states, with
        an open batch of 1 and the example's sizes of other open dimensions.
    example_inputs : Tensor, sequence or mapping, optional
        Inputs to take shapes and types from, in place of `input_shape`: one tensor, the positional
        arguments of ``forward``, or its keyword arguments.
    via : {None, "direct", "onnx"}
        How to convert. None: directly, or via ONNX where that fails (with a warning in the log).
    apply_nni : bool
        Convert with NNI's own tracer, for models written with NNI's ``nn``.

    Returns
    -------
    Graph
        Canonical; `Node.scope` is the path of the module that each node comes from.

    Raises
    ------
    PredictorError
        For a bad `input_shape` or `via`.
    ModelFormatError
        When `model` is no module, or can't be converted.
    MissingDependencyError
        When torch, or onnx for ``via="onnx"``, is not installed.
    """
    with requires("torch", "torch", "Reading a torch model"):
        import torch  # noqa: F401
    if via not in _VIAS:
        raise PredictorError(f"via={via!r}; expected 'direct', 'onnx' or None")
    if apply_nni:
        return _load_nni(model, input_shape)
    if isinstance(model, (str, os.PathLike)):
        return _load_file(Path(model), input_shape, example_inputs, via)
    module = _module(model)
    assumed: tuple[str, ...] = ()
    program_inputs = None
    if example_inputs is None:
        program_inputs, assumed = _exported(model, input_shape)
    if program_inputs is not None:
        candidates = _arguments(module, None, program_inputs)
    else:
        candidates = _arguments(module, input_shape, example_inputs)
    name = type(module).__name__
    advice = "check input_shape" if example_inputs is None else "check example_inputs"
    direct_error: Exception | None = None
    from predictor_core.frontends.torch.call import (
        BatchMissing,
        DataDependent,
        Untraceable,
        depends_on_values,
    )
    from predictor_core.frontends.torch.direct import call_error, trace

    # Where the way is via ONNX, the trace still tells whether the values of the input decide something.
    for args, kwargs in list(candidates):
        try:
            nodes, outputs, warnings = trace(module, args, kwargs, values=via != "onnx")
        except BatchMissing as error:
            direct_error = error
            if len(candidates) > 1:
                del candidates[0]
        except Untraceable as error:
            if direct_error is None or isinstance(direct_error, BatchMissing):
                direct_error = error
        else:
            if via != "onnx":
                return channels_last(nodes, name, outputs, (*assumed, *warnings))
            break
    reason = one_line(str(direct_error), MAX_REASON)
    if via != "onnx":
        if via == "direct" or all(call_error(module, args, kwargs) for args, kwargs in candidates):
            advice += "" if via is None else ", or use via='onnx'"
            raise ModelFormatError(
                f"can't trace {name} with {_described(candidates)}: {reason}; {advice}"
            ) from direct_error
        _LOGGER.warning("%s can't be traced directly (%s); converting via ONNX", name, reason)
    from predictor_core.frontends.torch.via_onnx import export

    onnx_error: Exception | None = None
    for args, kwargs in candidates:
        try:
            proto = export(module, args, kwargs)
            meter().restart()
            graph = find("onnx")(proto)
        except PredictorError as error:
            onnx_error = onnx_error or error
        else:
            warnings = (*assumed, *graph.warnings)
            if isinstance(direct_error, DataDependent):
                values = "zeros" if example_inputs is None else "the example inputs"
                warnings = (*warnings, depends_on_values(direct_error, values))
            return Graph(graph.nodes, graph.name, graph.outputs, graph.free, warnings)
    reasons = []
    if direct_error and via != "onnx":
        reasons.append(f"directly: {reason}")
    reasons.append(f"via ONNX: {onnx_error}")
    raise ModelFormatError(
        f"can't convert {name} with {_described(candidates)} ({'; '.join(reasons)}); {advice}"
    ) from (direct_error or onnx_error)


def _load_nni(model: Any, input_shape: GivenShapes) -> Graph:
    if find_spec("nni") is None or "nni-ir" not in model_types():
        raise missing_dependency("nni", "nni", "apply_nni=True")
    return find("nni-ir")(model, input_shape=DEFAULT_SHAPE if input_shape is None else input_shape)


def _load_file(path: Path, input_shape: GivenShapes, example_inputs: Any, via: str | None) -> Graph:
    """Read a ``.pt2`` file; its ops are traced as those of a module."""
    from predictor_core.frontends.torch.program import read_program

    with own_errors(path):
        program = read_program(path)
        graph = load(program, input_shape=input_shape, example_inputs=example_inputs, via=via or "direct")
    warnings = dict.fromkeys((*graph.warnings, AS_FLOAT) if program.quantised else graph.warnings)
    return Graph(graph.nodes, path.stem, graph.outputs, graph.free, warnings)


def _exported(model: Any, input_shape: GivenShapes) -> tuple[Any, tuple[str, ...]]:
    """Return inputs of an exported program, and what was assumed of them; (None, ()) for a module."""
    import torch

    from predictor_core.frontends.torch.exported import fill, inputs_of
    from predictor_core.frontends.torch.program import Program

    inputs = model.inputs if isinstance(model, Program) else []
    if isinstance(model, torch.export.ExportedProgram):
        inputs = inputs_of(model)
    if not inputs:
        return None, ()
    tensors, assumed = fill(inputs, input_shape)
    # torch's own module of a program takes inputs by the names that its original gave them.
    by_name = isinstance(input_shape, Mapping) and not isinstance(model, Program)
    return tensors if by_name else tuple(tensors.values()), assumed


def _module(model: Any) -> Any:
    """Return the module inside wrappers that only tell how to run it."""
    import torch

    if isinstance(model, torch.export.ExportedProgram):
        return model.module()
    if not isinstance(model, torch.nn.Module):
        raise ModelFormatError(f"expected a torch.nn.Module, got {type(model).__name__}")
    if isinstance(model, (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)):
        return _module(model.module)
    compiled = getattr(model, "_orig_mod", None)
    if isinstance(compiled, torch.nn.Module):
        return _module(compiled)
    for path, module in model.named_modules():
        if type(module).__module__.startswith(_QUANTISED):
            raise ModelFormatError(
                f"module {path!r} is quantised ({type(module).__name__} of torch.ao) and can't be traced; "
                "give the float model: int8 predictors cost its int8 form"
            )
    return model


_Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def _arguments(module: Any, input_shape: GivenShapes, example_inputs: Any) -> list[_Arguments]:
    """Arguments of ``forward`` to try in turn: as given, then with the batch dimension added."""
    import torch

    if example_inputs is not None:
        if input_shape is not None:
            raise PredictorError("give input_shape or example_inputs, not both")
        if isinstance(example_inputs, Mapping):
            return [((), dict(example_inputs))]
        if isinstance(example_inputs, (tuple, list)):
            return [(tuple(example_inputs), {})]
        return [((example_inputs,), {})]
    given = InputShapes(DEFAULT_SHAPE if input_shape is None else input_shape)
    dtype = next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)
    ranks = [len(shape) for shape in (*given.ordered, *given.named.values())]
    batches: list[tuple[int, ...]] = [(1,)] if 1 in ranks else [()]
    if batches == [()] and (2 in ranks or 3 in ranks):
        batches.append((1,))

    def empty(shape: Shape) -> Any:
        return torch.empty(shape, dtype=dtype, device="meta")

    by_name = _keyword_only(module, len(given.ordered))
    places = len(given.ordered) - len(by_name)
    named = {**dict(zip(by_name, given.ordered[places:])), **given.named}
    return [
        (
            tuple([empty(batch + shape) for shape in given.ordered[:places]]),
            {name: empty(batch + shape) for name, shape in named.items()},
        )
        for batch in batches
    ]


def _keyword_only(module: Any, inputs: int) -> list[str]:
    """Names of the last of some inputs in order, which ``forward`` takes by keyword alone."""
    try:
        parameters = list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError):
        return []
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return []
    names = [one.name for one in parameters if one.kind is one.KEYWORD_ONLY]
    return names[: max(0, inputs - (len(parameters) - len(names)))]


def _described(candidates: Sequence[_Arguments]) -> str:
    import torch

    args, kwargs = candidates[0]
    inputs = [
        str(list(value.shape)) if isinstance(value, torch.Tensor) else type(value).__name__
        for value in (*args, *kwargs.values())
    ]
    return f"inputs {', '.join(inputs)}"
