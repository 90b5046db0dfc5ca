"""Names of kinds of work and of features, as headers of packs have them.

Packs are pinned by their hash and keep the names that they were written with.
"""

from __future__ import annotations

#: Name in older headers -> name now.
_RENAMED = {"beside": "overlap", "chain": "reduction_depth"}


def current_name(name: str) -> str:
    """Return today's name of a kind of work or a feature that a header names."""
    return _RENAMED.get(name, name)
