"""A torch module as an ONNX model, for what the direct tracer can't follow. The weights are not written."""

from __future__ import annotations

import inspect
import io
import logging
import re
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from functools import reduce
from typing import Any

import torch

from predictor_core.errors import ModelFormatError, PredictorError, requires
from predictor_core.frontends.torch.module_copy import ModuleCopy
from predictor_core.frontends.torch.quiet import no_dump, no_logs
from predictor_core.frontends.torch.tensors import mapped, random_state_kept, tensors_of, to_meta
from predictor_core.text import MAX_REASON, one_line

#: Opset of the TorchScript exporter: the first that has LayerNormalization as one op.
_OPSET = 17

_SENTENCE_END = re.compile(r"\.\s+(?=[A-Z(`\[])")
_LOGGER = logging.getLogger(__name__)


def export(model: torch.nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Export a module with torch's TorchScript exporter or, where that fails, its dynamo exporter.

    Parameters
    ----------
    model : torch.nn.Module
        Read only. The TorchScript exporter runs it once, in evaluation mode and without copying its weights.
    args : sequence
        Positional arguments of ``forward``. Tensors on the meta device stand for zeros.
    kwargs : mapping
        Its keyword arguments.

    Returns
    -------
    onnx.ModelProto
        Weights have a shape and no data.

    Raises
    ------
    ModelFormatError
        When neither exporter can convert the model.
    MissingDependencyError
        When onnx is not installed.
    """
    with requires("onnx", "onnx", "Converting a torch model via ONNX"):
        import onnx  # noqa: F401
    reasons = []
    partial: _Partial | None = None
    for exporter in (_torchscript, _dynamo):
        try:
            with random_state_kept(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return exporter(model, args, kwargs)
        except PredictorError:
            raise
        except _Partial as found:
            partial = found
        except Exception as error:
            _LOGGER.info("%s failed", exporter.__name__, exc_info=error)
            reasons.append(f"{exporter.__name__[1:]} exporter: {_reason(error)}")
    if partial is not None:
        _LOGGER.warning("%s", partial)
        return partial.proto
    raise ModelFormatError("; ".join(reasons))


class _Partial(Exception):
    """A model could be exported only without what it writes to its state and does not return."""

    def __init__(self, proto: Any, states: Collection[str]) -> None:
        super().__init__(f"what is written to {', '.join(sorted(states))} and not returned is left out")
        self.proto = proto


def _torchscript(model: torch.nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    device = next((p.device for p in model.parameters() if not p.is_meta), torch.device("cpu"))
    runnable = model if isinstance(model, torch.jit.ScriptModule) else _runnable(model)
    inputs = [_real(value, device) for value in args]
    if kwargs:
        inputs += _positional(runnable, len(args), {key: _real(one, device) for key, one in kwargs.items()})
    # Gradients are on for the exporter's sake: nothing goes backward, so that no activation has to be kept.
    forgotten = torch.autograd.graph.saved_tensors_hooks(lambda _: None, lambda _: None)
    with _flags_kept(model), no_dump(), torch.enable_grad(), forgotten:
        proto, states = _exported(runnable, inputs)
        if not states:
            return proto
        # The exporter leaves out what is neither returned nor read by what is.
        try:
            return _exported(_returning(runnable, len(inputs), sorted(states)), inputs)[0]
        except Exception as error:
            raise _Partial(proto, states) from error


def _exported(runnable: torch.nn.Module, inputs: Sequence[Any]) -> tuple[Any, set[str]]:
    """Return a module as an ONNX model without weights, and the names of the buffers that a run changes."""
    import onnx

    buffer = io.BytesIO()
    with _states(runnable) as states:
        torch.onnx.export(
            runnable,
            tuple(inputs),
            buffer,
            export_params=False,
            do_constant_folding=False,
            opset_version=_OPSET,
            **({"dynamo": False} if _has_dynamo() else {}),
        )
    proto = onnx.load_model_from_string(buffer.getvalue())
    weights = {name for name, _ in (*runnable.named_parameters(), *runnable.named_buffers())} - states
    for value in [value for value in proto.graph.input if value.name in weights]:
        kind = value.type.tensor_type
        proto.graph.initializer.add(
            name=value.name,
            data_type=kind.elem_type,
            dims=[dim.dim_value for dim in kind.shape.dim],
            data_location=onnx.TensorProto.EXTERNAL,
        )
        proto.graph.input.remove(value)
    return proto, states


def _returning(runnable: torch.nn.Module, given: int, states: Sequence[str]) -> torch.nn.Module:
    """Return a module that takes as many inputs, and returns what it has left in its states, too."""
    if isinstance(runnable, torch.jit.ScriptModule):
        holder = torch.nn.Module()
        holder.model = runnable
        script: Any = torch.jit.script(holder)
        arguments = runnable.forward.schema.arguments[1 : 1 + given]
        typed = ", ".join(f"{one.name}: {one.type.annotation_str}" for one in arguments)
        script.define(
            f"def forward(self, {typed}):\n"
            f"    made = self.model({', '.join(one.name for one in arguments)})\n"
            f"    return made, {', '.join(f'self.model.{state}' for state in states)}\n"
        )
        return script
    forward = runnable.forward

    def returning(*args: Any, **kwargs: Any) -> Any:
        made = forward(*args, **kwargs)
        return *tensors_of(made), *(reduce(getattr, state.split("."), runnable) for state in states)

    runnable.__dict__["forward"] = returning
    return runnable


def _runnable(model: torch.nn.Module) -> torch.nn.Module:
    module_copy = ModuleCopy(model, replacement=_shared)
    known = {id(parameter) for parameter in module_copy.module.parameters()}
    for tensor in module_copy.replacements().values():
        # The exporter takes parameters of modules that are no submodules for constants without gradient.
        if tensor.is_leaf and id(tensor) not in known:
            tensor.requires_grad_(False)
    return module_copy.module


def _positional(runnable: Any, given: int, kwargs: Mapping[str, Any]) -> list[Any]:
    """Return keyword arguments as positional ones, which is all that every release of the exporter takes."""
    if isinstance(runnable, torch.jit.ScriptModule):
        names = [argument.name for argument in runnable.forward.schema.arguments[1 + given :]]
        last = max((names.index(name) for name in kwargs if name in names), default=-1)
        return [kwargs.get(name) for name in names[: last + 1]]
    forward = runnable.forward

    def positional(*args: Any) -> Any:
        return forward(*args[:given], **dict(zip(kwargs, args[given:])))

    runnable.__dict__["forward"] = positional
    return list(kwargs.values())


def _dynamo(model: torch.nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    if not _has_dynamo():
        raise RuntimeError(f"torch {torch.__version__} has none that takes this model")
    import onnx_ir

    module = ModuleCopy(model).module
    program = _program(module, args, kwargs)
    states = _states_of(program)
    if states:
        program = _program(_returning(module, len(args), states), args, kwargs)
    graph = program.model.graph
    for state in _states_of(program):
        graph.inputs.append(graph.initializers.pop(state))
    for value in graph.initializers.values():
        if getattr(value.const_value.raw, "is_meta", False):
            value.const_value = onnx_ir.ExternalTensor(
                "", 0, 0, value.const_value.dtype, shape=value.const_value.shape, name=value.name
            )
    return program.model_proto


def _program(module: torch.nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    # torch.export prints the graph where it fails, and logs tracebacks, whatever its options say.
    with redirect_stderr(io.StringIO()), no_logs():
        return torch.onnx.export(
            module,
            to_meta(tuple(args)),
            kwargs=to_meta(dict(kwargs)),
            dynamo=True,
            optimize=False,
            verbose=False,
        )


def _states_of(program: Any) -> list[str]:
    """Return the names of the buffers that a program writes to."""
    return sorted(set(program.exported_program.graph_signature.buffers_to_mutate.values()))


def _has_dynamo() -> bool:
    return "dynamo" in inspect.signature(torch.onnx.export).parameters


def _shared(tensor: torch.Tensor) -> torch.Tensor:
    """Return what stands for one of the caller's tensors while the model runs.

    Parameters are aliased, buffers copied because ``forward`` may write to them, and tensors without data are
    zeros that all lie in one element. Parameters require gradients: without them, attention layers choose
    fused kernels that have no ONNX form.
    """
    if tensor.is_meta:
        made = torch.zeros((), dtype=tensor.dtype).expand(tensor.shape)
    else:
        made = tensor.detach() if isinstance(tensor, torch.nn.Parameter) else tensor.detach().clone()
    return made.requires_grad_(isinstance(tensor, torch.nn.Parameter) and tensor.is_floating_point())


def _real(value: Any, device: torch.device) -> Any:
    return mapped(
        value, lambda one: torch.zeros_like(one, device=device) if one.is_meta else one.detach().to(device)
    )


@contextmanager
def _flags_kept(model: torch.nn.Module) -> Iterator[None]:
    """Put back the modes of scripted modules, which can't be copied and are switched by the exporter."""
    flags = [
        (module, module.training) for module in model.modules() if isinstance(module, torch.jit.ScriptModule)
    ]
    for module, _ in flags:
        module.training = False
    try:
        yield
    finally:
        for module, flag in flags:
            module.training = flag


@contextmanager
def _states(runnable: torch.nn.Module) -> Iterator[set[str]]:
    """Give the names of the buffers that a run has changed, once it is over, and put their values back."""
    before = {
        name: (buffer, buffer._version, buffer.detach().clone()) for name, buffer in runnable.named_buffers()
    }
    changed: set[str] = set()
    try:
        yield changed
    finally:
        now = dict(runnable.named_buffers())
        for name, (buffer, version, values) in before.items():
            written, rebound = buffer._version != version, now.get(name) is not buffer
            if (written or rebound) and buffer.is_floating_point():
                changed.add(name)
            if written:
                with torch.no_grad():
                    buffer.copy_(values)
            if rebound:
                *owners, attribute = name.split(".")
                setattr(reduce(getattr, owners, runnable), attribute, buffer)


def _reason(error: BaseException) -> str:
    """Tell in a sentence what went wrong first: exporters wrap it into errors on how far they came."""
    while error.__cause__ is not None:
        error = error.__cause__
    first_line = str(error).strip().partition("\n")[0]
    return one_line(f"{type(error).__name__}: {_SENTENCE_END.split(first_line, maxsplit=1)[0]}", MAX_REASON)
