"""A plan as a folder: the models, their list, and a script that times them on a phone."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from predictor_core.errors import PredictorError, UnsupportedOpError
from predictor_core.files import write_atomically

if TYPE_CHECKING:
    from predictor_core.measuring.planning.plan import Planned

PLAN_FILE = "plan.csv"
PHONE_SCRIPT = "measure_on_phone.sh"
_COLUMNS = ("name", "source_ms", "expected_error")


def write_plan(plan: Sequence[Planned], folder: str | os.PathLike[str]) -> list[str]:
    """Write a plan.

    Parameters
    ----------
    plan : sequence of Planned
    folder : path
        Made if it is absent; files of an earlier plan are replaced one by one.

    Returns
    -------
    list of str
        Formats that were written: ``"onnx"`` and, where LiteRT is installed, ``"tflite"``.

    Raises
    ------
    PredictorError
        When a model can't be written as ONNX.
    """
    from predictor_core.frontends.onnx.writing import graph_to_onnx

    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    formats = ["onnx"]
    if find_spec("ai_edge_litert") is not None:
        formats.append("tflite")
    for each in plan:
        write_atomically(target / f"{each.name}.onnx", graph_to_onnx(each.graph).SerializeToString())
        if "tflite" in formats:
            from predictor_core.frontends.tflite.writing import graph_to_tflite

            try:
                write_atomically(target / f"{each.name}.tflite", graph_to_tflite(each.graph))
            except UnsupportedOpError:
                # The plan is as good without it; the script leaves out what has no file.
                continue
    rows = [f"{each.name},{each.source_ms:.6g},{each.deviation:.4g}" for each in plan]
    write_atomically(target / PLAN_FILE, "\n".join([",".join(_COLUMNS), *rows]) + "\n")
    script = target / PHONE_SCRIPT
    write_atomically(script, Path(__file__).with_name(PHONE_SCRIPT).read_text(encoding="utf-8"))
    script.chmod(0o755)
    return formats


def read_plan(folder: str | os.PathLike[str]) -> list[str]:
    """Return the names of the models of a plan, without the endings of their files, in its order.

    Raises
    ------
    PredictorError
        When the folder has none, or it is malformed.
    """
    path = Path(folder) / PLAN_FILE
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            absent = set(_COLUMNS).difference(rows.fieldnames or ())
            if absent:
                raise ValueError(f"it has no column {', '.join(sorted(absent))}")
            return [row["name"] for row in rows]
    except (OSError, ValueError, csv.Error) as error:
        raise PredictorError(f"{path}: not the list of a plan: {error!r}") from error
