"""Direct tracer: run a module's ``forward`` on meta tensors and record each torch function as a Node.

Nothing is computed and no weight is allocated. Nodes come out channels first, as torch has them.
"""

from __future__ import annotations

import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from itertools import count
from pathlib import Path
from threading import Lock
from types import FunctionType
from typing import Any, NamedTuple

import torch

from predictor_core.errors import PredictorError
from predictor_core.frontends.torch.call import DataDependent, Untraceable, Valueless, depends_on_values
from predictor_core.frontends.torch.copies import copied
from predictor_core.frontends.torch.module_copy import ModuleCopy
from predictor_core.frontends.torch.ops import HANDLERS
from predictor_core.frontends.torch.recorder import Recorder
from predictor_core.frontends.torch.tensors import random_state_kept, tensors_of, to_meta
from predictor_core.ir.graph import Node

#: What torch says of functions whose result has a shape that depends on values.
_NEEDS_VALUES = (
    *("data-independent", "item() cannot be called on meta", "cannot repeat_interleave a meta"),
    *("aten::_unique", "aten::unique"),
)
#: How the names of the modules begin whose frames tell nothing of a model.
_NOT_THE_MODELS = ("torch.", f"{__package__}.")

#: Elements of an input whose values are carried through a trace: token ids, sizes of images, not images.
_MOST_CARRIED = 2**16

#: What ``torch.compiler.is_compiling`` returns; `_CAPTURE` is held while it is changed.
_FLAG = "_is_compiling_flag"
_CAPTURE = Lock()


def trace(
    model: torch.nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], *, values: bool = True
) -> tuple[list[Node], tuple[str, ...], tuple[str, ...]]:
    """Record what a module does to its inputs, in evaluation mode.

    Parameters
    ----------
    model : torch.nn.Module
        Read only: its flags, weights, buffers, hooks and the random state stay as they are.
    args : sequence
        Positional arguments of ``forward``; tensors on any device. Only shape and dtype are used, unless
        the model reads values: then those of small tensors of integers and flags are, too.
    kwargs : mapping
        Its keyword arguments.
    values : bool
        Whether a model that reads values is traced for those of its input, and of what it fills itself.

    Returns
    -------
    nodes : list of Node
        Channels first, in the order of execution.
    outputs : tuple of str
        Tensors that ``forward`` returns.
    warnings : tuple of str
        What had to be assumed.

    Raises
    ------
    Untraceable
        When the model is scripted, branches on the values of its input, or returns nothing that
        the tracer has seen.
    """
    reasons: list[Valueless] = []
    given = any(map(_has_values, tensors_of((args, kwargs))))
    for carried in (False, True) if values else (False,):
        for context in (nullcontext, _as_captured):
            try:
                with context():
                    nodes, outputs, warnings = _traced(model, args, kwargs, carried)
            except Valueless as error:
                reasons.append(error)
            except Untraceable as error:
                if not reasons:
                    raise
                if carried and given and context is nullcontext:
                    told = f"{_foremost(reasons)}; with the values that are given: {error}"
                    raise DataDependent(told) from error
            else:
                warning = (depends_on_values(_foremost(reasons)),) if carried and given else ()
                return nodes, outputs, (*warnings, *warning)
    raise _foremost(reasons)


def _foremost(reasons: Sequence[Valueless]) -> Valueless:
    """Return the first error that blames the input, or else the first."""
    return next((one for one in reasons if isinstance(one, DataDependent)), reasons[0])


def _has_values(tensor: torch.Tensor) -> bool:
    """Whether the values of an input are carried through a trace that needs them."""
    small = tensor.numel() <= _MOST_CARRIED
    return small and not (tensor.is_meta or tensor.is_floating_point() or tensor.is_complex())


@contextmanager
def _as_captured() -> Iterator[None]:
    """Tell libraries that torch captures the model: many leave out checks of values then."""
    with _CAPTURE:
        known = getattr(torch.compiler, _FLAG, None)
        try:
            if known is not None:
                setattr(torch.compiler, _FLAG, True)
            yield
        finally:
            if known is not None:
                setattr(torch.compiler, _FLAG, known)


class _Run(NamedTuple):
    """What a run of a module has recorded; `left` is what it leaves in the module's tensors, by their id."""

    recorder: Recorder
    outputs: list[str]
    left: dict[int, str]


def _traced(
    model: torch.nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], carried: bool
) -> tuple[list[Node], tuple[str, ...], tuple[str, ...]]:
    if _is_scripted(model):
        raise Untraceable("it contains TorchScript modules")
    states: set[int] = set()
    while True:
        run = _run(model, args, kwargs, carried, states)
        if run.left.keys() <= states:
            break
        # What a call finds as the one before has left it is an input.
        states |= run.left.keys()
    nodes, outputs = run.recorder.nodes, run.outputs
    if not outputs:
        raise Untraceable(
            "nothing that it returns depends on its input through functions that the tracer sees"
        )
    if states:
        names = run.recorder.states.names
        read = {*outputs, *(name for node in nodes for name in node.inputs)}
        unread = {name for name in names.values() if name not in read}
        nodes = [node for node in nodes if node.name not in unread]
        outputs += [name for state, name in run.left.items() if not {names[state], name} & unread]
    return nodes, tuple(dict.fromkeys(outputs)), tuple(run.recorder.warnings)


def _run(
    model: torch.nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    carried: bool,
    states: Collection[int],
) -> _Run:
    """Run a module whose tensors of the ids in `states` are inputs."""
    module_copy = ModuleCopy(model)
    recorder = Recorder(module_copy, HANDLERS, states, floats=carried)
    counter = count()

    def as_input(tensor: torch.Tensor) -> torch.Tensor:
        index = next(counter)
        has_values = carried and _has_values(tensor)
        made = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu" if has_values else "meta")
        if has_values:
            made.copy_(tensor)
        return recorder.input(made, f"input_{index}" if index else "input", has_values=has_values)

    inputs, named = copied((args, kwargs), as_input)
    with random_state_kept(), torch.no_grad():
        try:
            with recorder:
                result = module_copy.module(*inputs, **named)
            left = recorder.states.left(recorder.name_of)
            outputs = [name for name in map(recorder.name_of, _returned(result)) if name is not None]
        except Valueless as error:
            raise type(error)(f"{error}{_place(error)}") from error
        except Untraceable:
            raise
        except Exception as error:
            if any(mark in str(error) for mark in _NEEDS_VALUES):
                raise Valueless(f"a shape that depends on values{_place(error)}") from error
            where = f"module {module_copy.failed!r}: " if module_copy.failed else ""
            if isinstance(error, PredictorError):
                raise type(error)(f"{where}{error}") from error
            told = f": {error}" if str(error) else ""
            raise Untraceable(f"{where}{type(error).__name__}{told}") from error
        finally:
            module_copy.release()
    return _Run(recorder, outputs, left)


def _returned(result: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors that a module returns, those of objects such as caches included."""
    pending, seen = [result], {id(result)}
    while pending:
        value = pending.pop(0)
        if isinstance(value, torch.Tensor):
            yield value
            continue
        if isinstance(value, (tuple, list)):
            parts = list(value)
        elif isinstance(value, Mapping):
            parts = list(value.values())
        elif isinstance(value, (type, FunctionType, torch.nn.Module)):
            continue
        else:
            parts = list(getattr(value, "__dict__", {}).values())
        parts = [one for one in parts if id(one) not in seen]
        seen.update(map(id, parts))
        pending[:0] = parts


def call_error(model: torch.nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Exception | None:
    """Return the error with which a module refuses inputs of these shapes, whoever runs it.

    None where the module runs, fails only because meta tensors have no values, or is scripted.
    """
    if _is_scripted(model):
        return None
    module_copy = ModuleCopy(model)
    with random_state_kept(), torch.no_grad():
        try:
            inputs, named = copied((args, kwargs), to_meta)
            module_copy.module(*inputs, **named)
        except Exception as error:  # noqa: BLE001 - whatever the user's code raises is the answer
            return None if "meta" in str(error).lower() else error
        finally:
            module_copy.release()
    return None


def _is_scripted(model: torch.nn.Module) -> bool:
    return any(isinstance(module, torch.jit.ScriptModule) for module in model.modules())


def _place(error: BaseException) -> str:
    """File and line of the innermost frame of an error that is neither torch's nor the tracer's."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if not f"{frame.f_globals.get('__name__')}.".startswith(_NOT_THE_MODELS):
            return f", in line {line} of {Path(frame.f_code.co_filename).name}"
    return ""
