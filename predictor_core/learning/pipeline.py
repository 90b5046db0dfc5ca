"""All of the training: from the data sets of the devices to their packs.

Work is cut into tasks, each a fit that writes one file into the cache, so that an interrupted run goes on
where it stopped. For each device: one fit without the validation models and one without each family; the fit
that ships, which has seen all but the test models; and its intervals, which are calibrated on the test models
and on the families left out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core import kernels
from predictor_core.catalog import PACKAGE
from predictor_core.errors import PackError
from predictor_core.files import atomic_file
from predictor_core.forest import load_pack
from predictor_core.fusion import load_rules
from predictor_core.learning import distil, teacher
from predictor_core.learning.base import fit_base
from predictor_core.learning.calibrate import calibrate
from predictor_core.learning.crossvalidation import HeldOut
from predictor_core.learning.crossvalidation import calibrate as calibrate_flat
from predictor_core.learning.dataset import SHARES, Dataset, load_dataset, split
from predictor_core.learning.evaluate import Predictions, predict
from predictor_core.learning.packing import VERSION, digest, write_pack
from predictor_core.learning.settings import (
    ESTIMATES,
    FADING,
    FORESTS,
    LEFT_OUT_ROUNDS,
    LEFT_OUT_SHARE,
    PLANS,
    TEACHERS,
)
from predictor_core.predictor import LatencyPredictor
from predictor_core.predictor.interval_file import INTERVAL_FILE, write_widths
from predictor_core.predictor.roofline import CARD_FILE, Roofline, read_roofline

VALIDATION = "validation"
_UNKNOWN_WIDTHS = {"inside": 0.1, "outside": 0.5, "estimated": 0.7, "unfamiliar": 0.0, "spread_scale": 1.0}


@dataclass(frozen=True)
class Task:
    """One fit.

    Parameters
    ----------
    device : str
    left_out : str
        `VALIDATION`, or the family that the fit must not see.
    """

    device: str
    left_out: str


def held_out_tasks(device: str, families: Iterable[str]) -> list[Task]:
    """Fits whose errors tell what to expect from the one that ships."""
    return [Task(device, left_out) for left_out in (VALIDATION, *families)]


def data_path(cache: Path, device: str) -> Path:
    """File of a device's data set."""
    return cache / f"{device}.data.npz"


def prediction_path(cache: Path, task: Task) -> Path:
    """File of what a fit says about the models that it has not seen."""
    return cache / f"{task.device}.without-{task.left_out}.npz"


def run_held_out(cache: Path, task: Task, seed: int) -> None:
    """Fit without some models, and write what the forests say about those."""
    path = prediction_path(cache, task)
    settings = TEACHERS[task.device]
    if task.left_out != VALIDATION:
        settings = replace(settings, rounds=int(LEFT_OUT_ROUNDS * settings.rounds))
    stamp = _stamp(cache, task, settings, seed)
    if _is_done(path, stamp):
        return
    data, features = _load(cache, task.device)
    part = split(data.groups, data.families, seed)
    if task.left_out == VALIDATION:
        trained, held_out = part == "train", part == VALIDATION
    else:
        held_out = data.families == task.left_out
        trained = ~held_out & (part != "test")
        trained &= np.random.default_rng(seed).random(len(data)) < LEFT_OUT_SHARE
        held_out &= part != "test"
    pack = path.with_suffix(".pack")
    _fit(pack, data, features, trained, settings, _UNKNOWN_WIDTHS, seed)
    predictions = predict(_predictor(task.device, pack), data.only(held_out))
    pack.unlink()
    _write(path, stamp, predictions)


def run_intervals(cache: Path, device: str, pack: Path, output: Path, seed: int) -> Path:
    """Calibrate the intervals of a pack, on its test models and on what fits predicted for families left out.

    Only the families that the cache has a fit of count.

    Returns
    -------
    Path
        ``output/DEVICE/interval.json``.

    Raises
    ------
    PackError
        The pack was trained on other models than the split says.
    """
    data = load_dataset(data_path(cache, device))
    test = split(data.groups, data.families, seed) == "test"
    predictor = _predictor(device, pack)
    if predictor.header["training"]["trained_ids_sha256"] != digest(data.ids[~test]):
        raise PackError(f"{pack} was not trained on the split of these measurements; train it again")
    paths = {
        family: prediction_path(cache, Task(device, family)) for family in map(str, np.unique(data.families))
    }
    left_out = {family: read_predictions(path) for family, path in paths.items() if path.exists()}
    widths = calibrate(predict(predictor, data.only(test)), left_out, ESTIMATES[device])
    return write_widths(output / device / INTERVAL_FILE, widths)


def run_final(cache: Path, device: str, output: Path, seed: int) -> Path:
    """Fit on all but the test models, and write the pack.

    Returns
    -------
    Path
        ``output/DEVICE/forests.pack``.
    """
    data, features = _load(cache, device)
    held_out = read_predictions(prediction_path(cache, Task(device, VALIDATION)))
    flat = calibrate_flat(HeldOut(held_out.measured_ms, held_out.predicted_ms, held_out.hard.deviation))
    part = split(data.groups, data.families, seed)
    path = output / device / "forests.pack"
    _fit(path, data, features, part != "test", TEACHERS[device], flat, seed)
    return path


def read_predictions(path: Path) -> Predictions:
    """Read what `run_held_out` wrote."""
    with np.load(path, allow_pickle=False) as file:
        return Predictions.from_arrays(file)


def write_features(cache: Path, device: str) -> None:
    """Compute the features of a device's kernels once, for all of its fits."""
    data = load_dataset(data_path(cache, device))
    tables: dict[str, Any] = teacher.feature_table(data)
    with atomic_file(cache / f"{device}.features.npz") as file:
        np.savez(file, **tables)


def _load(cache: Path, device: str) -> tuple[Dataset, dict[str, NDArray[np.float32]]]:
    data = load_dataset(data_path(cache, device))
    with np.load(cache / f"{device}.features.npz", allow_pickle=False) as file:
        return data, {name: file[name] for name in file.files}


def _fit(
    path: Path,
    data: Dataset,
    features: dict[str, NDArray[np.float32]],
    trained: NDArray[np.bool_],
    settings: teacher.Settings,
    widths: dict[str, float],
    seed: int,
) -> None:
    trained_on = data.only(trained)
    plan = PLANS[data.device]
    base = fit_base(trained_on, plan)
    roofline = _roofline(data.device)
    least_ms = np.array([roofline.least_ms(kernels.cost(spec)) for spec in data.specs])
    taught = teacher.fit_teacher(trained_on, base, features, settings, seed, least_ms=least_ms)
    grown_on = trained_on.seen() & ~np.isin(data.forests, list(plan.uncorrected))
    forests = distil.grow_forests(data, taught.log_ratio, grown_on, features, FORESTS, seed)
    training = {
        "seed": seed,
        "shares": SHARES,
        "teacher": asdict(settings),
        "forests": asdict(FORESTS),
        "source": "whole-model measurements that Microsoft's nn-Meter published (MIT licence)",
    }
    fading = data.device in FADING
    write_pack(path, trained_on, base, taught.constant_ms, forests, features, widths, training, fading)


def _predictor(device: str, path: Path) -> LatencyPredictor:
    return LatencyPredictor(device, VERSION, load_pack(path), load_rules(device), path, _roofline(device))


def _roofline(device: str) -> Roofline:
    return read_roofline(PACKAGE / "devices" / device / CARD_FILE)


def _stamp(cache: Path, task: Task, settings: teacher.Settings, seed: int) -> str:
    """Name what the result depends on besides the code; a file with another stamp is made again."""
    data = hashlib.sha256(data_path(cache, task.device).read_bytes()).hexdigest()
    whole = [data, asdict(task), asdict(settings), asdict(FORESTS), LEFT_OUT_SHARE, seed]
    return json.dumps(whole, sort_keys=True)


def _is_done(path: Path, stamp: str) -> bool:
    if not path.exists():
        return False
    with np.load(path, allow_pickle=False) as file:
        return str(file["stamp"]) == stamp


def _write(path: Path, stamp: str, predictions: Predictions) -> None:
    arrays: dict[str, Any] = predictions.arrays()
    with atomic_file(path) as file:
        np.savez(file, stamp=np.array(stamp), **arrays)
