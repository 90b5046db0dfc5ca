"""MutableGraph: a Graph while it is built and rewritten.

Every edit keeps the same indices up to date, which stay in one class, hence the length.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from predictor_core.errors import GraphError
from predictor_core.ir.graph import Graph, Node, Shape, make_node, sorted_nodes, tensors_of
from predictor_core.ir.ops import check_attributes

_READS, _OUTPUTS = itemgetter(0, 1, 2), itemgetter(4)


class MutableGraph:
    """Nodes in topological order, with readers by tensor and nodes by op kept up to date.

    One instance goes through the change of layout and all passes; `freeze` validates the result once.

    Parameters
    ----------
    nodes : iterable of Node
        In any order; kept where it already is topological.
    name, outputs, free, warnings
        As for `Graph`.

    Raises
    ------
    GraphError
        On a duplicate name, a dangling input, a cycle, or an attribute of another type than the row of the op
        says. Shapes are looked at by `freeze`.
    """

    __slots__ = ("_by_op", "_places", "_readers", "changed", "free", "name", "nodes", "outputs", "warnings")

    nodes: dict[str, Node]
    outputs: list[str]

    def __init__(
        self,
        nodes: Iterable[Node],
        name: str = "",
        outputs: Iterable[str] = (),
        free: Iterable[str] = (),
        warnings: Iterable[str] = (),
    ) -> None:
        self.name = name
        self.free = list(free)
        self.warnings = tuple(warnings)
        self.changed = False
        given = list(nodes)
        check_attributes(given)
        self._set(given, list(outputs))

    @classmethod
    def of_graph(cls, graph: Graph) -> MutableGraph:
        """Return a mutable copy of a Graph."""
        return cls(graph.nodes, graph.name, graph.outputs, graph.free, graph.warnings)

    def freeze(self) -> Graph:
        """Return the result as a validated Graph.

        Raises
        ------
        GraphError
            As `Graph`.
        """
        return Graph(self.nodes.values(), self.name, self.outputs, self.free, self.warnings)

    def reset(self, nodes: Iterable[Node], outputs: Iterable[str]) -> None:
        """Take other nodes and outputs instead of all there are; name, free ops and warnings stay."""
        self.changed = True
        given, wanted = list(nodes), list(outputs)
        if wanted == self.outputs and _reads(given) == _reads(self.nodes.values()):
            self.nodes = dict(zip(self.nodes, given))
        else:
            self._set(given, wanted)

    def _set(self, given: Sequence[Node], outputs: list[str]) -> None:
        found: dict[str, Node] = {}
        readers: dict[str, dict[str, int]] = {}
        by_op: dict[str, dict[str, None]] = defaultdict(dict)
        tensors = len(given)
        for node in given:
            own, op, inputs, _, made, _ = node
            for tensor in inputs:
                reading = readers.get(tensor)
                if reading is None:
                    self._set(sorted_nodes(given), outputs)
                    return
                reading[own] = reading[own] + 1 if own in reading else 1
            found[own] = node
            by_op[op][own] = None
            if len(made) <= 1:
                readers[own] = {}
            else:
                tensors += len(made) - 1
                readers.update({tensor: {} for tensor in node.tensors})
        if len(found) < len(given) or len(readers) < tensors:
            # It says which name stands there twice.
            tensors_of(given)
        self.nodes = found
        self._readers = readers
        self._by_op = by_op
        self.outputs = outputs or [tensor for tensor, reading in readers.items() if not reading]
        self._places: dict[str, list[int]] = {}
        for place, tensor in enumerate(self.outputs):
            if tensor not in readers:
                raise GraphError(f"output {tensor!r} is not a tensor of the graph")
            self._places.setdefault(tensor, []).append(place)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes.values())

    def of(self, *ops: str) -> Iterator[Node]:
        """Nodes of the given ops, op by op; those that a pass removes on its way are not met."""
        nodes = self.nodes
        for op in ops:
            for name in list(self._by_op.get(op, ())):
                node = nodes.get(name)
                if node is not None and node.op == op:
                    yield node

    def has(self, *ops: str) -> bool:
        """Whether any node has one of these ops."""
        return not self._by_op.keys().isdisjoint(ops)

    def producer(self, tensor: str) -> Node:
        """Node that makes a tensor."""
        node = self.nodes.get(tensor)
        return node if node is not None else self.nodes[tensor.rpartition(":")[0]]

    def shape(self, tensor: str) -> Shape:
        """Shape of a tensor."""
        node = self.nodes.get(tensor)
        if node is not None:
            return node[4][0]
        name, _, index = tensor.rpartition(":")
        return self.nodes[name].outputs[int(index)]

    def readers(self, tensor: str) -> list[Node]:
        """Nodes that read a tensor, once for each read."""
        reading = self._readers.get(tensor, {})
        return [self.nodes[name] for name, count in reading.items() for _ in range(count)]

    def reading(self, tensor: str) -> Iterator[Node]:
        """Nodes that read a tensor, each once."""
        return (self.nodes[name] for name in self._readers.get(tensor, ()))

    def is_output(self, tensor: str) -> bool:
        """Whether the model returns a tensor."""
        return tensor in self._places

    def only_reader(self, tensor: str) -> Node | None:
        """Return the node that reads a tensor, if it is read exactly once and is no output of the model."""
        reading = self._readers.get(tensor)
        if reading is None or len(reading) != 1 or tensor in self._places:
            return None
        (name,) = reading
        return self.nodes[name] if reading[name] == 1 else None

    def replace(
        self,
        node: Node,
        op: str | None = None,
        inputs: Iterable[str] | None = None,
        attrs: Mapping[str, Any] | None = None,
        outputs: tuple[Shape, ...] | None = None,
    ) -> Node:
        """Put another node in the place of one, under its name, and remove what nothing reads any more.

        Parameters
        ----------
        node : Node
            Of this graph. Its scope stays.
        op : str, optional
            Its op; it has none of the attributes of the old node then.
        inputs : iterable of str, optional
            Tensors that are made before the node.
        attrs : mapping, optional
            All attributes of the new node.
        outputs : tuple of tuple of int, optional
            Output shapes.

        Returns
        -------
        Node
            The new node.
        """
        name, given_op, reads, given_attrs, made, scope = node
        old = self.nodes[name]
        _, old_op, old_reads, _, old_made, _ = old
        if attrs is None:
            attrs = given_attrs if op is None else {}
        if inputs is not None:
            reads = tuple(inputs)
        op, made = op or given_op, outputs or made
        new = make_node((name, op, reads, attrs, made, scope))
        self.nodes[name] = new
        self.changed = True
        if op != old_op:
            self._forget(old)
            self._by_op[op][name] = None
        if len(made) != len(old_made):
            kept = {tensor: self._readers.pop(tensor, {}) for tensor in old.tensors}
            for tensor in new.tensors:
                self._readers[tensor] = kept.pop(tensor, {})
            # Readers of tensors that are gone are rewired next.
            self._readers.update({tensor: reading for tensor, reading in kept.items() if reading})
        if reads != old_reads:
            for tensor in reads:
                reading = self._readers[tensor]
                reading[name] = reading.get(name, 0) + 1
            self._unread(old)
        return new

    def set_attrs(self, node: Node, attrs: Mapping[str, Any]) -> None:
        """Give a node other attributes: `replace` in a third of the steps, for nothing else changes."""
        name, op, reads, _, made, scope = node
        self.nodes[name] = make_node((name, op, reads, attrs, made, scope))
        self.changed = True

    def bypass(self, tensors: Mapping[str, str]) -> None:
        """Remove nodes with one output each; their readers read earlier tensors instead.

        Parameters
        ----------
        tensors : mapping
            Name of a node -> the tensor that its readers read instead, which may be made by another of the
            nodes. Nodes that are gone already are left out.
        """
        self.rewire(tensors)
        self.remove(tensors)

    def absorb(self, chains: Mapping[str, Sequence[str]]) -> None:
        """Remove chains of nodes behind others; what reads the last of one reads the node before it instead.

        Parameters
        ----------
        chains : mapping
            Name of a node with one output -> names of nodes with one output, each the only reader of the one
            before it, which reads nothing else. Each reader of a chain is rewritten once.
        """
        nodes, readers = self.nodes, self._readers
        moved: dict[str, str] = {}
        rewritten: dict[str, int] = {}
        for own, chain in chains.items():
            for name in chain:
                self._forget(nodes.pop(name))
                reading = readers.pop(name)
            readers[own] = reading
            moved[name] = own
            rewritten.update(reading)
            if name in self._places:
                self._move_output(name, own)
            self.changed = True
        self._reread(rewritten, moved)

    def remove(self, names: Iterable[str]) -> None:
        """Remove nodes that nothing reads; those that are gone already are left out."""
        nodes = self.nodes
        for name in names:
            if name in nodes:
                self._unread(self._drop(name))

    def rewire(self, tensors: Mapping[str, str]) -> None:
        """Let the readers of tensors read earlier ones instead; each reader is rewritten once.

        Parameters
        ----------
        tensors : mapping
            Tensor -> the one to read in its place.
        """
        readers = self._readers
        moved = dict(tensors)
        rewritten: dict[str, int] = {}
        for old, new in tensors.items():
            if new in moved:
                way = [old]
                while new in moved:
                    way.append(new)
                    new = moved[new]
                moved.update(dict.fromkeys(way, new))
            reading = readers.get(old)
            if reading:
                rewritten.update(reading)
                readers[old] = {}
                into = readers[new]
                for name, count in reading.items():
                    into[name] = into.get(name, 0) + count
        self._reread(rewritten, moved)
        for old in tensors:
            if old in self._places:
                self._move_output(old, moved[old])

    def prune(self) -> None:
        """Remove what no output of the model depends on; the model's inputs stay."""
        if self._places.keys() >= {tensor for tensor, reading in self._readers.items() if not reading}:
            return
        for node in reversed(list(self.nodes.values())):
            if self._readers.get(node.name) or node.op == "input" or node.name not in self.nodes:
                continue
            if not self._is_read(node):
                self.remove([node.name])

    def _reread(self, names: Iterable[str], moved: Mapping[str, str]) -> None:
        """Write nodes anew, each of which reads one of the `moved` tensors."""
        for name in names:
            _, op, before, attrs, outputs, scope = self.nodes[name]
            reads = (moved[before[0]],) if len(before) == 1 else tuple(map(moved.get, before, before))
            self.nodes[name] = make_node((name, op, reads, attrs, outputs, scope))

    def _move_output(self, old: str, new: str) -> None:
        places = self._places.pop(old)
        for place in places:
            self.outputs[place] = new
        self._places.setdefault(new, []).extend(places)

    def _is_read(self, node: Node) -> bool:
        return any(self._readers.get(tensor) or tensor in self._places for tensor in node.tensors)

    def _drop(self, name: str) -> Node:
        self.changed = True
        node = self.nodes.pop(name)
        self._forget(node)
        for tensor in (name,) if len(node.outputs) == 1 else node.tensors:
            self._readers.pop(tensor, None)
        return node

    def _forget(self, node: Node) -> None:
        named = self._by_op[node[1]]
        del named[node[0]]
        if not named:
            del self._by_op[node[1]]

    def _unread(self, node: Node) -> None:
        """Take back the reads of a node that is gone, and remove producers that only such nodes read."""
        gone = [node]
        while gone:
            name, _, inputs, _, _, _ = gone.pop()
            for tensor in inputs:
                reading = self._readers[tensor]
                if reading[name] > 1:
                    reading[name] -= 1
                    continue
                del reading[name]
                if not reading:
                    producer = self.producer(tensor)
                    if producer.op != "input" and not self._is_read(producer):
                        gone.append(self._drop(producer.name))


def _reads(nodes: Collection[Node]) -> tuple[list[Any], list[int]]:
    """Return what the indices of a graph follow from: names, ops, inputs, and how many outputs there are."""
    return [*map(_READS, nodes)], [*map(len, map(_OUTPUTS, nodes))]
