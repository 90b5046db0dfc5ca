"""Which NNI is installed, with the torch that it needs. Nothing else in the package decides by version."""

from __future__ import annotations

import functools
from importlib import import_module, metadata, util
from typing import Any, Literal

from nnmeter_nni.errors import NniVersionError
from predictor_core.errors import MissingDependencyError, missing_dependency

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
        When NNI is not installed, or is older than 2.10, or torch is not installed.
    """
    major = installed_major()
    if major is None:
        raise missing_dependency("nni>=2.10", "nni", purpose)
    require_torch(purpose)
    return major


def require_torch(purpose: str) -> None:
    """Raise an error that tells how to install torch, where it is absent.

    Raises
    ------
    MissingDependencyError
        When torch is not installed.
    """
    try:
        found = util.find_spec("torch") is not None
    except (ImportError, ValueError):  # It is hidden, or its place in sys.modules is taken.
        found = False
    if not found:
        raise missing_dependency("torch", "torch", purpose)


def for_major(purpose: str, *, retiarii: str | None, nas: str | None, instead: str = "") -> Any:
    """Return the object that is for the NNI that is installed.

    Parameters
    ----------
    purpose : str
        What needs it, for the error message.
    retiarii, nas : str or None
        ``module:name`` for NNI 2.10 and for NNI 3.0; None where there is none.
    instead : str
        What to use where there is none, for the error message.

    Raises
    ------
    MissingDependencyError
        When NNI, or what NNI itself needs, is not installed.
    NniVersionError
        When there is none for this NNI.
    """
    target = retiarii if nni_major(purpose) == 2 else nas
    if target is None:
        raise NniVersionError(f"{purpose} is for NNI {'3.0' if retiarii is None else '2.10'}; {instead}")
    module, _, name = target.partition(":")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise missing_dependency(str(error.name), "nni", purpose) from error


def base_class(*, retiarii: str | None, nas: str | None, instead: str = "") -> Any:
    """Return the class of NNI that one of ours extends, or a class whose objects raise why there is none.

    Parameters and errors are those of `for_major`; the purpose is the name of the class that extends it.
    """

    class Absent:
        def __init__(self, *_: object) -> None:
            for_major(f"nnmeter_nni.{type(self).__name__}", retiarii=retiarii, nas=nas, instead=instead)

    try:
        return for_major("nnmeter_nni", retiarii=retiarii, nas=nas, instead=instead)
    except (MissingDependencyError, NniVersionError):
        return Absent
