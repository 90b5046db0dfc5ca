"""What a pickle is read into instead of objects: names and records, which do nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final


class Name:
    """A class or function that a pickle mentions, by its last part."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Record:
    """A call or an object of a pickle: what was called, with which arguments, and the state set on it."""

    __slots__ = ("args", "state", "type")

    def __init__(self, type: str, args: tuple[Any, ...]) -> None:
        self.type = type
        self.args = args
        self.state: Any = None


def _names() -> Mapping[tuple[str, str], Name]:
    """Every (module, name) that scikit-learn 0.20 and later write for a RandomForestRegressor."""
    known = {}
    for modules, names in (
        ("sklearn.ensemble.forest sklearn.ensemble._forest", "RandomForestRegressor"),
        ("sklearn.tree.tree sklearn.tree._classes", "DecisionTreeRegressor"),
        ("sklearn.tree._tree", "Tree"),
        ("numpy", "ndarray dtype"),
        ("numpy.core.multiarray numpy._core.multiarray", "_reconstruct scalar"),
        ("numpy.core.numeric numpy._core.numeric", "_frombuffer"),
        ("_codecs", "encode"),
        # A generator kept as the parameter `random_state`; read, never used.
        ("numpy.random", "__RandomState_ctor"),
        ("numpy.random._pickle", "__randomstate_ctor __bit_generator_ctor"),
        ("numpy.random._mt19937", "MT19937"),
    ):
        for module in modules.split():
            for name in names.split():
                known[module, name] = Name(name)
    return known


KNOWN_NAMES: Final = _names()
