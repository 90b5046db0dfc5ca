"""OpenVINO IR as plain records: layers, ports and edges of a network, read from XML safely."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from xml.etree import ElementTree

from predictor_core.budget import meter
from predictor_core.errors import GraphError, ModelFormatError
from predictor_core.frontends.common.values import MAX_RANK
from predictor_core.ir.graph import Shape

#: Largest file that is parsed: the structure of a model of ten thousand layers takes 20 MB.
MAX_BYTES = 64 * 2**20
#: Versions of the format: 7 is that of OpenVINO 2019, 10 came in 2020, 11 in 2022.
VERSIONS = (7, 10, 11)

#: What parsing makes of a tag, in memory.
_TAG_BYTES = 300

_NUMBER = re.compile(r"-?[0-9]+$")
_BETWEEN_DIMENSIONS = re.compile(rb"</dim>\s*<dim>")
_ENCODING = re.compile(rb"(?:\xef\xbb\xbf)?<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})")


class Layer:
    """One layer as the file states it.

    Attributes
    ----------
    ident, name, type, version : str
        Version is the opset; format 7 has none.
    data : dict of str to str
        Its attributes.
    inputs, outputs : list of str
        Numbers of its ports.
    """

    __slots__ = (
        *("_bodies", "_element", "_ports", "data", "ident", "inputs", "name", "outputs", "type", "version"),
    )

    def __init__(self, element: ElementTree.Element) -> None:
        self._element = element
        self._bodies: dict[str, Network | None] = {}
        get = element.get
        self.ident, self.type, self.version = get("id", ""), get("type", ""), get("version", "")
        self.name = get("name") or f"{self.type}_{self.ident}"
        self.data: dict[str, str] = {}
        self.inputs: list[str] = []
        self.outputs: list[str] = []
        self._ports: list[ElementTree.Element] = []
        for part in element:
            tag = part.tag
            if tag == "data":
                self.data = part.attrib
            elif tag == "input":
                self.inputs = [port.get("id", "") for port in part]
            elif tag == "output":
                self._ports = list(part)
                self.outputs = [port.get("id", "") for port in part]

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Stated shapes of the outputs; -1 stands for a dimension that is open or has bounds."""
        return tuple([_shape(" ".join(port.itertext()).split()) for port in self._ports])

    @property
    def constant_shape(self) -> Shape:
        """Shape of a constant."""
        text = self.data.get("shape")
        return self.shapes[0] if text is None else _shape(text.replace(",", " ").split())

    @property
    def element_type(self) -> str:
        """Type of a constant."""
        port = self._ports[0]
        named = self.data.get("element_type") or port.get("precision")
        return named or self._element.get("precision") or ""

    def blobs(self) -> dict[str, tuple[int, int]]:
        """Return offset and size of the weights of a layer of format 7, by name."""
        found = self._element.find("blobs")
        return {} if found is None else {blob.tag: _span(blob) for blob in found}

    def span(self) -> tuple[int, int] | None:
        """Return offset and size of a constant's numbers, where the file states them."""
        if "offset" in self.data:
            return _integer(self.data["offset"], "offset"), _integer(self.data.get("size"), "size")
        return self.blobs().get("custom")

    def body(self, tag: str = "body") -> Network | None:
        """Return the network inside of a layer, which is read once."""
        if tag not in self._bodies:
            found = self._element.find(tag)
            self._bodies[tag] = None if found is None else Network(found)
        return self._bodies[tag]

    def mapping(self, tag: str) -> list[tuple[str, dict[str, str]]]:
        """Return the entries of a ``port_map`` or of ``back_edges``: kind and attributes."""
        found = self._element.find(tag)
        return [] if found is None else [(entry.tag, dict(entry.attrib)) for entry in found]


class Network:
    """Layers in the order of the file, and which output each input reads.

    Attributes
    ----------
    sources : dict
        (layer, input port) -> (layer, output port).
    """

    def __init__(self, element: ElementTree.Element) -> None:
        layers, edges = element.find("layers"), element.find("edges")
        if layers is None:
            raise ModelFormatError("a network lacks its <layers>")
        self.layers = [Layer(entry) for entry in layers]
        self.by_id = {layer.ident: layer for layer in self.layers}
        if len(self.by_id) < len(self.layers):
            raise GraphError("two layers have one id; ids must be unique")
        self.sources: dict[tuple[str, str], tuple[str, str]] = {}
        for edge in () if edges is None else edges:
            get = edge.get
            target = get("to-layer", ""), get("to-port", "")
            if target in self.sources:
                raise GraphError(f"input {target[1]} of layer {target[0]!r} has two sources")
            self.sources[target] = get("from-layer", ""), get("from-port", "")

    def ordered(self) -> list[Layer]:
        """Return the layers with producers first, or refuse a cycle or a source that is not there."""
        order: list[Layer] = []
        placed: set[str] = set()
        for layer in self.layers:
            if any(source not in placed for source in self._read(layer)):
                return self._sorted()
            placed.add(layer.ident)
            order.append(layer)
        return order

    def _read(self, layer: Layer) -> Iterator[str]:
        for port in layer.inputs:
            source = self.sources.get((layer.ident, port))
            if source is not None:
                yield source[0]

    def _sorted(self) -> list[Layer]:
        order: list[Layer] = []
        done: dict[str, bool] = {}
        stack = list(reversed(self.layers))
        while stack:
            layer = stack[-1]
            if done.get(layer.ident):
                stack.pop()
                continue
            if layer.ident in done:
                done[layer.ident] = True
                order.append(stack.pop())
                continue
            done[layer.ident] = False
            for source in self._read(layer):
                if source not in self.by_id:
                    raise GraphError(
                        f"layer {layer.name!r} ({layer.type}) reads layer {source!r}, which is not there"
                    )
                if source not in done:
                    stack.append(self.by_id[source])
                elif not done[source]:
                    raise GraphError(f"the graph has a cycle through layer {layer.name!r} ({layer.type})")
        return order


def read_network(path: str | os.PathLike[str]) -> Network:
    """Return the network of an OpenVINO IR file.

    Raises
    ------
    ModelFormatError
        When the file can't be read, is no OpenVINO IR, or is larger than `MAX_BYTES`.
    GraphError
        When a number is none, or the edges contradict each other.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ModelFormatError(f"it can't be read: {error.strerror or error}") from error
    if len(data) > MAX_BYTES:
        raise ModelFormatError(f"it is larger than {MAX_BYTES} bytes, which no structure of a model is")
    _refuse_entities(data)
    meter().spend(memory_bytes=_TAG_BYTES * data.count(b"<"))
    try:
        # The dimensions of a port are one text: a third of the elements, and of the time.
        root = ElementTree.fromstring(_BETWEEN_DIMENSIONS.sub(b" ", data))
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ModelFormatError(f"this is no OpenVINO IR: {error}; expected XML") from error
    if root.tag != "net":
        raise ModelFormatError(f"this is no OpenVINO IR: its root is <{root.tag}>, expected <net>")
    version = _integer(root.get("version"), "the version")
    if version not in VERSIONS:
        listed = ", ".join(map(str, VERSIONS))
        raise ModelFormatError(f"it is OpenVINO IR of version {version}; versions {listed} can be read")
    return Network(root)


def _refuse_entities(data: bytes) -> None:
    """Refuse a document type, the only place where entities are defined; a model has no use for one."""
    declared = _ENCODING.match(data)
    if declared and declared.group(1).lower() not in (b"utf-8", b"us-ascii", b"ascii"):
        raise ModelFormatError(f"it is encoded in {declared.group(1).decode()}; OpenVINO writes utf-8")
    if not data.startswith((b"<", b"\xef\xbb\xbf<")):
        raise ModelFormatError("this is no OpenVINO IR: it does not start as XML in utf-8")
    if b"<!DOCTYPE" in data:
        raise ModelFormatError("it has a document type, which OpenVINO never writes: entities are refused")


def _integer(text: str | None, what: str) -> int:
    if text is None or len(text) > 20 or not _NUMBER.match(text):
        raise GraphError(f"{what} should be an integer, got {text!r}")
    return int(text)


def _shape(texts: list[str]) -> Shape:
    if len(texts) > MAX_RANK:
        raise GraphError(f"a tensor has {len(texts)} dimensions; at most {MAX_RANK} are accepted")
    return tuple([int(text) if text.isdecimal() and len(text) < 20 else -1 for text in texts])


def _span(blob: ElementTree.Element) -> tuple[int, int]:
    return _integer(blob.get("offset"), "offset"), _integer(blob.get("size"), "size")
