"""Accuracy of the shipped packs against the public measurements; writes the model cards.

Reads the folder of measurements (``latency_ms.csv``, ``graphs``, ``configs``), predicts every measured model
with the packs as installed, and prints how far the predictions are off: on the models that the packs have not
seen (the test part of the split whose seed is in the pack), and, labelled as such, on those that they were
trained on. ``--left-out CACHE`` adds what fits without a family said about that family: the training leaves
these in its cache.

    python benchmarks/accuracy.py FOLDER [--left-out CACHE] [--cards]
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from harness import publish, table

from predictor_core import load_latency_predictor
from predictor_core.catalog import PACKAGE
from predictor_core.files import write_atomically
from predictor_core.fusion import load_rules
from predictor_core.learning.bench import read_measured
from predictor_core.learning.calibrate import cross_fitted
from predictor_core.learning.dataset import Dataset, Floats, Mask, build_datasets, split
from predictor_core.learning.evaluate import Accuracy, Predictions, accuracy, predict
from predictor_core.learning.packing import digest
from predictor_core.learning.pipeline import Task, prediction_path, read_predictions
from predictor_core.learning.settings import TEACHERS
from predictor_core.predictor import LatencyPredictor
from predictor_core.predictor.interval import Widths

Row = dict[str, Any]

UNSEEN, TRAINED = "unseen models", "trained on"
LEFT_OUT = "family left out"

#: Upper ends of the bins of the error histogram, in percent.
BINS = (-20, -15, -10, -7.5, -5, -2.5, 0, 2.5, 5, 7.5, 10, 15, 20)

_GPU_WEAK_SPOTS = (
    "shufflenetv2 was not measured: splits and channel shuffles are estimates. The measurements hardly "
    "contain fully connected layers: eleven of 1,700 alexnets run in less than the memory takes to read the "
    "weights of these layers in half precision. Whole models keep what was measured; in a report no kernel "
    "is faster than the data sheet, and what such a layer takes more is taken off the other kernels. A model "
    "of fully connected layers alone takes the bound. Expanded convolutions of the mobilenets between the "
    "measured widths are off most."
)
WEAK_SPOTS = {
    "cortexA76cpu_tflite21": (
        "A repeated measurement differs by 2.5 % (median) and 10 % (95th percentile), most for models that "
        "run for seconds (vgg) and for resnet: no prediction can be closer than that."
    ),
    "adreno640gpu_tflite21": _GPU_WEAK_SPOTS,
    "adreno630gpu_tflite21": _GPU_WEAK_SPOTS,
    "myriadvpu_openvino2019r2": (
        "Latency jumps with channel counts and tiles: wide convolutions between the measured widths (vgg) "
        "are off most. Which kernels of parallel branches run at once is only approximated (nasbench201). "
        "Ops that one family alone has measured (channel shuffles, average pools, activations by themselves) "
        "can be off by tens of percent in a family unlike the trained ones. What fully connected layers cost "
        "beside the rate at which their weights stream is not told apart (alexnets are off by 2 %)."
    ),
}


def row(device: str, models: str, family: str, found: Accuracy) -> Row:
    """One line of the table."""
    return {
        "device": device,
        "models": models,
        "family": family,
        "n": found.models,
        "within ±5 %": round(found.within_5, 1),
        "within ±10 %": round(found.within_10, 1),
        "RMSE ms": round(found.rmse_ms, 3),
        "RMSPE %": round(found.rmspe, 2),
        "Spearman": round(found.spearman, 4),
        "bias %": round(found.bias, 2),
        "in interval %": None if found.covered is None else round(found.covered, 1),
    }


def rows_of(
    device: str, models: str, said: Predictions, ends: tuple[Floats, Floats] | None = None
) -> list[Row]:
    """All families together, then each."""
    parts = {"all": np.ones(len(said.families), dtype=bool)}
    parts.update((str(family), said.families == family) for family in np.unique(said.families))
    return [
        row(
            device,
            models,
            name,
            accuracy(
                said.predicted_ms[part],
                said.measured_ms[part],
                None if ends is None else (ends[0][part], ends[1][part]),
            ),
        )
        for name, part in parts.items()
    ]


def left_out_rows(cache: Path, device: str, families: Sequence[str], widths: Widths) -> list[Row]:
    """Each family, predicted by forests that were trained without it; then the mean over families.

    Its intervals are those of a model of no measured family: its own group is left out, too. Families that
    the cache has no fit of are left out of the table.
    """
    rows = []
    for family in families:
        if not prediction_path(cache, Task(device, family)).exists():
            continue
        said = read_predictions(prediction_path(cache, Task(device, family)))
        rows.append(
            row(
                device,
                LEFT_OUT,
                family,
                accuracy(said.predicted_ms, said.measured_ms, said.interval_ms(widths.without(family))),
            )
        )
    numbers = [key for key, value in rows[0].items() if isinstance(value, float)]
    mean: Row = {**rows[0], "family": "mean", "n": sum(line["n"] for line in rows)}
    mean.update({key: round(float(np.mean([line[key] for line in rows])), 4) for key in numbers})
    return [mean, *rows]


def check_split(predictor: LatencyPredictor, data: Dataset, trained: Mask) -> None:
    """Refuse to call models unseen when the pack was trained on others than the split says."""
    if digest(data.ids[trained]) != predictor.header["training"]["trained_ids_sha256"]:
        raise SystemExit(
            f"{predictor.name}: the pack was not trained on the split of this folder; train it again, or "
            "use the measurements that it was trained with"
        )


def histogram(said: Predictions) -> str:
    """Errors of the unseen models as lines of text."""
    error = 100.0 * (said.predicted_ms / said.measured_ms - 1.0)
    counts = np.bincount(np.searchsorted(BINS, error), minlength=len(BINS) + 1)
    between = [f"{low:g} to {high:g}" for low, high in zip(BINS, BINS[1:])]
    edges = [f"below {BINS[0]:g}", *between, f"above {BINS[-1]:g}"]
    longest = max(counts.max(), 1)
    lines = [
        f"{edge:>12} % {count:6d} {'#' * int(np.ceil(50 * count / longest))}"
        for edge, count in zip(edges, counts)
    ]
    return "\n".join(lines)


def model_card(
    predictor: LatencyPredictor, said: Predictions, rows: Sequence[Row], left_out: Sequence[Row]
) -> str:
    """MODEL_CARD.md of one device."""
    header = predictor.header
    training = header["training"]
    hidden = ("device", "models")
    shown = [{key: value for key, value in line.items() if key not in hidden} for line in rows]
    shares = ", ".join(f"{share:.0%} {part}" for part, share in training["shares"].items())
    sections = [
        f"# {predictor.name}, version {predictor.version}",
        "Written by `benchmarks/accuracy.py`; do not edit.",
        f"Predicts the latency in ms of one inference, batch 1, on: {header['description']}.",
        "## Data",
        f"{training['source'][0].upper()}{training['source'][1:]}, early in the history of its repository "
        "(`data/model_latency`). Identical architectures form one group and are averaged. The groups of "
        f"every family are split by a hash (seed {training['seed']}): {shares}. The forests have seen the "
        f"{training['models']} models of train and validation, never the test models of the next table; "
        "settings were chosen on validation models, by fits without them.",
        "## Accuracy on unseen models",
        table(shown),
        "`in interval`: share of the measurements inside the 90 % prediction interval. The intervals were "
        "calibrated on these models, so each half of them is judged by intervals that the other half gives.",
        "Distribution of predicted / measured - 1:",
        f"```\n{histogram(said)}\n```",
    ]
    if left_out:
        shown = [{key: value for key, value in line.items() if key not in hidden} for line in left_out]
        sections += [
            "## Accuracy on families that were left out",
            "For each line the forests were trained anew without that family, with fewer rounds and on a "
            "third of the other models: what to expect of an architecture unlike all that were measured. The "
            "intervals are calibrated to hold 90 % of each of these families.",
            table(shown),
        ]
    sections += [
        "## Forests",
        table(
            [
                {
                    "kernel type": name,
                    "kernels trained on": entry["kernels"],
                    "trees": entry["last_tree"] - entry["first_tree"],
                    "features": entry["n_features"],
                }
                for name, entry in sorted(header["forests"].items())
            ]
        ),
        f"{header['n_nodes']} nodes in all. Every other kernel type is an estimate from its arithmetic and "
        "its traffic, and is flagged.",
        "## Weak spots",
        WEAK_SPOTS[predictor.name],
    ]
    return "\n\n".join(sections) + "\n"


def update_device_card(device: str, rows: Sequence[Row]) -> None:
    """Put the accuracy into ``device.yaml``, after the marker line, and leave the rest as it is."""
    path = PACKAGE / "devices" / device / "device.yaml"
    kept = re.split(r"^# Written by benchmarks/accuracy.py.*$", path.read_text(encoding="utf-8"), flags=re.M)[
        0
    ]
    overall = next(line for line in rows if line["family"] == "all")
    lines = [
        "# Written by benchmarks/accuracy.py: on models that the forests have not seen.",
        f"within_10_percent: {overall['within ±10 %']:.1f}",
        "accuracy:",
    ]
    lines += [
        f"  {line['family']}: {line['within ±5 %']:.1f} % of {line['n']} models within ±5 %, "
        f"{line['within ±10 %']:.1f} % within ±10 %"
        for line in rows
    ]
    write_atomically(path, kept + "\n".join(lines) + "\n")


def main() -> None:
    """Print the tables, write the JSON and, on demand, the cards."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of the measurements")
    parser.add_argument("--left-out", type=Path, default=None, metavar="CACHE", help="cache of the training")
    parser.add_argument(
        "--cards", action="store_true", help="write MODEL_CARD.md and device.yaml of each device"
    )
    options = parser.parse_args()
    predictors = {device: load_latency_predictor(device) for device in TEACHERS}
    rules = {device: load_rules(device) for device in TEACHERS}
    rows: list[Row] = []
    for device, data in build_datasets(read_measured(options.data), rules).items():
        predictor = predictors[device]
        part = split(data.groups, data.families, predictor.header["training"]["seed"])
        check_split(predictor, data, part != "test")
        widths = predictor.widths
        said = predict(predictor, data)
        test, rest = said.only(part == "test"), said.only(part != "test")
        unseen = rows_of(device, UNSEEN, test, cross_fitted(test, widths))
        trained = rows_of(device, TRAINED, rest)
        left_out: list[Row] = []
        if options.left_out is not None:
            families = sorted(map(str, np.unique(data.families)))
            left_out = left_out_rows(options.left_out, device, families, widths)
        rows += [*unseen, *trained, *left_out]
        if options.cards:
            text = model_card(predictor, test, unseen, left_out)
            write_atomically(PACKAGE / "devices" / device / "MODEL_CARD.md", text)
            update_device_card(device, unseen)
    publish(
        "accuracy",
        "Accuracy of the shipped packs",
        rows,
        [
            "`unseen models`: the test part of the split, seen by no fit and no choice. `trained on`: "
            "models that the forests were trained on, for comparison only. `family left out`: forests "
            "trained without the family, on a third of the other models. `in interval`: intervals are "
            "calibrated on the unseen models; each half of them is judged by what the other half gives."
        ],
    )


if __name__ == "__main__":
    main()
