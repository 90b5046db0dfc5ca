"""How accurate the phones' predictors are: tables for the command line and the card."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from predictor_core.catalog.cards import ROUGH_BELOW
from predictor_core.learning.crossvalidation import spearman
from predictor_core.learning.phones.environments import PHONES
from predictor_core.learning.phones.joint import Learned
from predictor_core.learning.phones.transformers_models import TRANSFORMERS

#: Means over environments are taken over these.
KINDS: dict[str, Callable[[Learned], bool]] = {
    "TFLite fp32, one core": lambda one: one.environment.group == "tflite_fp32" and _single(one),
    "TFLite fp32, several cores": lambda one: one.environment.group == "tflite_fp32" and not _single(one),
    "TFLite int8": lambda one: one.environment.group == "tflite_int8",
    "TFLite GPU": lambda one: one.environment.group == "tflite_gpu",
    "PyTorch Mobile fp32": lambda one: one.environment.group == "torch_fp32",
    "PyTorch Mobile int8": lambda one: one.environment.group == "torch_int8",
    "PyTorch Mobile GPU": lambda one: one.environment.group == "torch_gpu",
}


def _single(one: Learned) -> bool:
    """Whether one core of one kind runs the model: ``1large``, not ``1large1med``."""
    return re.fullmatch(r"1[a-z]+", one.environment.unit) is not None


def accuracy_table(learned: Sequence[Learned]) -> str:
    """Means over environments of the shares within ±10 and ±20 %, in percent, as Markdown."""
    lines = [
        "| environments | number | networks: within ±10 % | MAPE | families left out: within ±10 % | "
        "transformers: within ±10 % | within ±20 % | families left out: within ±20 % | in the interval |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for title, belongs in KINDS.items():
        rows = np.array([_row(one) for one in learned if belongs(one)])
        if len(rows):
            means = [_mean(rows[:, i]) for i in range(rows.shape[1])]
            lines.append(f"| {title} | {len(rows)} | " + " | ".join(means) + " |")
    covered = [one.header.accuracy["cross_validated"]["covered"] for one in learned]
    lines += ["", f"Least coverage of an environment: {min(covered):.1f} %."]
    return "\n".join(lines)


def _row(one: Learned) -> list[float]:
    transformer = np.array([name in TRANSFORMERS for name in one.names])
    off = np.abs(one.evidence.held_out.error)
    left_out = one.evidence.left_out
    family = np.full(len(off), np.nan) if left_out is None else np.abs(left_out.error)

    def within(error: np.ndarray, limit: float) -> float:
        return 100.0 * float((error <= limit).mean()) if len(error) else float("nan")

    return [
        within(off[~transformer], 0.1),
        100.0 * float(off[~transformer].mean()),
        within(family[~transformer], 0.1),
        within(off[transformer], 0.1),
        within(off[transformer], 0.2),
        within(family[transformer], 0.2),
        one.header.accuracy["cross_validated"]["covered"],
    ]


def _mean(values: np.ndarray) -> str:
    known = values[np.isfinite(values)]
    return f"{known.mean():.1f} %" if len(known) else "-"


def model_card(learned: Sequence[Learned], differ: Sequence[str]) -> str:
    """Text of the card of all phones, Markdown."""
    phones = ", ".join(f"{phone.hardware} ({phone.chip})" for phone in PHONES.values())
    lines = [
        "# Phones",
        "",
        f"{len(learned)} environments of {phones}: every kind of core, one to six threads, fp32 and int8 "
        "on CPUs, fp16 on GPUs, with TensorFlow Lite 2.10 and PyTorch Mobile 2.0. `nn-meter "
        "devices NAME` prints the card of one.",
        "",
        'Learned from the latencies in "A Benchmark for ML Inference Latency on Mobile Devices" (Li, '
        "Paolieri, Golubchik; EdgeSys 2024; MIT licence) by `python -m predictor_core.learning.phones`: the "
        "kernel latencies of a measured device, each times a factor that the environments of one runtime "
        "determine together.",
        "",
        "An int8 predictor takes the float model and answers for its int8 conversion.",
        "",
        "## Accuracy on models left out of the fit (10 folds), means over the environments",
        "",
        accuracy_table(learned),
        "",
        "Families left out: no model of the family is in the fit. The transformers are built from public "
        "configurations with random weights; `transformers.csv` compares their sizes with the published ones"
        + (f" (more than 5 % apart: {', '.join(differ)})." if differ else "."),
        "",
        f"## Each environment (rough below {ROUGH_BELOW:.0f} % within ±10 %)",
        "",
        "| name | models | within ±10 % | MAPE | rank correlation | families left out: within ±10 % |",
        "|---|---|---|---|---|---|",
    ]
    for one in learned:
        table = one.header.accuracy["cross_validated"]
        left_out = one.header.accuracy.get("families_left_out", {}).get("within_10", "-")
        rough = "rough: " if table["within_10"] < ROUGH_BELOW else ""
        rank = spearman(one.evidence.held_out.predicted_ms, one.evidence.held_out.measured_ms)
        lines.append(
            f"| {one.header.name} | {table['models']} | {rough}{table['within_10']} % | {table['mape']} % | "
            f"{rank:.4f} | {left_out} % |"
        )
    return "\n".join(lines) + "\n"
