"""What other packages offer through entry points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def entry_points_of(group: str) -> list[EntryPoint]:
    """Entry points of a group, not yet loaded."""
    # Looking through what is installed takes longer than loading a predictor, and so does the import.
    from importlib.metadata import entry_points

    found: Any = entry_points()
    return list(found.select(group=group) if hasattr(found, "select") else found.get(group, ()))
