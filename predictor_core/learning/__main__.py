"""``python -m predictor_core.learning FOLDER``: the packs of all devices from the measurements."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from predictor_core.errors import PredictorError, exit_status, requires
from predictor_core.learning.bench import read_latencies, read_measured

#: module -> package of what training imports somewhere on its way.
_NEEDED = {
    "joblib": "joblib",
    "lightgbm": "lightgbm",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "tqdm": "tqdm",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Train; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m predictor_core.learning", description=__doc__)
    parser.add_argument("data", type=Path, help="folder with latency_ms.csv, graphs and configs")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("trained"),
        help="DEVICE/forests.pack and interval.json go there (default: trained)",
    )
    parser.add_argument(
        "--cache", type=Path, default=Path("training-cache"), help="for going on after a stop"
    )
    parser.add_argument("--devices", nargs="+", default=None, help="default: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="fits at once, one core each")
    parser.add_argument(
        "--intervals-only", action="store_true", help="write DEVICE/interval.json alone, and no packs"
    )
    options = parser.parse_args(arguments)
    return exit_status(
        lambda: train(
            options.data,
            options.output,
            options.cache,
            options.devices,
            options.seed,
            options.jobs,
            options.intervals_only,
        )
    )


def train(
    folder: Path,
    output: Path,
    cache: Path,
    devices: Sequence[str] | None,
    seed: int,
    jobs: int,
    intervals_only: bool = False,
) -> list[Path]:
    """Train the devices and write their packs.

    Parameters
    ----------
    folder : Path
        The measurements.
    output : Path
        Parent folder of ``DEVICE/forests.pack``.
    cache : Path
        Finished parts are kept there; delete it to start anew.
    devices : sequence of str, optional
        Default: all.
    seed : int
        Of the split and of all fits. Equal seeds give equal files, whatever `jobs` is.
    jobs : int
        Processes.
    intervals_only : bool
        Leave the packs of the package as they are, and calibrate their intervals.

    Returns
    -------
    list of Path
        The packs, or the files of the intervals.
    """
    from predictor_core.catalog import PACKAGE
    from predictor_core.files import PACK_FILE

    for module, package in _NEEDED.items():
        # Before the measurements are read, which takes long.
        with requires(package, "train", "Training"):
            import_module(module)
    from joblib import Parallel, delayed
    from tqdm import tqdm

    from predictor_core.learning import pipeline, settings
    from predictor_core.learning.dataset import load_dataset

    chosen = list(devices or settings.TEACHERS)
    unknown = [device for device in chosen if device not in settings.TEACHERS]
    if unknown:
        raise PredictorError(
            f"unknown device {unknown[0]!r}; expected some of {', '.join(settings.TEACHERS)}"
        )
    cache.mkdir(parents=True, exist_ok=True)
    _prepare(folder, cache, chosen)

    def run(calls: list[Any], what: str) -> list[Any]:
        done = Parallel(n_jobs=jobs, return_as="generator")(calls)
        return list(tqdm(done, total=len(calls), desc=what, unit="fit"))

    tasks = []
    for device in chosen:
        families = sorted(set(load_dataset(pipeline.data_path(cache, device)).families.tolist()))
        tasks += pipeline.held_out_tasks(device, families)
    if intervals_only:
        tasks = [task for task in tasks if task.left_out != pipeline.VALIDATION]
    run([delayed(pipeline.run_held_out)(cache, task, seed) for task in tasks], "calibrating")
    if intervals_only:
        packs = [PACKAGE / "devices" / device / PACK_FILE for device in chosen]
    else:
        packs = run([delayed(pipeline.run_final)(cache, device, output, seed) for device in chosen], "packs")
    intervals = [
        delayed(pipeline.run_intervals)(cache, device, pack, output, seed)
        for device, pack in zip(chosen, packs)
    ]
    written = run(intervals, "intervals")
    return written if intervals_only else packs


def _prepare(folder: Path, cache: Path, devices: Sequence[str]) -> None:
    """Read the measurements and cut the models into kernels, unless the cache has that."""
    from tqdm import tqdm

    from predictor_core.fusion import load_rules
    from predictor_core.learning import pipeline
    from predictor_core.learning.dataset import build_datasets, save_dataset

    missing = [device for device in devices if not pipeline.data_path(cache, device).exists()]
    if missing:
        models = tqdm(read_measured(folder), total=len(read_latencies(folder)), desc="reading", unit="model")
        for device, data in build_datasets(
            models, {device: load_rules(device) for device in missing}
        ).items():
            save_dataset(pipeline.data_path(cache, device), data)
            pipeline.write_features(cache, device)


if __name__ == "__main__":
    sys.exit(main())
