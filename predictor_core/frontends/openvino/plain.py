"""Layers and edges in the very form that OpenVINO writes, taken by patterns instead of by an XML parser.

The patterns match well-formed XML of one form only: in ASCII, indented by tabs, known attributes in a known
order, no entities, comments or bodies. All layers and edges match without a gap, or none is taken and the
parser reads the file.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from functools import lru_cache

from predictor_core.frontends.openvino.document import Attributes, Layer, Network

#: How many texts of ports and attributes are kept as read, for layers that are alike, and the longest.
_KEPT, _MAX_KEPT = 512, 2**13

# No attribute may have a line break in it, which the parser would make a space.
_TEXT = r'"([^"<&\x00-\x1f]*)"'
_ANY = r'"[^"<&\x00-\x1f]*"'

_HEAD = re.compile(rf'(?:<\?xml version="1\.0" ?\?>\n)?<net name={_ANY} version={_ANY}>\n\t<layers>')
_LAYERS_END, _EDGES, _EDGES_END = "\n\t</layers>", "\n\t</layers>\n\t<edges>", "\n\t</edges>"
_A_PORT = (
    rf"\n\t\t\t\t<port id={_TEXT}(?: precision={_TEXT})?(?: names={_ANY})?"
    r"(?: ?/>|>(?:\n\t\t\t\t\t<dim>([0-9\r-]{0,4000})</dim>)?"
    r"(?:\n\t\t\t\t\t<rt_info>((?:\n\t\t\t\t\t\t[^\n]*)*)\n\t\t\t\t\t</rt_info>)?\n\t\t\t\t</port>)"
)
#: Of the parts that are rare or alike in many layers, the lines are matched first.
_LAYER = re.compile(
    rf"\n\t\t<layer id={_TEXT} name={_TEXT} type={_TEXT} version={_TEXT}(?: output_names={_ANY})?>"
    rf"(?:\n\t\t\t<data(?: element_type={_TEXT} shape={_TEXT} offset={_TEXT} size={_TEXT} ?|([^\n]*))/>)?"
    r"(?:\n\t\t\t<rt_info>((?:\n\t\t\t\t[^\n]*)*)\n\t\t\t</rt_info>)?"
    r"(?:\n\t\t\t<input>((?:\n\t\t\t\t[^\n]*)*)\n\t\t\t</input>)?"
    rf"(?:\n\t\t\t<output>{_A_PORT}((?:\n\t\t\t\t[^\n]*)*)\n\t\t\t</output>)?"
    r"\n\t\t</layer>"
)
_PORT = re.compile(_A_PORT)
_NOTE = re.compile(rf"\n\t+<attribute name={_ANY}(?: version={_ANY})?(?: (?:layout|value)={_ANY})? ?/>")
_ATTRIBUTE = re.compile(rf" ([A-Za-z_][A-Za-z0-9_-]*)={_TEXT}")
_EDGE = re.compile(rf"\n\t\t<edge from-layer={_TEXT} from-port={_TEXT} to-layer={_TEXT} to-port={_TEXT} ?/>")

#: What stands between the dimensions of a port. They become one text, with what no other pattern lets pass.
_BETWEEN_DIMENSIONS, _JOINED = "</dim>\n\t\t\t\t\t<dim>", "\r"


class _OtherFormError(Exception):
    """Something does not stand in the file as OpenVINO writes it."""


def take_plain(data: bytes) -> tuple[bytes, Network] | None:
    """Return a file without its layers and edges, and these; None where it has another form."""
    if not data.isascii():
        return None
    text = data.decode("ascii")
    head = _HEAD.match(text)
    middle = text.find(_LAYERS_END)
    end = text.find(_EDGES_END, middle)
    if head is None or end < 0 or not text.startswith(_EDGES, middle):
        return None
    network = Network()
    try:
        network.layers = _layers(text[head.end() : middle].replace(_BETWEEN_DIMENSIONS, _JOINED))
        network.sources = _sources(text[middle + len(_EDGES) : end])
    except _OtherFormError:
        return None
    return f"{head.group()}{_EDGES}{text[end:]}".encode(), network


def _all(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Yield matches of a pattern that follow each other from the beginning of a text to its end."""
    at = 0
    for found in pattern.finditer(text):
        if found.start() != at:
            break
        at = found.end()
        yield found
    if at != len(text):
        raise _OtherFormError


def _layers(text: str) -> list[Layer]:
    layers = []
    for found in _all(_LAYER, text):
        ident, name, kind, version, *parts = found.groups()
        element_type, shape, offset, size, data, notes, inputs, *output = parts
        layer = Layer(ident, name, kind, version)
        if element_type is not None:
            layer.data = {"element_type": element_type, "shape": shape, "offset": offset, "size": size}
        elif data:
            layer.data = _attributes(data)
        if inputs:
            layer.inputs = _ports(inputs)[0]
        if notes:
            _check_notes(notes)
        port, precision, dims, notes, ports = output
        if port is not None:
            layer.outputs, layer.precision, layer.dimensions = [port], precision or "", [dims or ""]
            if ports:
                others = _ports(ports)
                layer.outputs += others[0]
                layer.dimensions += others[1]
            if notes:
                _check_notes(notes)
        layers.append(layer)
    return layers


@lru_cache(maxsize=_KEPT)
def _attributes(text: str) -> Attributes:
    """Return the attributes that a text spells."""
    _check_length(text)
    pairs = _ATTRIBUTE.findall(text)
    attributes = dict(pairs)
    taken = sum([len(key) + len(value) + 4 for key, value in pairs])
    if taken != len(text.rstrip(" ")) or len(attributes) < len(pairs):
        raise _OtherFormError
    return attributes


@lru_cache(maxsize=_KEPT)
def _ports(text: str) -> tuple[list[str], list[str]]:
    """Return the numbers and dimensions of ports."""
    _check_length(text)
    idents, dimensions = [], []
    for found in _all(_PORT, text):
        ident, _, dims, notes = found.groups("")
        idents.append(ident)
        dimensions.append(dims)
        _check_notes(notes)
    return idents, dimensions


def _check_length(text: str) -> None:
    if len(text) > _MAX_KEPT:
        raise _OtherFormError


def _check_notes(text: str) -> None:
    deque(_all(_NOTE, text), 0)


def _sources(text: str) -> dict[tuple[str, str], tuple[str, str]]:
    edges = [found.groups() for found in _all(_EDGE, text)]
    sources = {(reader, port): (maker, output) for maker, output, reader, port in edges}
    if len(sources) < len(edges):
        raise _OtherFormError
    return sources
