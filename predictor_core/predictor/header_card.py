"""Card of a device out of its header, in the form of the ``device.yaml`` of a pack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from predictor_core.predictor.header import DeviceHeader

_LIMITS = (
    "clock, temperature, other load, runtime version and drivers differ between devices: expect the ranking "
    "of models to carry over better than the milliseconds"
)
_TITLES = {
    "cross_validated": "models left out of the fit",
    "families_left_out": "whole families left out of the fit",
    "transformers": "vision transformers left out of the fit",
    "transformer_families_left_out": "whole families of vision transformers left out of the fit",
}


def header_card(entry: Mapping[str, Any], header: DeviceHeader) -> dict[str, Any]:
    """Return the card of a learned device.

    Parameters
    ----------
    entry : mapping
        Of the list of predictors: ``hardware``, ``chip``, ``cores``, ``precision``, ``runtime``.
    header : DeviceHeader
    """
    facts, accuracy = header.facts, header.accuracy
    sources = ", ".join(f"{source.name} {source.version}" for source in header.sources)
    card: dict[str, Any] = {"device": header.name, "description": header.description}
    for key in ("hardware", "chip", "cores", "precision", "runtime"):
        if entry.get(key):
            card[key] = entry[key]
    card["batch"] = "1"
    card.update({key: str(facts[key]) for key in ("measured", "input", "training_data") if key in facts})
    card["source"] = (
        f"kernel latencies of {sources}, each times a factor that {facts.get('models', '?')} measured models "
        f"and {facts.get('environments', 1)} environments of the runtime determine"
    )
    card["kernels"] = list(header.measured)
    card["estimated"] = "every other kernel, by the estimate of the source"
    card["limits"] = _LIMITS
    if "verdict" in accuracy:
        card["verdict"] = accuracy["verdict"]
    if "cross_validated" in accuracy:
        card["within_10_percent"] = accuracy["cross_validated"]["within_10"]
    card["accuracy"] = {
        title: table_text(accuracy[key])
        for key, title in _TITLES.items()
        if isinstance(accuracy.get(key), Mapping)
    }
    worst = accuracy.get("worst", [])
    if worst:
        card["accuracy"]["largest errors"] = [f"{one['model']} {one['error']:+} %" for one in worst]
    return card


def table_text(table: Mapping[str, Any]) -> str:
    """One line on a cross-validated table."""
    text = (
        f"{table.get('within_10')} % of {table.get('models')} models within ±10 %, "
        f"{table.get('within_5')} % within ±5 %"
    )
    if "within_20" in table:
        text += f", {table['within_20']} % within ±20 %"
    text += f", mean error {table.get('mape')} %, rank correlation {table.get('spearman')}"
    if "covered" in table:
        text += f"; {table['covered']} % inside the 90 % interval"
    return text
