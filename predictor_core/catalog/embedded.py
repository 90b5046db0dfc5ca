"""Predictors that the package knows by itself, embedded or downloadable."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

#: Folder of the package, where the embedded predictors are.
PACKAGE = Path(__file__).parents[1]


@lru_cache(maxsize=1)
def embedded_predictors() -> tuple[dict[str, Any], ...]:
    """Entries of the predictors that the package knows by itself, oldest version first."""
    text = Path(__file__).with_name("predictors.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return tuple(yaml.load(text, Loader=loader))
