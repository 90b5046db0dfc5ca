"""How wrong estimates were, where kernels that are estimated on the embedded devices were measured.

The Pixel 4 has the CPU and the GPU of two embedded predictors, and a public data set holds networks on it
whose grouped convolutions and attention those predictors only estimate. Its runtime is newer, so one constant
(the median over networks without estimates) is taken away first, and what such networks scatter is no fault
of an estimate. What is left over the share of the latency that is estimated is what an estimate adds to an
interval: the conformal 95 % quantile to either side goes to ``ESTIMATES`` of
`predictor_core.learning.settings`.

    python benchmarks/estimates.py FOLDER

FOLDER holds the tables of the data set (``tflite_cnn.csv``, ``tflite_vit.csv``). Needs the extra ``phones``.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np
from harness import publish

from predictor_core import load_latency_predictor
from predictor_core.ir.graph import Graph
from predictor_core.kernels.estimates import KINDS
from predictor_core.learning.calibrate import conformal
from predictor_core.learning.phones.models import build_graphs
from predictor_core.predictor.hardness import hardness

#: Predictors and environments that stand for them.
PAIRS = (
    ("cortexA76cpu_tflite21", "pixel4_1large_fp32"),
    ("cortexA76cpu_tflite21", "pixel4_1med_fp32"),
    ("adreno640gpu_tflite21", "pixel4_gpu_fp16"),
)
#: Networks with a smaller share of estimates count as measured; those between the two are left out.
MEASURED, ESTIMATED = 0.05, 0.2


def latencies(folder: Path) -> dict[str, dict[str, float]]:
    """Environment -> network -> measured ms."""
    found: dict[str, dict[str, float]] = {}
    for table in ("tflite_cnn.csv", "tflite_vit.csv"):
        with (folder / table).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                found.setdefault(row["environment"], {})[row["model"]] = float(row["latency_ms"])
    return found


def errors(name: str, measured_ms: dict[str, float], graphs: dict[str, Graph]) -> tuple[Any, Any]:
    """Logarithm of measured / predicted, shape (n,), and the shares of the kinds of estimates."""
    predictor = load_latency_predictor(name)
    logs, shares = [], []
    for model, ms in measured_ms.items():
        specs = [kernel.spec for kernel in predictor.kernels(predictor.read(graphs[model]))]
        answers = predictor.kernel_latencies(specs)
        hard = hardness(
            np.ones((1, len(specs))), specs, [answers[spec] for spec in specs], predictor.overhead_ms
        )
        logs.append(np.log(ms / predictor.predict(graphs[model])))
        shares.append(hard.estimated[0])
    return np.array(logs), np.array(shares)


def main() -> None:
    """Build the networks and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of the tables")
    measured = latencies(parser.parse_args().data)
    names = sorted({model for _, environment in PAIRS for model in measured[environment]})
    graphs = {name: built.graph for name, built in build_graphs(names).items()}
    rows = []
    for name, environment in PAIRS:
        error, shares = errors(name, measured[environment], graphs)
        whole = shares.sum(axis=1)
        plain = whole < MEASURED
        error = error - np.median(error[plain])
        scatter = float(np.quantile(np.abs(error[plain]), 0.9))
        for place, kind in enumerate(KINDS):
            chosen = (whole >= ESTIMATED) & (shares.argmax(axis=1) == place)
            if chosen.any():
                below, above = (
                    conformal(np.maximum(sign * error[chosen] - scatter, 0.0) / whole[chosen], 0.95)
                    for sign in (-1.0, 1.0)
                )
                rows.append(
                    {
                        "predictor": name,
                        "environment": environment,
                        "kind": kind,
                        "networks": int(chosen.sum()),
                        "scatter of the others": round(scatter, 3),
                        "below": round(below, 2),
                        "above": round(above, 2),
                    }
                )
    publish(
        "estimates",
        "Errors of estimates",
        rows,
        ["In the logarithm of the latency, for a network of nothing but such estimates."],
    )


if __name__ == "__main__":
    main()
