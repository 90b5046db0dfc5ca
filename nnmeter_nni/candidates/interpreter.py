"""Run an NNI graph (the IR of its graph engine) as a ``torch.nn.Module``, without generating code.

A node is a module, a cell (another graph), or a TorchScript op
with its arguments in schema order, so each TorchScript op is called as ``torch.ops.aten`` defines it.
"""

from __future__ import annotations

import functools
import operator
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from nnmeter_nni.candidates.ir import LOOSE, ROOT, Ir, read_graph, read_values, topological
from predictor_core.errors import GraphError, ModelFormatError, UnsupportedOpError

#: Prefixes of the node types that are modules.
_MODULES = ("__torch__.", "__mutated__.")

#: Ops on Python values, and those whose TorchScript schema has no eager counterpart.
_PYTHON_OPS: dict[str, Callable[..., Any]] = {
    "aten::__getitem__": operator.getitem,
    "aten::index": operator.getitem,
    "aten::append": lambda items, item: [*items, item],
    "aten::len": len,
    "aten::Int": int,
    "aten::Float": float,
    "aten::Bool": bool,
    "aten::IntImplicit": int,
    "aten::ScalarImplicit": lambda value: value,
    "aten::__not__": operator.not_,
    "aten::__is__": operator.is_,
    "aten::__isnot__": operator.is_not,
    "aten::floordiv": operator.floordiv,
    "aten::size": lambda tensor, dim=None: list(tensor.shape) if dim is None else tensor.shape[dim],
    "prim::ListConstruct": lambda *items: list(items),
    "prim::TupleConstruct": lambda *items: items,
    "prim::ListUnpack": lambda items: items,
    "prim::TupleUnpack": lambda items: items,
    "prim::unchecked_cast": lambda value: value,
    "noop_identity": lambda *values: values[0] if len(values) == 1 else values,
    "ToDevice": lambda value: value,
}
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    **{
        f"aten::{op}": getattr(operator, op)
        for op in ("add", "eq", "ge", "gt", "le", "lt", "mul", "ne", "sub")
    },
    "aten::div": operator.truediv,
    "aten::remainder": operator.mod,
}


class GraphModule(nn.Module):
    """One graph of the IR as a module; its cells are child modules.

    Parameters
    ----------
    ir : mapping
        All graphs, by name.
    name : str
        The graph to run.

    Raises
    ------
    ModelFormatError
        When the IR is not one of NNI's, or names a module class that is not importable here.
    """

    def __init__(self, ir: Ir, name: str = ROOT) -> None:
        super().__init__()
        graph = read_graph(ir, name)
        nodes = graph.nodes
        self._arguments = graph.arguments
        self._loose_count = len(graph.loose)
        self._order = topological(nodes, self._arguments)
        self._types: dict[str, str] = {}
        self._constants: dict[str, Any] = {}
        self._children_of: dict[str, str] = {}
        for node_name in self._order:
            operation = nodes[node_name]["operation"]
            kind, parameters = operation["type"], operation.get("parameters") or {}
            self._types[node_name] = kind
            if kind in ("prim::Constant", "prim::GetAttr"):
                self._constants[node_name] = _constant(node_name, kind, parameters)
            elif kind == "shared":
                self._children_of[node_name] = self._children_of[parameters["reference"]]
            elif kind == "_cell" or kind.startswith(_MODULES):
                self._add(node_name, nodes[node_name], _module(ir, operation))

    def _add(self, node_name: str, node: Ir, module: nn.Module) -> None:
        path = node.get("python_name") or node_name
        child = path.rsplit(".", 1)[-1].replace(".", "_") or node_name
        while child in self._modules or hasattr(self, child):
            child += "_"
        self.add_module(child, module)
        self._children_of[node_name] = child

    def forward(self, *inputs: Any) -> Any:
        """Run the nodes in order."""
        values: dict[str, Any] = {"_inputs": inputs}
        values.update(self._constants)
        if self._loose_count:
            values[LOOSE] = inputs[-self._loose_count :]
        for name in self._order:
            if name not in self._constants:
                values[name] = self._call(name, read_values(values, self._arguments.get(name, ())))
        outputs = read_values(values, self._arguments.get("_outputs", ()))
        if self._loose_count:
            read = {head for sources in self._arguments.values() for head, _ in sources}
            outputs += [values[name] for name in self._order if name not in read]
        if not outputs:
            raise GraphError("the NNI graph returns nothing; a candidate must have an output")
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _call(self, name: str, arguments: list[Any]) -> Any:
        child = self._children_of.get(name)
        if child is not None:
            return self._modules[child](*arguments)
        kind = self._types[name]
        if kind in _PYTHON_OPS:
            return _PYTHON_OPS[kind](*arguments)
        if kind.startswith("Function."):
            return getattr(functional, kind[len("Function.") :])(*arguments)
        if kind == "MergedSlice":
            return _merged_slice(arguments)
        if kind.startswith("aten::"):
            return _aten(kind, arguments)
        if kind in ("prim::is_cuda", "prim::data"):
            return getattr(arguments[0], kind.rpartition("::")[2])
        raise UnsupportedOpError(f"node {name!r} of the NNI graph has type {kind!r}, which can't be run")


class GraphChoice(nn.Module):
    """A layer choice of a space in IR form: holds its candidates until one takes its place."""

    def __init__(self, ir: Ir, operation: Ir) -> None:
        super().__init__()
        self.label: str = operation["parameters"]["label"]
        self.names: list[str] = list(operation["parameters"]["candidates"])
        nodes = ir[operation["cell_name"]]["nodes"]
        # Not add_module: a label may have dots.
        self._modules.update({name: _module(ir, nodes[name]["operation"]) for name in self.names})

    def __getitem__(self, name: str) -> Any:
        return self._modules[name]


def _module(ir: Ir, operation: Ir) -> nn.Module:
    """Make the module of a node: a choice, a cell, or a module of torch or the user."""
    parameters = operation.get("parameters") or {}
    if parameters.get("mutation") == "layerchoice":
        return GraphChoice(ir, operation)
    if operation["type"] == "_cell":
        return GraphModule(ir, operation["cell_name"])
    return _module_class(operation["type"])(**parameters)


def refuse_choices(ir: Ir, name: str = ROOT) -> None:
    """Raise when a graph, or one that it contains, still has choices.

    Raises
    ------
    ModelFormatError
        It is a space, not a candidate.
    """
    for node in read_graph(ir, name).nodes.values():
        parameters = node["operation"].get("parameters") or {}
        if parameters.get("mutation"):
            raise ModelFormatError(
                f"the NNI graph still has the choice {parameters.get('label')!r}: a space, not a candidate. "
                "Apply NNI's mutators, or predict the space with nnmeter_nni.SpaceLatency"
            )
        if node["operation"]["type"] == "_cell":
            refuse_choices(ir, node["operation"]["cell_name"])


def _aten(kind: str, arguments: list[Any]) -> Any:
    if kind in _ARITHMETIC and not any(isinstance(value, torch.Tensor) for value in arguments):
        return _ARITHMETIC[kind](*arguments[:2])
    if kind == "aten::contiguous":
        return arguments[0].contiguous()
    op = getattr(torch.ops.aten, kind[len("aten::") :], None)
    if op is None:
        raise UnsupportedOpError(f"this version of torch has no op {kind!r}")
    named = _keyword_only(kind, len(arguments))
    positional = len(arguments) - len(named)
    return op(*arguments[:positional], **dict(zip(named, arguments[positional:])))


@functools.cache
def _keyword_only(kind: str, count: int) -> tuple[str, ...]:
    """Names of the trailing arguments that eager torch takes by keyword: the IR has them all in a row."""
    for schema in torch._C._jit_get_schemas_for_operator(kind):
        if len(schema.arguments) == count:
            return tuple(argument.name for argument in schema.arguments if argument.kwarg_only)
    return ()


def _merged_slice(arguments: list[Any]) -> Any:
    """Apply slices that the converter merged: per dimension (dim, start, stop, step); a list has no dim."""
    value = arguments[0]
    if len(arguments) == 4:
        return value[slice(*arguments[1:])]
    for dim, start, stop, step in zip(*(iter(arguments[1:]),) * 4):
        value = torch.ops.aten.slice(value, dim, start, stop, step)
    return value


def _constant(name: str, kind: str, parameters: Ir) -> Any:
    if kind == "prim::GetAttr" and parameters.get("value") is None:
        raise UnsupportedOpError(
            f"node {name!r} of the NNI graph reads the attribute {parameters.get('name')!r} of a module, "
            "whose value is not in the graph; decorate that module with NNI's basic_unit"
        )
    return parameters.get("value")


def _module_class(kind: str) -> type[nn.Module]:
    """Class of a module type, e.g. ``__torch__.torch.nn.modules.conv.Conv2d``.

    The last part decides for torch's own modules, under whatever path NNI wraps them. Other classes are
    taken from modules that are imported already: naming one in a file must not import it, and must not call
    anything but a module's constructor.
    """
    path = kind.split(".", 1)[1]
    module_name, _, class_name = path.rpartition(".")
    own: Any = getattr(nn, class_name, None)
    if _is_module_class(own) and module_name.startswith(("torch.", "nni.")):
        return own  # type: ignore[no-any-return]
    found: Any = getattr(sys.modules.get(module_name), class_name, None)
    if found is None:
        raise ModelFormatError(
            f"the NNI graph has a module of class {path!r}, not imported here; import {module_name!r} first"
        )
    if not _is_module_class(found):
        raise ModelFormatError(f"the NNI graph has a module of class {path!r}, which is no torch.nn.Module")
    return found  # type: ignore[no-any-return]


def _is_module_class(found: Any) -> bool:
    return isinstance(found, type) and issubclass(found, nn.Module)
