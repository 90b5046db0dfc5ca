"""Search the SPOS space for accurate candidates below a latency threshold, with NNI 2.10.

Run ``python multi_trial.py --help`` for the options; README.md in this folder tells what comes out.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
from importlib import util
from pathlib import Path
from typing import Any

from nnmeter_nni import CandidateLatency, LatencyFilter
from predictor_core.errors import PredictorError

HERE = Path(__file__).resolve().parent
INPUT_SHAPE = (1, 3, 32, 32)
INSTALL = "pip install '.[retiarii,plot]' scikit-learn"

#: Candidates whose median latency is the default threshold.
DRAWS = 64


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    logging.getLogger("nnmeter_nni").setLevel(logging.INFO)
    require("nni.retiarii", "pytorch_lightning", "torch", "sklearn", "matplotlib")
    # Trials are processes that NNI starts in this folder; they import `space` and `train` from it.
    output = options.output.resolve()
    os.chdir(HERE)
    try:
        search(options, output)
    except PredictorError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from error


def require(*packages: str) -> None:
    """Exit with one line when a package is not installed."""
    missing = []
    for name in packages:
        try:
            found = util.find_spec(name) is not None
        except ModuleNotFoundError:
            found = False
        if not found:
            missing.append("NNI 2.10 (nni.retiarii)" if name == "nni.retiarii" else name)
    if missing:
        raise SystemExit(f"this demo needs {', '.join(missing)}; in the project's folder run: {INSTALL}")


def search(options: argparse.Namespace, output: Path) -> None:
    """Run the experiment that the options describe, and report."""
    from nni.retiarii import strategy
    from nni.retiarii.evaluator import FunctionalEvaluator
    from nni.retiarii.experiment.pytorch import RetiariiExperiment
    from space import SposSpace
    from train import evaluate

    from nnmeter_nni import LatencyEvolution, LatencySorted, retiarii_config, run_experiment

    dataset, *folder = options.data
    if dataset == "cifar10":
        import data

        data.load(dataset, *folder)
    latency = CandidateLatency([options.predictor, *options.also], input_shape=INPUT_SHAPE)
    predictor = latency.predictors[latency.names[options.predictor]]
    threshold = options.threshold
    if threshold is None:
        threshold = median_latency(SposSpace(), predictor)
    latency_filter = LatencyFilter(threshold, predictor, input_shape=INPUT_SHAPE)
    if options.strategy == "random":
        chosen: Any = strategy.Random(model_filter=latency_filter)
    elif options.strategy == "sorted":
        chosen = LatencySorted(latency_filter, pool_size=200, target_ms=threshold)
    else:
        chosen = LatencyEvolution(latency_filter, objective="pareto", population_size=4, sample_size=2)
    evaluator = FunctionalEvaluator(
        evaluate,
        dataset=dataset,
        folder=folder[0] if folder else None,
        epochs=options.epochs,
        samples=options.samples,
    )
    experiment = RetiariiExperiment(SposSpace(), evaluator, [], chosen)
    config = retiarii_config(
        options.engine,
        max_trial_number=options.trials,
        trial_concurrency=options.concurrency,
        experiment_name="SPOS under a latency threshold",
        experiment_working_directory=str(output / "nni"),
    )
    output.mkdir(parents=True, exist_ok=True)
    with run_experiment(experiment, config, options.nni_port):
        print(f"latency filter: {latency_filter.stats}")
        report(output, options.top, latency, threshold)


def median_latency(space: Any, predictor: Any) -> float:
    """Return the median latency in ms of random candidates: as a threshold it rejects about half of them."""
    from nnmeter_nni import SpaceLatency

    found = SpaceLatency(space, predictor, input_shape=INPUT_SHAPE).sample_latencies(DRAWS, seed=0)
    threshold = sorted(found.tolist())[DRAWS // 2]
    print(f"threshold: {threshold:.3f} ms on {predictor.name}, the median of {DRAWS} random candidates")
    return threshold


def report(output: Path, top: int, latency: CandidateLatency, threshold: float) -> None:
    """Print a table of the trained candidates and write results.json, top_models.json and pareto.png."""
    from nni.nas.execution import list_models

    from nnmeter_nni.candidates import describe
    from nnmeter_nni.strategies.pareto import fronts

    rows = []
    for model in list_models():
        if model.metric is not None and math.isfinite(model.metric):
            sample = {
                label: str(choice).rpartition("_")[2] for label, choice in describe(model).sample.items()
            }
            rows.append({"sample": sample, "accuracy": float(model.metric), "latency_ms": latency(model)})
    rows.sort(key=lambda row: -row["accuracy"])
    if not rows:
        raise SystemExit(f"no trial has reported an accuracy; see the logs of the trials in {output / 'nni'}")
    device, *others = latency.predictors
    short = [name.split("_")[0] for name in (device, *others)]
    print("candidate  accuracy  " + "  ".join(f"{label:>14}" for label in short) + "  blocks")
    for number, row in enumerate(rows):
        blocks = " ".join(kind[:2] for kind in row["sample"].values())
        cells = "  ".join(f"{row['latency_ms'][name]:>11.3f} ms" for name in (device, *others))
        print(f"{number:>9}  {row['accuracy']:>8.4f}  {cells}  {blocks}")
    best = fronts([(-row["accuracy"], row["latency_ms"][device]) for row in rows])[0]
    results = {"input_shape": INPUT_SHAPE, "predictor": device, "threshold_ms": threshold, "candidates": rows}
    (output / "results.json").write_text(json.dumps(results, indent=2))
    (output / "top_models.json").write_text(json.dumps([row["sample"] for row in rows[:top]], indent=2))
    picture(output / "pareto.png", rows, best, device, threshold)
    print(f"results.json, top_models.json and pareto.png are in {output}")


def picture(path: Path, rows: list[dict[str, Any]], best: list[int], device: str, threshold: float) -> None:
    """Draw accuracy against latency: candidates by their numbers in the table, their front, the threshold."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    points = [(row["latency_ms"][device], row["accuracy"]) for row in rows]
    axes.scatter(*zip(*points), color="tab:blue", label="trained")
    for number, point in enumerate(points):
        axes.annotate(str(number), point, xytext=(4, 4), textcoords="offset points")
    front = sorted(points[i] for i in best)
    axes.plot(*zip(*front), "o-", color="tab:orange", label="Pareto front")
    axes.axvline(threshold, color="tab:red", linestyle="--", label=f"threshold, {threshold:.4g} ms")
    axes.set(xlabel=f"predicted latency on {device} (ms)", ylabel="accuracy")
    axes.legend()
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "--predictor", default="cortexA76cpu_tflite21", help="device that the threshold is for"
    )
    parser.add_argument(
        "--threshold",
        type=float,
        help=f"latency in ms that candidates stay below; if left out, the median of {DRAWS} random ones",
    )
    parser.add_argument(
        "--also", nargs="+", default=[], metavar="PREDICTOR", help="further devices in the table"
    )
    parser.add_argument("--strategy", choices=("random", "sorted", "evolution"), default="random")
    parser.add_argument(
        "--engine", choices=("python", "graph"), default="python", help="NNI's execution engine"
    )
    parser.add_argument(
        "--data", nargs="+", default=["digits"], metavar="DATA", help="digits, or cifar10 FOLDER"
    )
    parser.add_argument("--trials", type=int, default=4, help="candidates to train")
    parser.add_argument("--concurrency", type=int, default=2, help="candidates trained at a time")
    parser.add_argument("--epochs", type=int, default=4, help="passes over the training images")
    parser.add_argument("--samples", type=int, default=1024, help="training images used")
    parser.add_argument("--top", type=int, default=3, help="candidates in top_models.json")
    parser.add_argument("--nni-port", type=int, help="port of NNI's manager; a free one if left out")
    parser.add_argument("--output", type=Path, default=Path("spos_results"))
    options = parser.parse_args(arguments)
    if options.data[0] not in ("digits", "cifar10") or len(options.data) > (
        2 if options.data[0] == "cifar10" else 1
    ):
        parser.error(f"--data must be 'digits' or 'cifar10 FOLDER', but got {' '.join(options.data)!r}")
    return options


if __name__ == "__main__":
    main()
