"""MODEL_CARD.md of a learned predictor: what its numbers stand for and how good they are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from predictor_core.files import write_atomically
from predictor_core.predictor.header import DeviceHeader

#: From so many models on, the share within ±10 % is known well enough to stand alone.
_MANY = 50
CARD_FILE = "MODEL_CARD.md"


def write_card(folder: Path, header: DeviceHeader) -> Path:
    """Write the card beside the header."""
    path = folder / CARD_FILE
    write_atomically(path, card(header))
    return path


def card(header: DeviceHeader) -> str:
    """Text of the card, Markdown."""
    sources = ", ".join(f"{source.name} {source.version}" for source in header.sources)
    lines = [
        f"# {header.name}, version {header.version}",
        "",
        f"{header.description}. Latency in ms of one inference, batch 1.",
        "",
        "## How it was made",
        "",
        f"Learned from the whole-model latencies of {header.facts.get('models', '?')} models, starting from "
        f"{sources}: the kernel latencies of the source are multiplied by factors that the measurements "
        "determine, and stay where they are where the measurements say nothing.",
    ]
    lines += [
        f"- {key}: {value}" for key, value in header.facts.items() if isinstance(value, (str, int, float))
    ]
    lines += ["", "## Accuracy", "", *accuracy_lines(header.accuracy)]
    lines += [
        "",
        "## Limits",
        "",
        "Clock, temperature, other load, runtime version and drivers change latencies: the numbers hold for "
        "the device as it was when it was measured. Kernels unlike all that were measured are flagged in "
        "reports.",
    ]
    return "\n".join(lines) + "\n"


def accuracy_lines(accuracy: Mapping[str, Any]) -> list[str]:
    """Lines of the cross-validated table, for the card and the command line."""
    titles = {"cross_validated": "models left out", "families_left_out": "whole families left out"}
    lines = [
        "| cross-validation | models | within ±5 % | within ±10 % | MAPE | Spearman |",
        "|---|---|---|---|---|---|",
    ]
    for key, title in titles.items():
        table = accuracy.get(key)
        if isinstance(table, Mapping):
            lines.append(
                f"| {title} | {table.get('models')} | {table.get('within_5')} % | "
                f"{table.get('within_10')} % | {table.get('mape')} % | {table.get('spearman')} |"
            )
    worst = accuracy.get("worst", [])
    if worst:
        lines += ["", "Worst models (left out of the fit):", ""]
        lines += [
            f"- {one['model']}: measured {one['measured_ms']} ms, predicted {one['predicted_ms']} ms "
            f"({one['error']:+} %)"
            for one in worst
        ]
    little = accuracy.get("too_little", [])
    if little:
        lines += ["", f"Too little to learn their rates: {', '.join(little)}."]
    lines += ["", f"Verdict: {accuracy.get('verdict', 'unknown')}."]
    return [*lines, *_how_sure(accuracy)]


def _how_sure(accuracy: Mapping[str, Any]) -> list[str]:
    """Say what few models show at most."""
    table = accuracy.get("cross_validated")
    n, within = (table.get("models"), table.get("within_10")) if isinstance(table, Mapping) else (None, None)
    if not isinstance(n, int) or not isinstance(within, (int, float)) or not 0 < n < _MANY:
        return []
    least = lower_bound(within / 100.0, n)
    return [
        f"With {n} models it is only sure (95 % confidence) that {100.0 * least:.0f} % or more of all such "
        "models are within ±10 %."
    ]


def lower_bound(share: float, n: int) -> float:
    """Return the share that the true one is not below, with 95 % confidence, when `share` of n was seen.

    Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    z = 1.645
    centre = share + z**2 / (2 * n)
    return (centre - z * math.sqrt(share * (1.0 - share) / n + z**2 / (4 * n**2))) / (1.0 + z**2 / n)
