"""A device header in few bytes, for pickles: an experiment stores its predictor with every checkpoint."""

from __future__ import annotations

import hashlib
import json
import lzma
from typing import Any

from predictor_core.errors import PackError
from predictor_core.predictor.header import MAX_HEADER_BYTES, DeviceHeader

#: No container around it, whose digests alone are 60 bytes, and no context that text of digits has not.
_FILTERS: list[dict[str, Any]] = [
    {"id": lzma.FILTER_LZMA2, "preset": 9, "lc": 0, "lp": 0, "pb": 0, "dict_size": MAX_HEADER_BYTES}
]
#: Like things side by side compress best: names apart from numbers, and points by coordinate.
_NAMED, _POINTS = ("coefficients", "variances"), "centers"


def to_bytes(header: DeviceHeader) -> bytes:
    """Return the header as bytes: the same header gives the same."""
    content = header.to_dict()
    for key in _NAMED:
        content[key] = [list(content[key]), list(content[key].values())]
    content[_POINTS] = {group: list(zip(*points)) for group, points in content[_POINTS].items()}
    text = json.dumps(content, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return lzma.compress(text.encode(), format=lzma.FORMAT_RAW, filters=_FILTERS)


def digest(header: DeviceHeader) -> str:
    """Return what tells the header from a changed one."""
    return hashlib.sha256(header.to_json().encode()).hexdigest()


def from_bytes(data: bytes) -> DeviceHeader:
    """Read and check what `to_bytes` made.

    Raises
    ------
    PackError
        It is damaged, or a value is out of range.
    """
    try:
        reader = lzma.LZMADecompressor(format=lzma.FORMAT_RAW, filters=_FILTERS)
        content = json.loads(reader.decompress(data, max_length=MAX_HEADER_BYTES))
        for key in _NAMED:
            names, numbers = content[key]
            content[key] = dict(zip(names, numbers))
        content[_POINTS] = {group: list(map(list, zip(*axes))) for group, axes in content[_POINTS].items()}
    except (lzma.LZMAError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PackError(f"the pickled device header is damaged: {error!r}") from error
    return DeviceHeader.from_dict(content, "pickled device header")
