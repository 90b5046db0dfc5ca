"""``nn-meter register`` and ``unregister``: predictors of the user's own."""

from __future__ import annotations

from predictor_core import legacy


def register(meta: str) -> int:
    """Add the predictor that a meta file describes."""
    entry = legacy.register(meta)
    print(f"[RESULT] registered {entry['name']}: version={entry['version']}")
    return 0


def unregister(name: str, version: str | None) -> int:
    """Forget one or every version of a registered predictor."""
    for entry in legacy.unregister(name, version):
        print(f"[RESULT] unregistered {entry['name']}: version={entry['version']}")
    return 0
