"""From fitted parts to a pack file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core import kernels
from predictor_core.catalog import PACKAGE
from predictor_core.forest import Forest, save_pack
from predictor_core.learning.base import Base
from predictor_core.learning.dataset import Dataset
from predictor_core.yaml_files import read_yaml

VERSION = "2.0"


def digest(ids: NDArray[np.str_]) -> str:
    """SHA-256 of a set of model ids, by which an evaluation knows what a pack was trained on."""
    return hashlib.sha256("\n".join(sorted(map(str, ids))).encode()).hexdigest()


def write_pack(
    path: Path,
    trained_on: Dataset,
    base: Base,
    constant_ms: float,
    forests: Mapping[str, Forest],
    features: Mapping[str, NDArray[np.float32]],
    interval: Mapping[str, float],
    training: Mapping[str, Any],
    fading: bool = False,
) -> str:
    """Write the pack of a device.

    Parameters
    ----------
    path : Path
        File to write.
    trained_on : Dataset
        The models that the fit has seen.
    base, constant_ms, forests
        What was fitted.
    features : mapping
        `teacher.feature_table` of the data set.
    interval : mapping
        Constants of `predictor_core.predictor.interval`.
    training : mapping
        Provenance, for the header.
    fading : bool
        Whether the corrections of the forests fade above the sizes that they were trained on.

    Returns
    -------
    str
        SHA-256 of the file.
    """
    seen = trained_on.seen()
    facts = {}
    for name in forests:
        known = seen[trained_on.forests == name]
        # Of a kernel type without training kernels nothing but the base is said, so that no range matters.
        table = features[name][known]
        ranged = table if len(table) else features[name]
        facts[name] = {
            "features": list(kernels.FORESTS[name].names),
            "ranges": np.stack([ranged.min(axis=0), ranged.max(axis=0)], axis=1).astype(float).tolist(),
            "base": base.forests[name].to_header(),
            "kernels": len(table),
        }
    ms_per_mac, ms_per_byte, launch_ms = map(float, base.device)
    header = {
        "device": trained_on.device,
        "version": VERSION,
        "description": _description(trained_on.device),
        "constant_ms": constant_ms,
        "estimate": {
            "launch_ms": launch_ms,
            "macs_per_ms": 1.0 / ms_per_mac,
            "bytes_per_ms": 1.0 / ms_per_byte,
        },
        "interval": dict(interval),
        "training": {
            **training,
            "models": len(trained_on),
            "families": sorted(map(str, np.unique(trained_on.families))),
            "trained_ids_sha256": digest(trained_on.ids),
        },
        "forests": facts,
        **({"fading": True} if fading else {}),
    }
    return save_pack(path, header, forests)


def _description(device: str) -> str:
    """Return the line of the device card that heads every report: what the numbers stand for."""
    path = PACKAGE / "devices" / device / "device.yaml"
    return str(read_yaml(path)["description"])
