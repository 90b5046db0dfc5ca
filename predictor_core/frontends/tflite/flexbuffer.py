"""Read the integers of a FlexBuffers map: the options of a custom op.

Source of the format: ``flexbuffers.h`` of Google's FlatBuffers.
"""

from __future__ import annotations

from predictor_core.errors import GraphError

#: Most entries; an op has a dozen options.
MAX_ENTRIES = 256

_INT, _UINT, _MAP, _BOOL = 1, 2, 9, 26
_INDIRECT = {6: _INT, 7: _UINT}


def integers(data: bytes) -> dict[str, int]:
    """Return the entries of a map that are whole numbers or truth values, by name.

    Raises
    ------
    GraphError
        When the bytes hold no map, or an offset points out of them.
    """
    if len(data) < 3:
        return {}
    root = len(data) - 2 - data[-1]
    if data[-2] >> 2 != _MAP:
        raise GraphError("its options are no FlexBuffers map")
    width = 1 << (data[-2] & 3)
    values = root - _number(data, root, data[-1])
    count = _number(data, values - width, width)
    if count > MAX_ENTRIES:
        raise GraphError(f"its options have {count} entries; at most {MAX_ENTRIES} are accepted")
    keys_width = _number(data, values - 2 * width, width)
    keys = values - 3 * width - _number(data, values - 3 * width, width)
    found = {}
    for index in range(count):
        place = keys + index * keys_width
        start = place - _number(data, place, keys_width)
        if start < 0:
            raise GraphError("the offsets of its options point out of them")
        name = data[start : data.find(b"\0", start)].decode("ascii", "replace")
        (packed,) = data[values + count * width + index :][:1] or (0,)
        kind, size, at = packed >> 2, width, values + index * width
        if kind in _INDIRECT:
            kind, size, at = _INDIRECT[kind], 1 << (packed & 3), at - _number(data, at, width)
        if kind in (_INT, _UINT, _BOOL):
            found[name] = _number(data, at, size, signed=kind == _INT)
    return found


def _number(data: bytes, place: int, width: int, signed: bool = False) -> int:
    if width not in (1, 2, 4, 8) or not 0 <= place <= len(data) - width:
        raise GraphError("the offsets of its options point out of them")
    return int.from_bytes(data[place : place + width], "little", signed=signed)
