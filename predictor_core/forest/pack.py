"""The pack: all forests of one predictor in one file that is data and nothing else.

Layout, little endian::

    8 bytes   magic ``NNMPACK1``
    4 bytes   length of the header
    header    UTF-8 JSON
    arrays    leaf bits, features (uint8), thresholds (float32), leaf values, one after another
    32 bytes  SHA-256 of everything before

Nodes stand in breadth-first order over all trees, so that child indices need not be stored.
A float64 threshold t is stored as the largest float32 that is <= t, which sends every float32
feature the same way.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import struct
from collections.abc import Mapping
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from predictor_core.errors import PackError
from predictor_core.files import write_atomically
from predictor_core.forest.arrays import Floats, TreeArrays
from predictor_core.forest.forest import Forest

MAGIC = b"NNMPACK1"
FORMAT = 1
MAX_HEADER_BYTES = 16 * 2**20
MAX_PACK_BYTES = 2 * 2**30
#: Leaves are logarithms of latencies: beyond this their powers are no numbers.
MAX_LEAF = 500.0
_VALUE_TYPES: dict[str, np.dtype[Any]] = {
    "float16": np.dtype("<f2"),
    "float32": np.dtype("<f4"),
    "float64": np.dtype("<f8"),
}


class Pack(NamedTuple):
    """What a pack file holds.

    Parameters
    ----------
    header : dict
        Device, version, bases, ranges, provenance: everything but the trees.
    forests : dict of str to Forest
        One forest a name; all share one `TreeArrays`.
    sha256 : str
        Hexadecimal digest of the file.
    """

    header: dict[str, Any]
    forests: dict[str, Forest]
    sha256: str


def round_down_to_float32(threshold: Floats) -> NDArray[np.float32]:
    """Largest float32 that is <= each threshold: no float32 feature changes its side."""
    rounded = threshold.astype(np.float32)
    above = rounded > threshold
    rounded[above] = np.nextafter(rounded[above], np.float32(-np.inf))
    return rounded


def save_pack(
    path: str | os.PathLike[str],
    header: Mapping[str, Any],
    forests: Mapping[str, Forest],
    value_type: str = "float16",
) -> str:
    """Write a pack, whole or not at all.

    Parameters
    ----------
    path : path
        File to write.
    header : mapping
        JSON-able; ``forests`` in it may hold an entry of facts for each forest.
    forests : mapping of str to Forest
        Each on its own arrays.
    value_type : {"float16", "float32", "float64"}
        Precision of the leaves.

    Returns
    -------
    str
        SHA-256 of the file.
    """
    merged, slices = _merge(forests)
    n_trees = merged.n_trees
    leaf = merged.left == np.arange(len(merged.node))
    inner, feature = ~leaf, merged.feature
    if len(feature) and feature.max() > 255:
        raise PackError("a pack holds at most 256 features for each forest")
    facts = dict(header.get("forests", {}))
    full = {
        **header,
        "format": FORMAT,
        "n_nodes": len(leaf),
        "n_trees": n_trees,
        "value_type": value_type,
        "forests": {
            name: {
                **facts.get(name, {}),
                "first_tree": first,
                "last_tree": last,
                "n_features": forests[name].n_features,
                "combine": forests[name].combine,
            }
            for name, (first, last) in slices.items()
        },
    }
    text = json.dumps(full, sort_keys=True, allow_nan=False, separators=(",", ":")).encode()
    parts = [
        MAGIC,
        struct.pack("<I", len(text)),
        text,
        np.packbits(leaf).tobytes(),
        feature[inner].astype("u1").tobytes(),
        round_down_to_float32(merged.threshold[inner]).astype("<f4").tobytes(),
        merged.value[leaf].astype(_VALUE_TYPES[value_type]).tobytes(),
    ]
    content = b"".join(parts)
    content += hashlib.sha256(content).digest()
    write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()


def load_pack(path: str | os.PathLike[str], sha256: str | None = None) -> Pack:
    """Read a pack and check all of it; nothing in the file is executed.

    Parameters
    ----------
    path : path
        The pack file.
    sha256 : str, optional
        Digest that the whole file must have (a registry pins it).

    Raises
    ------
    PackError
        When the file is absent, truncated, corrupted, tampered with, or of another format.
    """
    name = os.fspath(path)
    try:
        size = os.path.getsize(name)
        if size > MAX_PACK_BYTES:
            raise PackError(f"pack {name} has {size} bytes; a pack has at most {MAX_PACK_BYTES}")
        with open(name, "rb") as file:
            content = file.read()
    except OSError as error:
        raise PackError(f"can't read the pack {name}: {error.strerror}") from error
    if len(content) < len(MAGIC) + 4 + 32 or content[: len(MAGIC)] != MAGIC:
        raise PackError(f"{name} is not a predictor pack")
    body = memoryview(content)[:-32]
    digest = hashlib.sha256(body)
    if not hmac.compare_digest(digest.digest(), content[-32:]):
        raise PackError(f"pack {name} is corrupted: its SHA-256 does not match; install or train it again")
    digest.update(content[-32:])
    if sha256 is not None and not hmac.compare_digest(digest.hexdigest(), sha256):
        raise PackError(
            f"pack {name} has SHA-256 {digest.hexdigest()}, expected {sha256}; it is not the registered pack"
        )
    try:
        return _parse(body, digest.hexdigest())
    except PackError as error:
        raise PackError(f"pack {name}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, struct.error, RecursionError) as error:
        raise PackError(f"pack {name} is malformed: {type(error).__name__}: {error}") from error


def _parse(body: memoryview, sha256: str) -> Pack:
    start = len(MAGIC)
    (length,) = struct.unpack_from("<I", body, start)
    start += 4
    if length > MAX_HEADER_BYTES or start + length > len(body):
        raise PackError(f"the header claims {length} bytes")
    header = json.loads(bytes(body[start : start + length]), parse_constant=_no_number, parse_float=_finite)
    if header["format"] != FORMAT:
        raise PackError(f"format {header['format']!r}; this version of the package reads format {FORMAT}")
    start += length
    n_nodes, n_trees = int(header["n_nodes"]), int(header["n_trees"])
    value_type = _VALUE_TYPES[header["value_type"]]
    n_inner = (n_nodes - n_trees) // 2
    n_leaves = n_nodes - n_inner
    n_bits = (n_nodes + 7) // 8
    if n_inner < 0 or start + n_bits + 5 * n_inner + value_type.itemsize * n_leaves != len(body):
        raise PackError(f"{len(body) - start} bytes of arrays do not hold {n_nodes} nodes in {n_trees} trees")
    leaf = np.unpackbits(np.frombuffer(body, "u1", n_bits, start), count=n_nodes).astype(bool)
    start += n_bits
    feature = np.frombuffer(body, "u1", n_inner, start)
    start += n_inner
    threshold = np.frombuffer(body, "<f4", n_inner, start)
    start += 4 * n_inner
    value = np.frombuffer(body, value_type, n_leaves, start)
    # In single precision, or what is wider: half is slow to compare.
    if n_leaves and not np.abs(value.astype(np.promote_types(value_type, np.float32))).max() <= MAX_LEAF:
        raise PackError(f"a leaf is outside of -{MAX_LEAF:g} to {MAX_LEAF:g}")
    arrays = TreeArrays.from_breadth_first(leaf, feature, threshold, value, n_trees)
    read = _highest_features(leaf, feature, n_trees)
    forests = {}
    for forest_name, entry in header["forests"].items():
        first, last, n_features = int(entry["first_tree"]), int(entry["last_tree"]), int(entry["n_features"])
        if not 0 <= first < last <= n_trees or entry["combine"] not in ("mean", "sum"):
            raise PackError(f"forest {forest_name!r} names trees or a combination that do not exist")
        if read[first:last].max() >= n_features:
            raise PackError(f"forest {forest_name!r} compares a feature outside of its {n_features}")
        forests[forest_name] = Forest(arrays, first, last, n_features, entry["combine"])
    return Pack(header, forests, sha256)


def _highest_features(leaf: NDArray[np.bool_], feature: NDArray[Any], n_trees: int) -> NDArray[np.int64]:
    """Highest feature that each tree compares, shape (n_trees,); -1 for a tree that is a leaf."""
    highest = np.full(n_trees, -1, np.int64)
    inner = np.flatnonzero(~leaf)
    # Nodes stand level by level, and in each level by tree.
    level, first, done = np.arange(n_trees, dtype=np.min_scalar_type(n_trees)), 0, 0
    while done < len(inner):
        end = int(np.searchsorted(inner, first + len(level)))
        tree = level[inner[done:end] - first]
        starts = np.flatnonzero(np.append(True, tree[1:] != tree[:-1]))
        trees = tree[starts]
        highest[trees] = np.maximum(highest[trees], np.maximum.reduceat(feature[done:end], starts))
        first, level, done = first + len(level), np.repeat(tree, 2), end
    return highest


def _finite(text: str) -> float:
    number = float(text)
    return number if isfinite(number) else _no_number(text)


def _no_number(text: str) -> float:
    raise PackError(f"the header holds {text}, which is no number")


def _merge(forests: Mapping[str, Forest]) -> tuple[TreeArrays, dict[str, tuple[int, int]]]:
    """Put all trees into one set of arrays; say which trees are whose."""
    if not forests:
        raise PackError("a pack needs at least one forest")
    left, feature, threshold, value, roots = [], [], [], [], []
    slices: dict[str, tuple[int, int]] = {}
    start, trees = 0, 0
    for name, forest in forests.items():
        arrays = forest.arrays
        if (forest.first, forest.last) != (0, arrays.n_trees):
            raise PackError(f"forest {name!r} shares its arrays; build it anew before saving")
        n = len(arrays.node)
        left.append(arrays.left + start)
        feature.append(arrays.feature)
        threshold.append(arrays.threshold)
        value.append(arrays.value)
        roots.append(np.arange(start, start + arrays.n_trees))
        slices[name] = (trees, trees + arrays.n_trees)
        start += n
        trees += arrays.n_trees
    lefts = np.concatenate(left)
    own = np.arange(start)
    level = np.concatenate(roots)
    levels = [level]
    while True:
        inner = level[lefts[level] != own[level]]
        if not len(inner):
            break
        level = np.stack([lefts[inner], lefts[inner] + 1], axis=1).ravel()
        levels.append(level)
    order = np.concatenate(levels)
    leaf = (lefts == own)[order]
    merged = TreeArrays.from_breadth_first(
        leaf,
        np.concatenate(feature)[order][~leaf],
        np.concatenate(threshold)[order][~leaf],
        np.concatenate(value)[order][leaf],
        trees,
    )
    return merged, slices
