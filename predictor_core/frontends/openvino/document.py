"""OpenVINO IR as plain records: layers, ports and edges of a network."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

from predictor_core.errors import GraphError, ModelFormatError
from predictor_core.frontends.common.values import MAX_RANK
from predictor_core.ir.graph import Shape
from predictor_core.ir.order import CycleError, topological_order

#: Attributes of an element.
Attributes = dict[str, str]

_NUMBER = re.compile(r"-?[0-9]+$")


class Layer:
    """One layer as the file states it.

    Parameters
    ----------
    ident, name, type, version : str
        Attributes of its element. Version is the opset; format 7 has none.
    precision : str
        Element type of the first output, where it is stated, else of the layer.

    Attributes
    ----------
    data : dict of str to str
        Its attributes.
    inputs, outputs : list of str
        Numbers of its ports.
    dimensions : list of str
        Those of each output, as the file spells them.
    entries : dict of str to list of (str, dict)
        Part of the layer (``port_map``, ``back_edges``, ``blobs``) -> tags and attributes of what it lists.
    bodies : dict of str to Network
        Networks inside of the layer by their tags.
    """

    __slots__ = (
        *("bodies", "data", "dimensions", "entries", "ident", "inputs"),
        *("name", "outputs", "precision", "type", "version"),
    )

    def __init__(
        self, ident: str = "", name: str = "", type: str = "", version: str = "", precision: str = ""
    ) -> None:
        self.ident, self.type, self.version, self.precision = ident, type, version, precision
        self.name = name or f"{type}_{ident}"
        self.data: Attributes = {}
        self.inputs: list[str] = []
        self.outputs: list[str] = []
        self.dimensions: list[str] = []
        self.entries: dict[str, list[tuple[str, Attributes]]] = {}
        self.bodies: dict[str, Network] = {}

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Stated shapes of the outputs; -1 stands for a dimension that is open or has bounds."""
        return tuple([_shape(text) for text in self.dimensions])

    @property
    def constant_shape(self) -> Shape:
        """Shape of a constant."""
        text = self.data.get("shape")
        return _shape(self.dimensions[0] if text is None else text)

    @property
    def element_type(self) -> str:
        """Type of a constant."""
        return self.data.get("element_type") or self.precision

    def blobs(self) -> dict[str, tuple[int, int]]:
        """Return offset and size of the weights of a layer of format 7, by name."""
        return {tag: _span(attributes) for tag, attributes in self.entries.get("blobs", ())}

    def span(self) -> tuple[int, int] | None:
        """Return offset and size of a constant's numbers, where the file states them."""
        return _span(self.data) if "offset" in self.data else self.blobs().get("custom")


class Network:
    """Layers in the order of the file, and which output each input reads.

    Attributes
    ----------
    layers : list of Layer
        In the order of the file.
    sources : dict
        (layer, input port) -> (layer, output port).
    has_layers : bool
        Whether the file has a list of layers for it.
    """

    __slots__ = ("_by_id", "_reads", "has_layers", "layers", "sources")

    def __init__(self) -> None:
        self._by_id: dict[str, Layer] | None = None
        self._reads: Counter[tuple[str, str]] | None = None
        self.has_layers = False
        self.layers: list[Layer] = []
        self.sources: dict[tuple[str, str], tuple[str, str]] = {}

    def connect(self, edge: Attributes) -> None:
        """Note an edge.

        Raises
        ------
        GraphError
            When the input has a source already.
        """
        get = edge.get
        target = get("to-layer", ""), get("to-port", "")
        if target in self.sources:
            raise GraphError(f"input {target[1]} of layer {target[0]!r} has two sources")
        self.sources[target] = get("from-layer", ""), get("from-port", "")

    def checked(self) -> Network:
        """Return itself, or raise `ModelFormatError` where the file has no list of its layers."""
        if not self.has_layers:
            raise ModelFormatError("a network lacks its <layers>")
        return self

    def find(self, ident: str) -> Layer | None:
        """Return the layer of an id, or None where there is no such."""
        if self._by_id is None:
            self._by_id = {layer.ident: layer for layer in self.layers}
        return self._by_id.get(ident)

    def read_alone(self, ident: str, port: str) -> Layer | None:
        """Return the layer that an input of another reads, or None where others read the same output."""
        if self._reads is None:
            self._reads = Counter(self.sources.values())
        source = self.sources.get((ident, port))
        return self.find(source[0]) if source is not None and self._reads[source] == 1 else None

    def ordered(self) -> list[Layer]:
        """Return the layers with producers first.

        Raises
        ------
        GraphError
            When two layers have one id, a source is not there, or there is a cycle.
        """
        layers, sources = self.layers, self.sources
        placed: set[str] = set()
        in_order = True
        for layer in layers:
            ident = layer.ident
            for port in layer.inputs:
                source = sources.get((ident, port))
                if source is not None and source[0] not in placed:
                    in_order = False
            placed.add(ident)
        if len(placed) < len(layers):
            raise GraphError("two layers have one id; ids must be unique")
        return layers if in_order else self._sorted()

    def _sorted(self) -> list[Layer]:
        layers = {layer.ident: layer for layer in self.layers}
        read: dict[str, list[str]] = {ident: [] for ident in layers}
        for ident, layer in layers.items():
            for port in layer.inputs:
                source, _ = self.sources.get((ident, port), (None, ""))
                if source is not None and source not in layers:
                    raise GraphError(
                        f"layer {layer.name!r} ({layer.type}) reads layer {source!r}, which is not there"
                    )
                read[ident] += [] if source is None else [source]
        try:
            return [layers[ident] for ident in topological_order(read)]
        except CycleError as error:
            layer = layers[error.item]
            raise GraphError(
                f"the graph has a cycle through or before layer {layer.name!r} ({layer.type})"
            ) from error


def integer(text: str | None, what: str) -> int:
    """Return the number that a text spells, or raise `GraphError`."""
    if text is None or len(text) > 20 or not _NUMBER.match(text):
        raise GraphError(f"{what} should be an integer, got {text!r}")
    return int(text)


@lru_cache(maxsize=4096)
def _shape(text: str) -> Shape:
    texts = text.replace(",", " ").split(None, MAX_RANK)
    if len(texts) > MAX_RANK:
        raise GraphError(f"a tensor has more than {MAX_RANK} dimensions, the most that are accepted")
    return tuple([int(text) if text.isdecimal() and len(text) < 20 else -1 for text in texts])


def _span(attributes: Attributes) -> tuple[int, int]:
    return integer(attributes.get("offset"), "offset"), integer(attributes.get("size"), "size")
