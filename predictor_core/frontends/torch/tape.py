"""Tape of the direct tracer: the Nodes so far, and which of their results each tensor holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch

from predictor_core.frontends.torch.aliases import Aliases
from predictor_core.frontends.torch.module_copy import ModuleCopy
from predictor_core.frontends.torch.states import States
from predictor_core.frontends.torch.tensors import Indexed, modes_see_indexing
from predictor_core.ir.graph import Node


class Tape:
    """Nodes, and the tensors of the running module that hold their results.

    Parameters
    ----------
    module_copy : ModuleCopy
        The module that runs; it tells scopes.
    states : collection of int
        Ids of tensors of the caller's module that a call finds as the one before has left them: inputs.
    """

    def __init__(self, module_copy: ModuleCopy, states: Collection[int] = ()) -> None:
        self.module_copy = module_copy
        self.nodes: list[Node] = []
        #: What had to be assumed, each once.
        self.warnings: dict[str, None] = {}
        #: Tensor name by object id, for tensors that depend on the model's input.
        self.names: dict[int, str] = {}
        #: Ids of those among them that have the values which they get from the given input.
        self.valued: set[int] = set()
        #: Whether what is recorded has been computed, too, so that what it writes to keeps its values.
        self.is_computed = False
        #: Ids of meta tensors that do not depend on the model's input.
        self.constants: set[int] = set(module_copy.originals)
        #: Result by (op, input, attributes), of ops that are recorded once.
        self.repeated: dict[tuple[Any, ...], torch.Tensor] = {}
        self.states = States(module_copy, states)
        self.aliases = Aliases()
        self._must_adopt = not modes_see_indexing()
        for tensor in module_copy.replacements().values():
            self._adopt(tensor)
        self._alive: list[Any] = []
        self._used: dict[str, int] = {}
        for original, tensor, path in self.states.found():
            self.constants.discard(id(tensor))
            self.input(tensor, path)
            self.states.names[original] = self.names[id(tensor)]

    def input(self, tensor: torch.Tensor, name: str, *, has_values: bool = False) -> torch.Tensor:
        """Declare a tensor as an input, which may have values that hold for it."""
        if has_values:
            self.valued.add(id(tensor))
        self.nodes.append(Node(self._unique(name), "input", outputs=(tuple(tensor.shape),)))
        self.names[id(tensor)] = self.nodes[-1].name
        self._adopt(tensor)
        self._alive.append(tensor)
        return tensor

    def record(
        self, op: str, sources: Sequence[Any], results: Sequence[torch.Tensor], attrs: Mapping[str, Any]
    ) -> None:
        """Append a Node that reads the tracked ones of `sources` and makes `results`.

        Nothing is recorded of what has no elements: from then on it is a constant.
        """
        names = self.names
        if not any(one.numel() for one in results):
            self.constants.update(id(one) for one in results)
            self._alive.append(results)
            return
        scope = self.module_copy.scopes[-1]
        if scope and scope in self.module_copy.leaves and scope not in self._used:
            base = scope
        else:
            base = f"{scope}.{op}" if scope else op
        inputs = tuple([names[id(source)] for source in sources if id(source) in names])
        node = Node(
            self._unique(base), op, inputs, attrs, tuple([tuple(one.shape) for one in results]), scope
        )
        self.nodes.append(node)
        for result, tensor in zip(results, node.tensors):
            names[id(result)] = tensor
            self._adopt(result)
        self._alive.append(results)

    def bind(self, target: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
        """Let `target` alone hold `result` from now on."""
        name = self.names.get(id(result))
        if not self.is_computed and id(result) not in self.valued:
            self.valued.discard(id(target))
        if name is None:
            self.names.pop(id(target), None)
            self.constants.add(id(target))
        else:
            self.names[id(target)] = name
        self._adopt(target)
        self._alive.append(target)
        if target.shape != result.shape:
            if target.is_meta == result.is_meta:
                target.data = result
            else:
                target.resize_(result.shape)
        return target

    def overwrite(
        self,
        target: torch.Tensor,
        result: torch.Tensor,
        part: torch.Tensor | None = None,
        index: Any = None,
    ) -> torch.Tensor:
        """Let `target`, and what it is a view of, hold `result` from now on, as an in-place function does.

        `part` is what was written at `index`, where that is less than all of `target`.
        """
        if result is not target and self.aliases.are_one(result, target):
            return target
        self.bind(target, result)
        if id(target) not in self.names:
            return target
        base = self.aliases.base(target)
        self.states.note_written(base)
        if base is not target:
            if base.numel() == result.numel():
                whole = self.shaped_as(base, result)
            else:
                whole = torch.empty(base.shape, dtype=base.dtype, device="meta")
                self.record("ScatterND", [base, result if part is None else part], [whole], {})
            self.bind(base, whole)
        self.aliases.note_written(target, index)
        return target

    def shaped_as(self, like: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
        """Return a tensor in the shape of another, recorded where that is a reshape."""
        if like.shape == tensor.shape or id(tensor) not in self.names:
            return tensor
        made = torch.empty(like.shape, dtype=like.dtype, device="meta")
        self.record("reshape", [tensor], [made], {})
        return made

    def keep(self, constant: torch.Tensor) -> None:
        """Note a meta tensor that does not depend on the model's input."""
        self.constants.add(id(constant))
        self._adopt(constant)
        self._alive.append(constant)

    def _adopt(self, tensor: torch.Tensor) -> None:
        if self._must_adopt and type(tensor) is torch.Tensor:
            tensor.__class__ = Indexed

    def _unique(self, base: str) -> str:
        count = self._used.get(base, 0)
        self._used[base] = count + 1
        if not count:
            return base
        name = f"{base}_{count}"
        return name if name not in self._used else self._unique(name)
