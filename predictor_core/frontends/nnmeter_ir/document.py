"""nn-Meter IR documents as data: read from a file, checked, put in order."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any

from predictor_core.errors import GraphError, ModelFormatError, own_errors
from predictor_core.ir.order import CycleError, topological_order

#: Largest file and document accepted: real ones have up to a few thousand nodes.
MAX_BYTES = 64 * 2**20
MAX_NODES = 100_000

_STRINGS, _DICTS, _LISTS = frozenset({str}), frozenset({dict}), frozenset({list, tuple})
_EMPTY: dict[str, Any] = {}
_ATTR, _TYPE, _INBOUNDS, _OUTBOUNDS = map(itemgetter, ("attr", "type", "inbounds", "outbounds"))
_EXPECTED = "expected a JSON object from node name to inbounds, outbounds and attr"


def read_document(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read an nn-Meter IR file.

    Parameters
    ----------
    path : str or path
        A JSON file of at most `MAX_BYTES` bytes.

    Returns
    -------
    dict
        The document as written.

    Raises
    ------
    ModelFormatError
        When the file is missing, too large, not JSON, or no nn-Meter IR.
    """
    file = Path(path)
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise ModelFormatError(f"{file} has {size} bytes; an nn-Meter IR file has at most {MAX_BYTES}")
        text = file.read_bytes()
    except OSError as error:
        raise ModelFormatError(f"can't read {file}: {error.strerror or error}") from error
    if not text.strip():
        raise ModelFormatError(f"{file} is empty; {_EXPECTED}")
    with own_errors(file):
        try:
            document = json.loads(text, object_pairs_hook=_unique)
        except (ValueError, RecursionError) as error:
            raise ModelFormatError(f"it is no JSON file: {error}") from error
        check_document(document)
    found: dict[str, Any] = document
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ModelFormatError(f"{twice!r} stands twice in one object; names must be unique")
    return found


def check_document(document: object) -> None:
    """Raise `ModelFormatError` unless `document` has the form of an nn-Meter IR."""
    if not isinstance(document, Mapping):
        raise ModelFormatError(f"this is no nn-Meter IR: got a {type(document).__name__}, {_EXPECTED}")
    if not document:
        raise ModelFormatError(f"this nn-Meter IR has no nodes; {_EXPECTED}")
    if len(document) > MAX_NODES:
        raise ModelFormatError(
            f"this nn-Meter IR has {len(document)} nodes; at most {MAX_NODES} are accepted"
        )
    if not _is_plain(document):
        for name, entry in document.items():
            _check_node(name, entry)


def _is_plain(document: Mapping[str, Any]) -> bool:
    """Whether all nodes have all their parts, of the types that JSON has: most documents are so."""
    # All nodes at once: one by one they would take a good part of the time that a model takes.
    entries = document.values()
    try:
        attrs = [*map(_ATTR, entries)]
        bounds = [*map(_INBOUNDS, entries), *map(_OUTBOUNDS, entries)]
        # Nothing but text can be joined.
        "".join(chain(map(_TYPE, attrs), chain.from_iterable(bounds)))
        return {*map(type, attrs), *map(type, map(_ATTR, attrs))} == _DICTS and {*map(type, bounds)} <= _LISTS
    except (LookupError, TypeError):
        return False


def _check_node(name: str, entry: object) -> None:
    attr = entry.get("attr") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or not isinstance(attr, Mapping):
        raise ModelFormatError(f"this is no nn-Meter IR: node {name!r} has no attr; {_EXPECTED}")
    if not isinstance(attr.get("type"), str):
        raise ModelFormatError(f"node {name!r} states no type (attr.type)")
    if not isinstance(attr.get("attr", _EMPTY), Mapping):
        raise ModelFormatError(f"the attributes of node {name!r} (attr.attr) are no JSON object")
    for key in ("inbounds", "outbounds"):
        bounds = entry.get(key, ())
        if not isinstance(bounds, (list, tuple)) or not {*map(type, bounds)} <= _STRINGS:
            raise ModelFormatError(f"{key} of node {name!r} is no list of node names")


def in_order(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with producers before those that read them.

    Raises
    ------
    GraphError
        On a cycle.
    """
    sources = {
        name: [source for source in entry.get("inbounds", ()) if source in document]
        for name, entry in document.items()
    }
    try:
        return {name: document[name] for name in topological_order(sources)}
    except CycleError as error:
        raise GraphError(f"the nn-Meter IR has a cycle through or before node {error.item!r}") from None
