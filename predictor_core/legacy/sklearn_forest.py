"""Pickled RandomForestRegressors (scikit-learn 0.20 and later, any numpy) as arrays."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core.errors import PackError
from predictor_core.forest.arrays import Tree
from predictor_core.legacy.pickle_reader import Record, parse_pickle, read_pickle

_NODE_FIELDS = ("left_child", "right_child", "feature", "threshold")
_LEAF = -1

#: A node has two children, a feature, a threshold and a value, of four bytes each at least.
_LEAST_NODE_BYTES = 20
MAX_FEATURES = 2**16


@dataclass(frozen=True)
class PickledForest:
    """What a pickle says about its forest.

    Parameters
    ----------
    trees : tuple of Tree
        Children are -1 at leaves and stand after their parent elsewhere.
    n_features : int
        Columns that the forest was fitted on.
    sklearn_version : str
        Version that wrote it, or "" where it does not say.
    """

    trees: tuple[Tree, ...]
    n_features: int
    sklearn_version: str


def read_forest(path: str | os.PathLike[str]) -> PickledForest:
    """Read a pickled RandomForestRegressor without executing anything of it.

    Parameters
    ----------
    path : path
        The ``.pkl`` file.

    Raises
    ------
    PackError
        It is not such a pickle, is malformed, mentions other classes, or has several outputs.
    """
    content = read_pickle(path)
    try:
        return _forest(content, os.path.getsize(path))
    except OSError as error:
        raise PackError(f"the pickle {os.fspath(path)} can't be read: {error.strerror}") from error
    except PackError as error:
        raise PackError(f"the pickle {os.fspath(path)} is refused: {error}") from error


def parse_forest(content: bytes) -> PickledForest:
    """Read the bytes of a pickled forest; see `read_forest`."""
    return _forest(parse_pickle(content), len(content))


def _forest(root: Any, size: int) -> PickledForest:
    """Read the records of a pickle of `size` bytes."""
    state = _state(root, "RandomForestRegressor")
    if state.get("n_outputs_", 1) != 1:
        raise PackError("the forest has several outputs; a latency forest has one")
    estimators = state.get("estimators_")
    if not isinstance(estimators, list) or not estimators:
        raise PackError("the forest has no trees; it was not fitted")
    trees = []
    widths = set()
    for estimator in estimators:
        width, tree = _tree(_state(estimator, "DecisionTreeRegressor").get("tree_"))
        # Every node and value stands in the pickle once, unless a tree is listed again and again.
        size -= len(tree.threshold) * _LEAST_NODE_BYTES
        if size < 0:
            raise PackError("the trees have more nodes than the pickle has room for: it lists one repeatedly")
        widths.add(width)
        trees.append(tree)
    if len(widths) != 1:
        raise PackError(f"the trees disagree on the number of features: {sorted(widths)[:5]}")
    version = state.get("_sklearn_version")
    return PickledForest(tuple(trees), widths.pop(), version if isinstance(version, str) else "")


def _state(record: Any, type: str) -> Mapping[str, Any]:
    if not isinstance(record, Record) or record.type != type or not isinstance(record.state, dict):
        raise PackError(f"a fitted {type} is expected in the place of a {_describe(record)}")
    return record.state


def _describe(value: Any) -> str:
    return value.type if isinstance(value, Record) else type(value).__name__


def _tree(record: Any) -> tuple[int, Tree]:
    """Return (number of features, tree), checked so far that descending it stays inside it and ends."""
    state = _state(record, "Tree")
    if len(record.args) != 3 or type(record.args[0]) is not int or not 0 < record.args[0] <= MAX_FEATURES:
        raise PackError("a tree does not say how many features it has")
    n_features, _, n_outputs = record.args
    if n_outputs != 1:
        raise PackError("a tree has several outputs; a latency forest has one")
    nodes, values = _array(state.get("nodes")), _array(state.get("values"))
    if nodes.dtype.names is None or not set(_NODE_FIELDS) <= set(nodes.dtype.names):
        raise PackError(f"the nodes of a tree lack one of the fields {', '.join(_NODE_FIELDS)}")
    left, right, feature = (nodes[field] for field in _NODE_FIELDS[:3])
    threshold = nodes["threshold"]
    count = len(nodes)
    if nodes.ndim != 1 or count == 0 or values.shape != (count, 1, 1):
        raise PackError(f"a tree has nodes of shape {nodes.shape} and values of shape {values.shape}")
    if any(array.dtype.kind != "i" for array in (left, right, feature)) or threshold.dtype.kind != "f":
        raise PackError("the nodes of a tree have fields of the wrong types")
    if values.dtype.kind != "f" or not np.isfinite(values).all():
        raise PackError("a value of a tree is not a finite number")
    inner = left != _LEAF
    here = np.flatnonzero(inner)
    for children in (left[inner], right[inner]):
        if np.any(children <= here) or np.any(children >= count):
            raise PackError("a child of a tree is out of range, or stands before its parent")
    if np.any(feature[inner] < 0) or np.any(feature[inner] >= n_features):
        raise PackError(f"a tree compares a feature outside 0..{n_features - 1}")
    if np.isnan(threshold[inner]).any():
        raise PackError("a threshold of a tree is not a number")
    return n_features, Tree(
        np.where(inner, left, _LEAF),
        np.where(inner, right, _LEAF),
        np.where(inner, feature, 0),
        threshold,
        values.ravel(),
    )


def _array(record: Any) -> NDArray[Any]:
    """Return the numpy array that a record describes, as a read-only view of its bytes."""
    if not isinstance(record, Record):
        raise PackError(f"an array is expected in the place of a {_describe(record)}")
    if record.type == "_reconstruct":
        if not isinstance(record.state, tuple) or len(record.state) != 5:
            raise PackError("an array has no content")
        _, shape, dtype, fortran, content = record.state
    elif record.type == "_frombuffer":
        if len(record.args) != 4:
            raise PackError("an array has no content")
        content, dtype, shape, order = record.args
        fortran = order == "F"
    else:
        raise PackError(f"an array is expected in the place of a {record.type}")
    if isinstance(content, Record) and content.type == "encode" and len(content.args) == 2:
        # Protocol 2 writes bytes as text.
        text = content.args[0]
        if not isinstance(text, str) or not all(character <= "\xff" for character in {*text}):
            raise PackError("the bytes of an array are not text in Latin-1")
        content = memoryview(text.encode("latin-1"))
    if not isinstance(content, memoryview) or not isinstance(shape, tuple):
        raise PackError("the content of an array is not bytes")
    kind = _dtype(dtype)
    if len(shape) > 3 or any(type(size) is not int or size < 0 for size in shape):
        raise PackError("an array has a shape that none of a forest has")
    elements = prod(shape)
    if elements * kind.itemsize != len(content):
        raise PackError(f"{len(content)} bytes do not make an array of {elements} elements")
    return np.frombuffer(content, kind).reshape(shape, order="F" if fortran else "C")


def _dtype(record: Any, field: bool = False) -> np.dtype[Any]:
    """Build a number of either byte order or, where it is no `field` itself, a structure of such."""
    if not isinstance(record, Record) or record.type != "dtype" or not record.args:
        raise PackError(f"a dtype is expected in the place of a {_describe(record)}")
    state = record.state if isinstance(record.state, tuple) else ()
    if len(state) < 6 or state[1] not in ("<", ">", "|", "="):
        raise PackError("a dtype has no state that is known")
    names, fields, itemsize = state[3], state[4], state[5]
    if names is None:
        if record.args[0] not in ("i4", "i8", "u1", "f4", "f8"):
            raise PackError("an array is of a dtype that none of a forest has")
        number: np.dtype[Any] = np.dtype(record.args[0]).newbyteorder(state[1])
        return number
    if field:
        raise PackError("a structured dtype holds something other than numbers")
    if not isinstance(names, tuple) or not isinstance(fields, dict) or not 0 < len(names) <= 16:
        raise PackError("a structured dtype has no fields")
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        raise PackError("the fields of a structured dtype have no names of their own")
    formats, offsets = [], []
    for name in names:
        entry = fields.get(name)
        if not isinstance(entry, tuple) or len(entry) < 2 or type(entry[1]) is not int:
            raise PackError(f"a structured dtype lacks its field {name!r:.40}")
        formats.append(_dtype(entry[0], field=True))
        offsets.append(entry[1])
    if type(itemsize) is not int or not all(
        0 <= offset <= itemsize - kind.itemsize for offset, kind in zip(offsets, formats)
    ):
        raise PackError("a field of a structured dtype lies outside of it")
    return np.dtype({"names": list(names), "formats": formats, "offsets": offsets, "itemsize": itemsize})
