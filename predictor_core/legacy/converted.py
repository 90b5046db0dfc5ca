"""The converted file: forests and rules of a 1.0 pack in one file that is memory-mapped on load.

Layout, little endian: magic ``NNMLEG02``, length of the header (4 bytes), header (JSON: what it was made
from, rules, forests, sizes), then the arrays of `compact.DTYPES`, each aligned to 64 bytes.
It holds no code. A checksum of each array finds a damaged file; indices are checked as they are used.
"""

from __future__ import annotations

import json
import mmap
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from predictor_core.errors import MALFORMED, PackError
from predictor_core.files import atomic_file
from predictor_core.legacy.compact import DTYPES, CompactForests, Slot
from predictor_core.legacy.rules import FusionRules

MAGIC = b"NNMLEG02"
_MAX_HEADER_BYTES = 16 * 2**20
_ALIGNMENT = 64


class ConvertedPack(NamedTuple):
    """Forests and fusion rules of one predictor."""

    forests: CompactForests
    rules: FusionRules


def save_converted(path: Path, pack: ConvertedPack, source: Mapping[str, Any]) -> None:
    """Write the file, whole or not at all.

    Parameters
    ----------
    path : Path
        File to write; its folder exists.
    pack : ConvertedPack
        What to write.
    source : mapping
        JSON-able description of the files that it was made from.

    Raises
    ------
    OutputError
        The folder can't be written.
    """
    arrays = pack.forests.arrays()
    header = {
        "source": source,
        "rules": {**pack.rules._asdict(), "pairs": sorted(pack.rules.pairs)},
        "forests": pack.forests.slots,
        "sizes": {name: len(array) for name, array in arrays.items()},
    }
    header["crc32"] = {name: zlib.crc32(array.tobytes()) for name, array in arrays.items()}
    text = json.dumps(header).encode()
    with atomic_file(path) as file:
        file.write(MAGIC + struct.pack("<I", len(text)) + text)
        for array in arrays.values():
            file.write(bytes(-file.tell() % _ALIGNMENT))
            array.tofile(file)


def load_converted(path: Path, source: Mapping[str, Any]) -> ConvertedPack | None:
    """Map the file into memory.

    Parameters
    ----------
    path : Path
        The file.
    source : mapping
        What it has to be made from.

    Returns
    -------
    ConvertedPack or None
        None where the file is absent, damaged, or made from something else: it has to be made anew.
    """
    try:
        with open(path, "rb") as file:
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return _parse(content, source)
    except (OSError, PackError, RecursionError, struct.error, *MALFORMED):
        return None


def _parse(content: memoryview, source: Mapping[str, Any]) -> ConvertedPack:
    (length,) = struct.unpack_from("<I", content, len(MAGIC))
    start = len(MAGIC) + 4
    if content[: len(MAGIC)] != MAGIC or length > min(_MAX_HEADER_BYTES, len(content)):
        raise PackError("not a converted pack")
    header = json.loads(bytes(content[start : start + length]))
    if header["source"] != source:
        raise PackError("made from other files")
    position = start + length
    arrays = {}
    for name, dtype in DTYPES.items():
        position += -position % _ALIGNMENT
        arrays[name] = np.frombuffer(content, dtype, int(header["sizes"][name]), position)
        position += arrays[name].nbytes
        if zlib.crc32(arrays[name].tobytes()) != header["crc32"][name]:
            raise PackError("damaged")
    slots = {name: Slot(*map(int, entry)) for name, entry in header["forests"].items()}
    inner = len(arrays["feature"])
    if (
        position != len(content)
        or (len(arrays["threshold"]), len(arrays["children"])) != (inner, 2 * inner)
        or not all(0 <= slot.first < slot.last <= len(arrays["roots"]) for slot in slots.values())
    ):
        raise PackError("damaged")
    rules = header["rules"]
    return ConvertedPack(
        CompactForests(slots, **arrays),
        FusionRules(
            frozenset((first, second) for first, second in rules["pairs"]),
            tuple(tuple(ops) for ops in rules["chains"]),
            int(rules["multiple_outputs"]),
        ),
    )
