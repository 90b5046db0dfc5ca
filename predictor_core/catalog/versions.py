"""Versions of predictors."""

from __future__ import annotations

from typing import Any


def version_key(version: Any) -> tuple[tuple[int, int, str], ...]:
    """Sortable form of a version: 1, 1.0 and "1.0.0" are the same one."""
    parts = [
        (0, int(part), "") if part.isdecimal() and len(part) < 19 else (1, 0, part)
        for part in str(version).strip().lower().split(".")
    ]
    while len(parts) > 1 and parts[-1] == (0, 0, ""):
        parts.pop()
    return tuple(parts)
