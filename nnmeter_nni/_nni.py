"""Which NNI is installed. Nothing else in the package decides by version."""

from __future__ import annotations

import functools
from importlib import metadata
from typing import Literal

from predictor_core.errors import missing_dependency

Major = Literal[2, 3]


@functools.lru_cache(maxsize=1)
def nni_major(purpose: str = "nnmeter_nni") -> Major:
    """Return 2 where ``nni.retiarii`` is (NNI 2.10), 3 where ``nni.nas`` stands alone (NNI 3.0).

    Parameters
    ----------
    purpose : str
        What needs NNI, for the error message.

    Raises
    ------
    MissingDependencyError
        When NNI is not installed, or is older than 2.10.
    """
    try:
        version = metadata.version("nni")
    except metadata.PackageNotFoundError:
        raise missing_dependency("nni", "nni", purpose) from None
    parts = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    if parts >= [3]:
        return 3
    if parts >= [2, 10]:
        return 2
    raise missing_dependency("nni>=2.10", "nni", f"{purpose} (NNI {version} was found)")
