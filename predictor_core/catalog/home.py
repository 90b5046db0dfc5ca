"""Where a user's predictors live: ``$NN_METER_HOME``, by default ``~/.nn_meter`` as nn-Meter has it."""

from __future__ import annotations

import os
from pathlib import Path

from predictor_core.errors import RegistryError


def home() -> Path:
    """Folder of the user's configuration and downloads; it need not exist.

    Raises
    ------
    RegistryError
        The user has no home folder, and ``NN_METER_HOME`` is not set.
    """
    try:
        return Path(os.environ.get("NN_METER_HOME") or "~/.nn_meter").expanduser()
    except RuntimeError as error:
        raise RegistryError(f"there is no home folder ({error}); set NN_METER_HOME to a folder") from error


def packs_folder() -> Path:
    """Folder that holds one folder for each downloaded predictor."""
    return home() / "data" / "predictor"


def predictors_file() -> Path:
    """Path of the list of the user's own predictors."""
    return home() / "config" / "predictors.yaml"
