"""The XML of OpenVINO IR, read in one pass and safely: no entities, bounded size and depth."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.parsers import expat

from predictor_core.budget import meter
from predictor_core.errors import ModelFormatError
from predictor_core.frontends.common.file import check_regular
from predictor_core.frontends.openvino.document import Attributes, Layer, Network, integer
from predictor_core.frontends.openvino.plain import take_plain

#: Largest file that is parsed: the structure of a model of ten thousand layers takes 20 MB.
MAX_BYTES = 64 * 2**20
#: Most bodies inside of bodies.
MAX_DEPTH = 64
#: Versions of the format: 7 is that of OpenVINO 2019, 10 came in 2020, 11 in 2022.
VERSIONS = (7, 10, 11)

#: What parsing makes of a tag, in memory.
_TAG_BYTES = 300
#: Tags of files up to this size are not counted.
_SMALL_BYTES = 2**20

#: Attributes of the element of a layer.
_LAYER = ("id", "name", "type", "version", "precision")
_BODIES = frozenset({"body", "then_body", "else_body"})
#: Parts of a layer that list something.
_LISTS = frozenset({"back_edges", "blobs", "else_port_map", "port_map", "then_port_map"})

#: Longest text of the dimensions of a port.
_MAX_DIMENSIONS_BYTES = 2**12
_ENCODING = re.compile(rb"(?:\xef\xbb\xbf)?<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})")


def read_network(path: Path) -> Network:
    """Return the network of an OpenVINO IR file.

    Raises
    ------
    ModelFormatError
        When the file can't be read, is no OpenVINO IR, or is larger than `MAX_BYTES`.
    GraphError
        When a number is none, or the edges contradict each other.
    """
    try:
        check_regular(path, "the .xml of an OpenVINO IR")
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ModelFormatError(f"it can't be read: {error.strerror or error}") from error
    if len(data) > MAX_BYTES:
        raise ModelFormatError(f"it is larger than {MAX_BYTES} bytes, which no structure of a model is")
    declared = _ENCODING.match(data)
    if declared and declared.group(1).lower() not in (b"utf-8", b"us-ascii", b"ascii"):
        raise ModelFormatError(f"it is encoded in {declared.group(1).decode()}; OpenVINO writes utf-8")
    if not data.startswith((b"<", b"\xef\xbb\xbf<")):
        raise ModelFormatError("this is no OpenVINO IR: it does not start as XML in utf-8")
    # A tag has three bytes at least.
    meter().spend(
        memory_bytes=_TAG_BYTES * (data.count(b"<") if len(data) > _SMALL_BYTES else len(data) // 3)
    )
    plain = take_plain(data)
    if plain is not None:
        try:
            return _Reader(*plain).read()
        except (expat.ExpatError, UnicodeDecodeError):
            # Said of the whole file, with its lines.
            pass
    try:
        return _Reader(data, Network()).read()
    except (expat.ExpatError, UnicodeDecodeError) as error:
        raise ModelFormatError(f"this is no OpenVINO IR: {error}; expected XML") from None


class _Reader:
    """Builds the records of a network as the parser meets its elements.

    Parameters
    ----------
    data : bytes
        The file, or what is left of it when the layers and edges of `network` are taken.
    network : Network
        What is read becomes part of it.
    """

    def __init__(self, data: bytes, network: Network) -> None:
        self._data = data
        self._parser = expat.ParserCreate("utf-8")
        self._network = network
        self._layer = Layer()
        #: Networks around this one, and the layers of them that hold it.
        self._outer: list[tuple[Network, Layer]] = []
        #: Ports that are being read; for outputs, their dimensions too.
        self._ports: list[str] = []
        self._dimensions: list[str] | None = None
        #: What the elements of a list become, and how many elements are open in it.
        self._entries: list[tuple[str, Attributes]] = []
        self._open = 0

    def read(self) -> Network:
        """Parse the file, or raise `ExpatError` or `UnicodeDecodeError`."""
        parser = self._parser
        parser.StartElementHandler = self._root
        parser.StartDoctypeDeclHandler = _refuse_entities
        try:
            parser.Parse(self._data, True)
        finally:
            # The parser and its handlers hold each other.
            parser.StartElementHandler = parser.EndElementHandler = None
        return self._network.checked()

    def _root(self, tag: str, attributes: Attributes) -> None:
        if tag != "net":
            raise ModelFormatError(f"this is no OpenVINO IR: its root is <{tag}>, expected <net>")
        version = integer(attributes.get("version"), "the version")
        if version not in VERSIONS:
            listed = ", ".join(map(str, VERSIONS))
            raise ModelFormatError(f"it is OpenVINO IR of version {version}; versions {listed} can be read")
        self._parser.StartElementHandler = self._start

    def _start(self, tag: str, attributes: Attributes) -> None:
        """Take what a network is made of; the most frequent elements first."""
        if tag == "port":
            get = attributes.get
            self._ports.append(get("id", ""))
            dimensions = self._dimensions
            if dimensions is not None:
                if not dimensions:
                    self._layer.precision = get("precision") or self._layer.precision
                dimensions.append("")
        elif tag == "layer":
            self._layer = Layer(*[attributes.get(key, "") for key in _LAYER])
            self._network.layers.append(self._layer)
        elif tag == "data":
            self._layer.data = attributes
        elif tag == "edge":
            self._network.connect(attributes)
        elif tag == "output":
            self._ports, self._dimensions = self._layer.outputs, self._layer.dimensions
        elif tag == "input":
            self._ports, self._dimensions = self._layer.inputs, None
        elif tag == "dim":
            if self._dimensions:
                self._add_dimension(self._dimensions)
        elif tag in _BODIES:
            self._enter_body(tag)
        elif tag == "layers":
            self._network.has_layers = True
        elif tag == "edges":
            self._dimensions = None
        else:
            self._entries = []
            if tag in _LISTS:
                self._layer.entries[tag] = self._entries
            self._open = 1
            self._parser.StartElementHandler = self._entry
            self._parser.EndElementHandler = self._end_entry

    def _add_dimension(self, dimensions: list[str]) -> None:
        # The text ends where the next tag begins.
        data, at = self._data, self._parser.CurrentByteIndex
        text = data[data.index(b">", at) + 1 : data.index(b"<", at + 1)]
        if len(dimensions[-1]) + len(text) > _MAX_DIMENSIONS_BYTES:
            raise ModelFormatError(f"the dimensions of a port take more than {_MAX_DIMENSIONS_BYTES} bytes")
        dimensions[-1] += f" {text.decode()}"

    def _entry(self, tag: str, attributes: Attributes) -> None:
        """Take what a list holds, or what stands in a part that tells nothing of the latency."""
        if self._open == 1:
            self._entries.append((tag, attributes))
        self._open += 1

    def _end_entry(self, tag: str) -> None:
        self._open -= 1
        if not self._open:
            self._parser.StartElementHandler = self._start
            self._parser.EndElementHandler = self._end_body if self._outer else None

    def _enter_body(self, tag: str) -> None:
        if len(self._outer) == MAX_DEPTH:
            raise ModelFormatError(
                f"bodies of the model stand inside of each other more than {MAX_DEPTH} deep"
            )
        self._outer.append((self._network, self._layer))
        self._network = self._layer.bodies[tag] = Network()
        self._layer = Layer()
        self._parser.EndElementHandler = self._end_body

    def _end_body(self, tag: str) -> None:
        if tag in _BODIES:
            self._network.checked()
            self._network, self._layer = self._outer.pop()
            if not self._outer:
                self._parser.EndElementHandler = None


def _refuse_entities(*_: Any) -> None:
    """Refuse a document type, the only place where entities are defined; a model has no use for one."""
    raise ModelFormatError("it has a document type, which OpenVINO never writes: entities are refused")
