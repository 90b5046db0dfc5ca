"""``perf.yaml`` of Qualcomm AI Hub Models: times of one model on many devices with several runtimes.

Formats: files of the repository quic/ai-hub-models, until 2024 (µs, a list of devices) and since (ms, a
mapping).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from predictor_core.measuring.logs.base import LogFormat, LoggedModel
from predictor_core.measuring.rows import environment
from predictor_core.yaml_files import parse_yaml


def _matches(text: str) -> bool:
    return "performance_metrics:" in text


def _read(text: str) -> list[LoggedModel]:
    document = parse_yaml(text)
    if not isinstance(document, dict):
        return []
    return [*_devices(document), *_precisions(document)]


def _devices(document: dict[str, Any]) -> Iterator[LoggedModel]:
    """``models: [{name, performance_metrics: [{RUNTIME: {inference_time}, reference_device_info}]}]``."""
    for model in _dicts(document.get("models")):
        for entry in _dicts(model.get("performance_metrics")):
            device = entry.get("reference_device_info") or {}
            for runtime, figures in entry.items():
                us: Any = _get(figures, "inference_time")
                if _is_number(us):
                    where = environment(
                        str(runtime), str(device.get("name", "")), figures.get("precision"), _unit(figures)
                    )
                    yield LoggedModel(str(model.get("name", "")), float(us) / 1e3, environment=where)


def _precisions(document: dict[str, Any]) -> Iterator[LoggedModel]:
    """``precisions: PRECISION: components: NAME: performance_metrics: DEVICE: RUNTIME: {...}``."""
    for precision, part in _items(document.get("precisions")):
        for name, component in _items(_get(part, "components")):
            for device, runtimes in _items(_get(component, "performance_metrics")):
                for runtime, figures in _items(runtimes):
                    ms = _get(figures, "inference_milliseconds")
                    if _is_number(ms):
                        where = environment(str(runtime), str(device), str(precision), _unit(figures))
                        yield LoggedModel(str(name), float(ms), environment=where)


def _unit(figures: dict[str, Any]) -> str:
    return str(figures.get("primary_compute_unit", ""))


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _items(value: Any) -> list[tuple[Any, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


FORMATS = (LogFormat("AI Hub, perf.yaml", _matches, _read),)
