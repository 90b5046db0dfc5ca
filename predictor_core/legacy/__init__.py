"""nn-Meter's packs (version 1.0 and users' own): loaded safely, reproduced to the digit.

Everything that imitates nn-Meter, faults included, lives here and only here:
`upstream_ir` and `onnx_ir` read a model as it does, `upstream_graph`, `patterns` and `detection` cut it
into kernels as it does, `features` describes them as it does. `pickle_reader`, `sklearn_forest`,
`compact` and `converted` load the forests; `predictor_core.catalog` fetches and lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from predictor_core.legacy.predictor import LegacyPredictor
    from predictor_core.predictor import LatencyPredictor

__all__ = ["load_predictor"]


def load_predictor(entry: Mapping[str, Any]) -> LegacyPredictor | LatencyPredictor:
    """Load a predictor that is not embedded.

    Parameters
    ----------
    entry : mapping
        Of the list of predictors, with ``package_location`` (a folder) or ``download`` (a URL).

    Returns
    -------
    LegacyPredictor
        For pickled forests; a LatencyPredictor for a pack in this package's own format.

    Raises
    ------
    PackError
        The files are absent, can't be downloaded, or are refused.
    """
    from predictor_core.catalog.registry import PACK_FILE
    from predictor_core.legacy.predictor import LegacyPredictor

    name, version = str(entry["name"]), str(entry["version"])
    if "package_location" in entry:
        folder = Path(entry["package_location"])
        if (folder / PACK_FILE).is_file():
            from predictor_core.predictor import LatencyPredictor

            return LatencyPredictor.from_pack(
                folder / PACK_FILE, name=name, version=version, sha256=entry.get("sha256")
            )
    else:
        from predictor_core.catalog.download import fetch_pack

        folder = fetch_pack(entry)
    return LegacyPredictor.from_folder(folder, name=name, version=version)
