"""``nn-meter register`` and ``unregister``: predictors of the user's own."""

from __future__ import annotations

from predictor_core.catalog.register import register_predictor, unregister_predictor


def register(meta: str) -> int:
    """Add the predictor that a meta file describes."""
    entry = register_predictor(meta)
    print(f"[RESULT] registered {entry['name']}: version={entry['version']}")
    return 0


def unregister(name: str, version: str | None) -> int:
    """Take a registered predictor off the list; its files stay."""
    entry = unregister_predictor(name, version)
    print(f"[RESULT] unregistered {entry['name']}: version={entry['version']}")
    return 0
