"""Named tuples, made at once of all their fields."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

_Named = TypeVar("_Named", bound="tuple[Any, ...]")


def maker(kind: type[_Named]) -> Callable[[tuple[Any, ...]], _Named]:
    """Return what makes a named tuple of the tuple of all its fields, in their order.

    It takes half as long as the class itself, and a model has hundreds of nodes and kernels.
    """
    return partial(tuple.__new__, kind)
