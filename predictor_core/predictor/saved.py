"""Reports read back from the JSON that ``nn-meter predict --json`` and `LatencyReport.to_json` write."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from predictor_core.errors import PredictorError
from predictor_core.ir.graph import Shape
from predictor_core.predictor.report import KernelReport, LatencyReport

_MAX_BYTES = 2**28


def read_reports(path: str | os.PathLike[str]) -> list[LatencyReport]:
    """Read saved reports.

    Parameters
    ----------
    path : path
        JSON: one report, or an array of them; entries that hold an error are left out.

    Raises
    ------
    PredictorError
        When the file can't be read, or holds something else.
    """
    try:
        if os.stat(path).st_size > _MAX_BYTES:
            raise PredictorError(f"{path} is larger than {_MAX_BYTES} bytes; expected saved reports")
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise PredictorError(f"can't read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise PredictorError(f"{path} is no JSON: {error}") from error
    entries = data if isinstance(data, list) else [data]
    try:
        return [_report(entry) for entry in entries if not (isinstance(entry, dict) and "error" in entry)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PredictorError(
            f"{path} holds no saved reports ({error!r}); expected what nn-meter predict --json prints"
        ) from error


def _report(entry: Mapping[str, Any]) -> LatencyReport:
    interval = entry.get("interval_ms")
    return LatencyReport(
        str(entry["model"]),
        str(entry["predictor"]),
        str(entry["predictor_version"]),
        [_kernel(kernel) for kernel in entry["kernels"]],
        overhead_ms=_number(entry["overhead_ms"]),
        interval_ms=None if interval is None else (_number(interval[0]), _number(interval[1])),
        free=map(str, entry.get("free", ())),
        warnings=map(str, entry.get("warnings", ())),
        device=str(entry.get("device", "")),
        card=dict(entry.get("card") or {}),
    )


def _kernel(entry: Mapping[str, Any]) -> KernelReport:
    macs, moved = entry.get("macs"), entry.get("moved_bytes")
    return KernelReport(
        str(entry["name"]),
        str(entry["type"]),
        _number(entry["latency_ms"]),
        bool(entry["measured"]),
        tuple(map(str, entry["outside_training_range"])),
        tuple(map(_shape, entry["input_shapes"])),
        _shape(entry["output_shape"]),
        tuple(map(str, entry.get("nodes", ()))),
        str(entry.get("scope", "")),
        str(entry.get("details", "")),
        bool(entry.get("bounded", False)),
        None if macs is None else _number(macs),
        None if moved is None else _number(moved),
    )


def _shape(dims: Any) -> Shape:
    return tuple(map(int, dims))


def _number(value: Any) -> float:
    number = float(value)
    if not isfinite(number) or number < 0.0:
        raise ValueError(f"expected a finite number of 0 or more, got {value!r}")
    return number
