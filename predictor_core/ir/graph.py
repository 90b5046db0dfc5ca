"""Graph and Node: the one form that every model takes before it is cut into kernels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from math import prod
from operator import itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple

from predictor_core.errors import GraphError
from predictor_core.ir.named import maker
from predictor_core.ir.order import topological_order

Shape = tuple[int, ...]

#: Largest accepted dimension and tensor, and most dimensions (those of numpy and torch): beyond them a shape
#: is a mistake, not a model.
MAX_DIM = 2**31 - 1
MAX_ELEMENTS = 2**40
MAX_RANK = 64

_INTEGERS = frozenset({int})
_ONE = frozenset({1})
_NO_ATTRS: Mapping[str, Any] = MappingProxyType({})


class Node(NamedTuple):
    """One op of a Graph.

    Parameters
    ----------
    name : str
        Unique in the graph.
    op : str
        Canonical op (`predictor_core.ir.ops`), or the original name of an op that is not known.
    inputs : tuple of str
        Names of the tensors read. A node with one output has one tensor, named as the node;
        one with several has ``name:0``, ``name:1``, ...
    attrs : mapping
        Attributes of the op; treated as read-only.
    outputs : tuple of tuple of int
        Output shapes: channels last, batch first.
    scope : str
        Path of the module that the node comes from, where the source has modules.
    """

    name: str
    op: str
    inputs: tuple[str, ...] = ()
    attrs: Mapping[str, Any] = _NO_ATTRS
    outputs: tuple[Shape, ...] = ()
    scope: str = ""

    @property
    def shape(self) -> Shape:
        """Shape of the first output."""
        return self.outputs[0]

    @property
    def tensors(self) -> tuple[str, ...]:
        """Names of the output tensors."""
        if len(self.outputs) <= 1:
            return (self.name,)
        return tuple(f"{self.name}:{i}" for i in range(len(self.outputs)))


make_node = maker(Node)
_NAME, _OUTPUTS, _FIRST = itemgetter(0), itemgetter(4), itemgetter(0)


class Graph:
    """An immutable, validated, topologically sorted list of Nodes.

    Parameters
    ----------
    nodes : iterable of Node
        In any order; kept where it already is topological.
    name : str
        Name of the model, for reports.
    outputs : iterable of str, optional
        Tensors that the model returns. Default: those that nothing reads.
    free : iterable of str, optional
        Names of source ops that were dropped because they cost nothing on any device.
    warnings : iterable of str, optional
        What the reader of the model had to assume; reports repeat it.

    Raises
    ------
    GraphError
        On a duplicate name, a dangling input, a cycle, or a shape that is missing, non-positive
        or gigantic. The message names the node.
    """

    __slots__ = (
        *("_by_name", "_consumers", "_returned", "_shapes", "_tensors"),
        *("free", "name", "nodes", "outputs", "warnings"),
    )

    def __init__(
        self,
        nodes: Iterable[Node],
        name: str = "",
        outputs: Iterable[str] = (),
        free: Iterable[str] = (),
        warnings: Iterable[str] = (),
    ) -> None:
        self.name = name
        self.free = tuple(free)
        self.warnings = tuple(warnings)
        given = tuple(nodes)
        _check_shapes(given)
        by_name: dict[str, Node] = dict(zip(map(_NAME, given), given))
        self._by_name = self._tensors = by_name
        one_each = len(by_name) == len(given) and {*map(len, map(_OUTPUTS, given))} == _ONE
        if one_each:
            self._shapes: dict[str, Shape] = dict(zip(by_name, map(_FIRST, map(_OUTPUTS, given))))
        else:
            self._tensors = tensors_of(given)
            self._shapes = {
                tensor: made for node in given for tensor, made in zip(node.tensors, node.outputs)
            }
        consumers = _consumers_in_order(given)
        if consumers is None:
            given = tuple(sorted_nodes(given))
            consumers = _consumers_in_order(given) or {}
        self.nodes: tuple[Node, ...] = given
        self._consumers: Mapping[str, Sequence[Node]] = consumers
        wanted = tuple(outputs)
        for tensor in wanted:
            if tensor not in self._tensors:
                raise GraphError(f"output {tensor!r} is not a tensor of the graph")
        if not wanted:
            read = {tensor for node in self.nodes for tensor in node.inputs}
            wanted = tuple([tensor for tensor in self._tensors if tensor not in read])
        self.outputs = wanted
        self._returned = frozenset(wanted)

    def __getitem__(self, name: str) -> Node:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        return self.nodes == other.nodes and self.outputs == other.outputs

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Graph({self.name!r}, {len(self.nodes)} nodes)"

    def __reduce__(self) -> tuple[Any, ...]:
        # The attributes of a node without any are a view, which can't be pickled.
        nodes = tuple([node._replace(attrs=dict(node.attrs)) for node in self.nodes])
        return (Graph, (nodes, self.name, self.outputs, self.free, self.warnings))

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The nodes of op ``input``."""
        return tuple(node for node in self.nodes if node.op == "input")

    def shape(self, tensor: str) -> Shape:
        """Shape of a tensor."""
        return self._shapes[tensor]

    def producer(self, tensor: str) -> Node:
        """Node that makes a tensor."""
        return self._tensors[tensor]

    def input_shapes(self, node: Node) -> tuple[Shape, ...]:
        """Shapes of the tensors that a node reads."""
        reads = node[2]
        # Most nodes read one, which takes half as long by itself.
        return (self._shapes[reads[0]],) if len(reads) == 1 else tuple(map(self._shapes.__getitem__, reads))

    def consumers(self, name: str) -> Sequence[Node]:
        """Nodes that read any output of the node `name`, each once, in order."""
        return self._consumers.get(name, ())

    def is_output(self, tensor: str) -> bool:
        """Whether the model returns a tensor."""
        return tensor in self._returned


def tensors_of(nodes: Iterable[Node]) -> dict[str, Node]:
    """Return who makes each tensor, or raise `GraphError` where a node or a tensor stands there twice."""
    names: set[str] = set()
    tensors: dict[str, Node] = {}
    for node in nodes:
        if node.name in names or node.name in tensors:
            raise GraphError(f"node {node.name!r} stands in the graph twice; names must be unique")
        names.add(node.name)
        for tensor in node.tensors:
            if tensor in tensors:
                raise GraphError(f"tensor {tensor!r} of node {node.name!r} has two producers")
            tensors[tensor] = node
    return tensors


def check_rank(shape: Shape, name: str, op: str) -> None:
    """Raise `GraphError` where an output of a node has more dimensions than a tensor may have."""
    if len(shape) > MAX_RANK:
        raise GraphError(
            f"node {name!r} ({op}) has an output of {len(shape)} dimensions, more than the {MAX_RANK} that a "
            "tensor may have"
        )


def _check_shapes(nodes: Sequence[Node]) -> None:
    """Raise `GraphError` for an output shape that is missing or that no tensor can have."""
    # All shapes at once: one by one they would take a good part of the time that a model takes.
    shapes = list(chain.from_iterable(map(_OUTPUTS, nodes)))
    if all(map(_OUTPUTS, nodes)) and {*map(type, chain.from_iterable(shapes))} <= _INTEGERS:
        different = {*map(tuple, shapes)}
        dims = {*chain.from_iterable(different)}
        if (
            min(dims, default=1) > 0
            and max(dims, default=1) <= MAX_DIM
            and max(map(len, different), default=0) <= MAX_RANK
            and max(map(prod, different), default=1) <= MAX_ELEMENTS
        ):
            return
    for node in nodes:
        if not node.outputs:
            raise GraphError(f"node {node.name!r} ({node.op}) has no output shape")
        for shape in node.outputs:
            check_rank(shape, node.name, node.op)
            if any(type(dim) is not int or not 0 < dim <= MAX_DIM for dim in shape):
                raise GraphError(
                    f"node {node.name!r} ({node.op}) has output shape {list(shape)}; "
                    f"every dimension must be a positive integer up to {MAX_DIM}"
                )
            if prod(shape) > MAX_ELEMENTS:
                raise GraphError(
                    f"node {node.name!r} ({node.op}) has output shape {list(shape)}: {prod(shape)} elements, "
                    f"more than the {MAX_ELEMENTS} that a tensor may have"
                )


def _consumers_in_order(nodes: Sequence[Node]) -> dict[str, list[Node]] | None:
    """Return who reads each node, by its name; None where a node stands before one that it reads."""
    consumers: dict[str, list[Node]] = {}
    several: list[Node] = []
    for node in nodes:
        name, _, inputs, _, outputs, _ = node
        for tensor in inputs:
            readers = consumers.get(tensor)
            if readers is None:
                return None
            if not readers or readers[-1] is not node:
                readers.append(node)
        if len(outputs) == 1:
            consumers[name] = []
        else:
            several.append(node)
            shared: list[Node] = []
            for tensor in node.tensors:
                consumers[tensor] = shared
    # Nobody reads a node with several outputs by its name.
    consumers.update({node.name: consumers[node.tensors[0]] for node in several})
    return consumers


def sorted_nodes(nodes: Sequence[Node]) -> list[Node]:
    """Sort nodes so that each stands behind those that it reads, the given order kept where it can be.

    Raises
    ------
    GraphError
        On a duplicate name, a dangling input or a cycle.
    """
    by_name: dict[str, Node] = {}
    makers: dict[str, str] = {}
    for node in nodes:
        if node.name in by_name:
            raise GraphError(f"node {node.name!r} stands in the graph twice; names must be unique")
        by_name[node.name] = node
        makers.update(dict.fromkeys(node.tensors, node.name))
    sources: dict[str, list[str]] = {}
    for node in nodes:
        for tensor in node.inputs:
            if tensor not in makers:
                raise GraphError(f"node {node.name!r} ({node.op}) reads {tensor!r}, which no node makes")
        sources[node.name] = [makers[tensor] for tensor in node.inputs]
    return [by_name[name] for name in topological_order(sources)]
