"""Draft: a Graph while it is being rewritten."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from predictor_core.ir.graph import Graph, Node, Shape


class Draft:
    """Nodes in topological order, with readers by tensor and nodes by op kept up to date.

    Parameters
    ----------
    nodes : iterable of Node
        Where to start from, producers first.
    name, outputs, free, warnings
        As for `Graph`.
    """

    __slots__ = ("_by_op", "_readers", "changed", "free", "name", "nodes", "outputs", "warnings")

    def __init__(
        self,
        nodes: Iterable[Node],
        name: str,
        outputs: Iterable[str],
        free: Iterable[str] = (),
        warnings: Iterable[str] = (),
    ) -> None:
        self.name = name
        self.free = list(free)
        self.outputs = list(outputs)
        self.warnings = tuple(warnings)
        self.changed = False
        self.nodes: dict[str, Node] = {}
        self._readers: dict[str, list[str]] = {}
        self._by_op: dict[str, dict[str, None]] = {}
        readers = self._readers
        by_op = self._by_op
        for node in nodes:
            own = node.name
            self.nodes[own] = node
            named = by_op.get(node.op)
            if named is None:
                by_op[node.op] = {own: None}
            else:
                named[own] = None
            for tensor in node.inputs:
                reading = readers.get(tensor)
                if reading is None:
                    readers[tensor] = [own]
                else:
                    reading.append(own)

    @classmethod
    def of_graph(cls, graph: Graph) -> Draft:
        """Return the draft of a Graph, which is not changed."""
        return cls(graph.nodes, graph.name, graph.outputs, graph.free, graph.warnings)

    def graph(self) -> Graph:
        """Return the result as a validated Graph."""
        return Graph(self.nodes.values(), self.name, self.outputs, self.free, self.warnings)

    def of(self, *ops: str) -> Iterator[Node]:
        """Nodes of the given ops, op by op; those that a pass removes on its way are not met."""
        for op in ops:
            for name in list(self._by_op.get(op, ())):
                node = self.nodes.get(name)
                if node is not None and node.op == op:
                    yield node

    def has(self, op: str) -> bool:
        """Whether any node has this op."""
        return bool(self._by_op.get(op))

    def producer(self, tensor: str) -> Node:
        """Node that makes a tensor."""
        node = self.nodes.get(tensor)
        return node if node is not None else self.nodes[tensor.rpartition(":")[0]]

    def shape(self, tensor: str) -> Shape:
        """Shape of a tensor."""
        node = self.nodes.get(tensor)
        if node is not None:
            return node.outputs[0]
        name, _, index = tensor.rpartition(":")
        return self.nodes[name].outputs[int(index)]

    def readers(self, tensor: str) -> list[Node]:
        """Nodes that read a tensor, once for each read."""
        return [self.nodes[name] for name in self._readers.get(tensor, ())]

    def only_reader(self, tensor: str) -> Node | None:
        """Return the node that reads a tensor, if it is read exactly once and is no output of the model."""
        reading = self._readers.get(tensor)
        if reading is None or len(reading) != 1 or tensor in self.outputs:
            return None
        return self.nodes[reading[0]]

    def put(self, node: Node) -> None:
        """Replace the node of the same name, and remove what nothing reads any more.

        The new node has the old one's output tensors; its inputs are made before the old one.
        """
        old = self.nodes[node.name]
        self.nodes[node.name] = node
        self.changed = True
        if node.op != old.op:
            del self._by_op[old.op][node.name]
            self._by_op.setdefault(node.op, {})[node.name] = None
        if node.inputs != old.inputs:
            for tensor in node.inputs:
                self._readers.setdefault(tensor, []).append(node.name)
            self._unread(old)

    def bypass(self, node: Node, tensor: str) -> None:
        """Remove a node with one output; its readers read `tensor`, an earlier one, instead."""
        self.rewire(node.name, tensor)
        self._remove(node)

    def rewire(self, old: str, tensor: str) -> None:
        """Let the readers of the tensor `old` read `tensor`, an earlier one, instead."""
        for name in dict.fromkeys(self._readers.pop(old, ())):
            reader = self.nodes[name]
            inputs = tuple([tensor if read == old else read for read in reader.inputs])
            self.nodes[name] = Node(name, reader.op, inputs, reader.attrs, reader.outputs, reader.scope)
            self._readers.setdefault(tensor, []).extend([name] * reader.inputs.count(old))
        if old in self.outputs:
            self.outputs = [tensor if kept == old else kept for kept in self.outputs]

    def prune(self) -> None:
        """Remove what no output of the model depends on; the model's inputs stay."""
        for node in reversed(list(self.nodes.values())):
            if self._readers.get(node.name) or node.op == "input" or node.name not in self.nodes:
                continue
            if not self._is_read(node):
                self._remove(node)

    def _is_read(self, node: Node) -> bool:
        return any(self._readers.get(tensor) or tensor in self.outputs for tensor in node.tensors)

    def _remove(self, node: Node) -> None:
        self._drop(node)
        self._unread(node)

    def _drop(self, node: Node) -> None:
        self.changed = True
        del self.nodes[node.name]
        del self._by_op[node.op][node.name]

    def _unread(self, node: Node) -> None:
        """Take back the reads of a node that is gone, and remove producers that only such nodes read."""
        gone = [node]
        while gone:
            last = gone.pop()
            for tensor in last.inputs:
                reading = self._readers[tensor]
                reading.remove(last.name)
                if not reading:
                    producer = self.producer(tensor)
                    if producer.op != "input" and not self._is_read(producer):
                        self._drop(producer)
                        gone.append(producer)


def retyped(node: Node, op: str, inputs: Iterable[str], attrs: dict[str, Any] | None = None) -> Node:
    """Return `node` with another op, inputs and attributes; name, outputs and scope stay."""
    return Node(node.name, op, tuple(inputs), attrs or {}, node.outputs, node.scope)


def scalar(node: Node) -> float | None:
    """Scalar constant operand of a binary node, or None where both operands are tensors."""
    value = node.attrs.get("const") if len(node.inputs) == 1 else None
    return float(value) if isinstance(value, (int, float)) else None


def close(value: float | None, wanted: float) -> bool:
    """Whether a constant is the wanted one, allowing for the digits that a file keeps."""
    return value is not None and abs(value - wanted) <= 1e-3 * abs(wanted)


def scaled(draft: Draft, tensor: str, factor: float) -> str | None:
    """Return x when `tensor` is ``x * factor`` (or ``x / (1 / factor)``), else None."""
    node = draft.producer(tensor)
    return node.inputs[0] if is_scale(node, factor) else None


def is_scale(node: Node, factor: float) -> bool:
    """Whether a node multiplies its one input by `factor`, spelled as a product or a quotient."""
    if node.op == "mul":
        return close(scalar(node), factor)
    if node.op == "div":
        return close(scalar(node), 1 / factor) and not node.attrs.get("const_first")
    return False
