"""Copy of a torch module: same structure and classes, other tensors for weights, evaluation mode.

Running the copy runs the user's own ``forward`` code without touching the user's model: flags,
hooks, buffers and containers that ``forward`` may change belong to the copy, and no weight is
copied: a meta tensor, which has a shape and no storage, stands for it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from predictor_core.errors import ModelFormatError
from predictor_core.frontends.torch.copies import ATOMS, Copier

#: Hooks are not part of what is deployed; tensors that they have computed (weight norm, pruning) stay.
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")

#: Packages whose own hooks are: their models return what these have kept of inner layers.
_HOOKING = ("timm.", "transformers.")

#: Buffers up to this size that hold integers or flags keep their values: ``forward`` may branch on them.
_SMALL_BUFFER = 1024


#: Attributes of every module in which ``forward`` keeps no tensor for its next call.
_FIXED = frozenset(torch.nn.Module().__dict__) - {"_buffers"}


def _held(value: Any) -> list[torch.Tensor]:
    """Tensors that an attribute is or has items of."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (list, tuple, deque)):
        value = (value,)
    return [one for one in value if isinstance(one, torch.Tensor)]


def _meta(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")


def _module_of(hook: Any) -> str:
    while isinstance(hook, partial):
        hook = hook.func
    return str(getattr(hook, "__module__", ""))


class ModuleCopy:
    """A runnable copy of a module without its weights.

    Parameters
    ----------
    model : torch.nn.Module
        Any module; it is only read.
    replacement : callable, optional
        Makes the tensor that stands for one of the caller's; a meta tensor by default.

    Attributes
    ----------
    module : torch.nn.Module
        The copy, in evaluation mode.
    scopes : list of str
        Path of the module whose ``forward`` runs, innermost last; starts as ``[""]``.
    leaves : set of str
        Paths of the modules that have no submodules.
    originals : dict of int to Tensor
        The caller's tensor by the id of its replacement, to read the value of a scalar constant.
    failed : str or None
        Path of the innermost module whose ``forward`` has raised.

    Raises
    ------
    ModelFormatError
        For lazy modules whose shapes are not known yet.
    """

    def __init__(
        self, model: torch.nn.Module, replacement: Callable[[torch.Tensor], torch.Tensor] = _meta
    ) -> None:
        self._replacement = replacement
        self.scopes: list[str] = [""]
        self.leaves: set[str] = set()
        self.originals: dict[int, torch.Tensor] = {}
        self.failed: str | None = None
        self._memo: dict[int, Any] = {}
        self._modules: list[tuple[torch.nn.Module, torch.nn.Module]] = []
        self._copier = Copier(self._memo, self._own)
        self.module: torch.nn.Module = self._module(model, "")

    def tensor(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the tensor that stands for one of the caller's."""
        known = self._memo.get(id(tensor))
        if known is None:
            if isinstance(tensor, torch.nn.parameter.UninitializedTensorMixin):
                raise ModelFormatError(
                    "the model has lazy modules whose shapes are not known; run it once on an input first"
                )
            known = self._replacement(tensor)
            self._memo[id(tensor)] = known
            self.originals[id(known)] = tensor
        return known

    def replacements(self) -> dict[int, torch.Tensor]:
        """Return the tensors that stand for the caller's, by the ids of those."""
        return {key: value for key, value in self._memo.items() if isinstance(value, torch.Tensor)}

    def rebound(self) -> dict[int, torch.Tensor]:
        """Return the tensors that are now in the places of the caller's, by the ids of those."""
        found = {}
        for module, copy in self._modules:
            for key, value in module.__dict__.items():
                if key in _FIXED or type(value) in ATOMS:
                    continue
                before, after = _held(value), _held(copy.__dict__.get(key))
                if len(before) == len(after):
                    pairs = zip(before, after)
                    found.update({id(old): new for old, new in pairs if self._memo.get(id(old)) is not new})
        return found

    def release(self) -> None:
        """Take the copy apart: its modules refer to themselves, and would wait for the garbage collector."""
        for value in self._memo.values():
            if isinstance(value, torch.nn.Module):
                value.__dict__.clear()

    def _buffer(self, tensor: torch.Tensor) -> torch.Tensor:
        size = tensor.numel() if not tensor.is_meta else _SMALL_BUFFER + 1
        if id(tensor) not in self._memo and (
            size == 1 or (size <= _SMALL_BUFFER and not tensor.is_floating_point())
        ):
            self._memo[id(tensor)] = tensor.detach().clone()
        return self.tensor(tensor)

    def _module(self, module: torch.nn.Module, path: str) -> torch.nn.Module:
        known = self._memo.get(id(module))
        if known is not None:
            return known
        if isinstance(module, torch.jit.ScriptModule):
            return module
        copy: torch.nn.Module = object.__new__(type(module))
        self._memo[id(module)] = copy
        self._modules.append((module, copy))
        inner = copy.__dict__
        own = module.__dict__
        inner.update(own)
        for key in _HOOKS:
            if key in own:
                inner[key] = OrderedDict(
                    (number, self._copier.copy(hook, path))
                    for number, hook in own[key].items()
                    if _module_of(hook).startswith(_HOOKING)
                )
        inner["training"] = False
        inner["_compiled_call_impl"] = None
        inner["_parameters"] = {
            key: None if value is None else self.tensor(value) for key, value in own["_parameters"].items()
        }
        inner["_buffers"] = {
            key: None if value is None else self._buffer(value) for key, value in own["_buffers"].items()
        }
        prefix = path + "." if path else ""
        inner["_modules"] = {
            key: None if value is None else self._module(value, prefix + key)
            for key, value in own["_modules"].items()
        }
        for key, value in own.items():
            if type(value) not in ATOMS and inner[key] is value:
                inner[key] = self._copier.copy(value, prefix + key)
        inner["forward"] = self._scoped(copy.forward, path)
        if not own["_modules"]:
            self.leaves.add(path)
        return copy

    def _own(self, value: Any, path: str) -> Any:
        """Return the copy of a module or a tensor, NotImplemented for anything else."""
        if isinstance(value, torch.nn.Module):
            return self._module(value, path)
        return self._buffer(value) if isinstance(value, torch.Tensor) else NotImplemented

    def _scoped(self, forward: Callable[..., Any], path: str) -> Callable[..., Any]:
        scopes = self.scopes

        def scoped(*args: Any, **kwargs: Any) -> Any:
            scopes.append(path)
            try:
                return forward(*args, **kwargs)
            except Exception:
                if self.failed is None:
                    self.failed = path
                raise
            finally:
                scopes.pop()

        return scoped
