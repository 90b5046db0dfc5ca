"""Which NNI is installed. Nothing else in the package decides by version."""

from __future__ import annotations

import functools
from importlib import metadata
from typing import Literal

from predictor_core.errors import missing_dependency

Major = Literal[2, 3]


@functools.lru_cache(maxsize=1)
def installed_major() -> Major | None:
    """Return 2 for NNI 2.10 (``nni.retiarii``), 3 for NNI 3.0 (``nni.nas`` alone), None without either."""
    try:
        version = metadata.version("nni")
    except metadata.PackageNotFoundError:
        return None
    parts = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    return 3 if parts >= [3] else 2 if parts >= [2, 10] else None


def nni_major(purpose: str) -> Major:
    """Return the major version of NNI.

    Parameters
    ----------
    purpose : str
        What needs NNI, for the error message.

    Raises
    ------
    MissingDependencyError
        When NNI is not installed, or is older than 2.10.
    """
    major = installed_major()
    if major is None:
        raise missing_dependency("nni>=2.10", "nni", purpose)
    return major
