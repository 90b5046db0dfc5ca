"""From nothing to a search for networks that are fast on this very machine, checked against the clock.

Times a plan of models with ONNX Runtime, learns the machine from them, searches the SPOS space with NNI 2.10
below a latency threshold, and times what the search chose. ``python own_device.py --help`` lists the options;
README.md beside this file has the figures of a run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SPOS = HERE.parent / "spos_multi_trial"
NAME = "mymachine"
#: Candidates are trained on images of 32 x 32, to be quick, and are to be fast on these.
INPUT_SHAPE = (1, 3, 96, 96)


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    output = options.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    # The learned predictor is registered here, and not among the user's own.
    os.environ["NN_METER_HOME"] = str(output / "home")
    # The space and the training are those of the other example; trials import them from the working folder.
    sys.path.insert(0, str(SPOS))
    os.chdir(SPOS)

    csv = measure(output, options)
    predictor = learn(csv, output)
    threshold_ms = options.threshold or middle_of_the_space(predictor)
    print(f"threshold: {threshold_ms:.3f} ms")
    rows = search(output, options, threshold_ms)
    report(output, rows, threshold_ms, options)


def measure(output: Path, options: argparse.Namespace) -> Path:
    """Write a plan for the space and time its models; goes on where an earlier run stopped."""
    from predictor_core.measuring.campaign import listed_models, measure_models
    from predictor_core.measuring.planning.folder import PLAN_FILE, write_plan
    from predictor_core.measuring.planning.plan import make_plan
    from predictor_core.measuring.planning.pool import variants
    from predictor_core.measuring.planning.space import space_samples
    from predictor_core.measuring.runtimes import find

    folder, csv = output / "plan", output / "measurements.csv"
    if not (folder / PLAN_FILE).is_file():
        samples = space_samples("space:SposSpace", INPUT_SHAPE)
        write_plan(make_plan(options.budget, candidates=[*samples, *variants()], targets=samples), folder)
    models = listed_models([str(folder)], find(options.runtime))
    outcomes = measure_models(
        models,
        csv,
        options.runtime,
        options.threads,
        budget_s=options.seconds,
        total_s=60 * options.minutes,
        repeats=options.repeats,
    )
    noisy = 0
    for outcome in outcomes:
        if outcome.error is not None:
            raise SystemExit(f"{outcome.model}: {outcome.error}")
        if outcome.measurement is not None:
            noisy += bool(outcome.measurement.warnings)
            print(f"{Path(outcome.model).stem}: {outcome.measurement.latency_ms:.3f} ms", flush=True)
    if noisy:
        print(f"{noisy} timings were taken while the machine was noisy: the figures below suffer from it")
    return csv


def learn(csv: Path, output: Path) -> Any:
    """Learn the machine, print how good that is, and register it."""
    from predictor_core import list_latency_predictors, load_latency_predictor
    from predictor_core.catalog.register import register_predictor, unregister_predictor
    from predictor_core.learning.learn import learn_device
    from predictor_core.learning.models import read_models
    from predictor_core.measuring.measurements import read_measurements

    read = read_models(read_measurements(csv))
    ((_, latency_ms),) = read.latency_ms.items()
    learned = learn_device(read.corpus, latency_ms, name=NAME)
    if NAME in {entry["name"] for entry in list_latency_predictors()}:
        unregister_predictor(NAME)
    register_predictor(learned.save(output / NAME))
    table = learned.accuracy["cross_validated"]
    print(f"learned from {len(read.corpus)} models; left out, {table['within_10']} % are within ±10 %")
    return load_latency_predictor(NAME)


def middle_of_the_space(predictor: Any) -> float:
    """Return the median latency of the space's models."""
    from space import SposSpace

    from nnmeter_nni import SpaceLatency

    latencies_ms = SpaceLatency(SposSpace(), predictor, input_shape=INPUT_SHAPE).sample_latencies(200, seed=0)
    return float(statistics.median(latencies_ms))


def search(output: Path, options: argparse.Namespace, threshold_ms: float) -> list[dict[str, Any]]:
    """Search for accurate models below the threshold; returns what was trained."""
    from nni.nas.execution import list_models
    from nni.retiarii.evaluator import FunctionalEvaluator
    from nni.retiarii.experiment.pytorch import RetiariiExperiment
    from space import SposSpace
    from train import evaluate

    from nnmeter_nni import CandidateLatency, LatencyEvolution, LatencyFilter, retiarii_config, run_experiment
    from nnmeter_nni.candidates import describe

    fast_enough = LatencyFilter(threshold_ms, NAME, input_shape=INPUT_SHAPE)
    strategy = LatencyEvolution(fast_enough, objective="pareto", population_size=8, sample_size=4, seed=0)
    evaluator = FunctionalEvaluator(
        evaluate, dataset="digits", folder=None, epochs=options.epochs, samples=options.samples
    )
    experiment = RetiariiExperiment(SposSpace(), evaluator, [], strategy)
    config = retiarii_config(
        max_trial_number=options.trials,
        trial_concurrency=options.concurrency,
        experiment_name="A device of one's own",
        experiment_working_directory=str(output / "nni"),
    )
    predicted = CandidateLatency([NAME], input_shape=INPUT_SHAPE)
    rows = []
    with run_experiment(experiment, config, options.nni_port):
        print(f"latency filter: {fast_enough.stats}")
        for model in list_models():
            if model.metric is not None:
                sample = {
                    label: str(choice).rpartition("_")[2] for label, choice in describe(model).sample.items()
                }
                row = {
                    "accuracy": float(model.metric),
                    "predicted_ms": predicted(model)[NAME],
                    "sample": sample,
                }
                rows.append(row)
    if not rows:
        raise SystemExit(f"no trial has reported an accuracy; see the logs of the trials in {output / 'nni'}")
    return rows


def report(
    output: Path, rows: list[dict[str, Any]], threshold_ms: float, options: argparse.Namespace
) -> None:
    """Time what was chosen, as torch exports it, and print predicted against measured."""
    from nni.retiarii import fixed_arch
    from space import SposSpace

    from predictor_core import measure_latency
    from predictor_core.measuring.pace import Pace

    pace, measured = Pace(), [[] for _ in rows]
    # In turn, as the plan was: a busy minute of the machine spoils one figure of each.
    for _ in range(options.repeats):
        for row, figures in zip(rows, measured):
            with fixed_arch(row["sample"]):
                module = SposSpace()
            figures.append(
                measure_latency(
                    module,
                    "torch",
                    options.runtime,
                    options.threads,
                    input_shape=INPUT_SHAPE,
                    budget_s=options.seconds,
                    pace=pace,
                ).latency_ms
            )
    for row, figures in zip(rows, measured):
        row["measured_ms"] = statistics.median(figures)
    rows.sort(key=lambda row: -row["accuracy"])
    print("accuracy  predicted   measured   error")
    for row in rows:
        predicted, measured_ms = row["predicted_ms"], row["measured_ms"]
        error = predicted / measured_ms - 1.0
        print(f"{row['accuracy']:>8.4f}  {predicted:>6.3f} ms  {measured_ms:>6.3f} ms  {error:>+6.1%}")
    errors = [abs(row["predicted_ms"] / row["measured_ms"] - 1.0) for row in rows]
    within = sum(error <= 0.1 for error in errors) / len(rows)
    above = sum(row["measured_ms"] > 1.1 * threshold_ms for row in rows)
    print(f"within ±10 % of the prediction: {within:.0%} of {len(rows)} models")
    print(f"above the threshold by more than 10 %: {above}")
    summary = {
        "threshold_ms": threshold_ms,
        "within_10": within,
        "above_by_more_than_10": above,
        "models": rows,
    }
    (output / "results.json").write_text(json.dumps(summary, indent=2) + "\n")
    picture(output / "predicted.png", rows, threshold_ms)
    print(f"results.json and predicted.png are in {output}")
    print(f"to keep the predictor: nn-meter register {output / NAME}")


def picture(path: Path, rows: list[dict[str, Any]], threshold_ms: float) -> None:
    """Draw measured against predicted latency, with the band of ±10 % and the threshold."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    predicted = [row["predicted_ms"] for row in rows]
    measured = [row["measured_ms"] for row in rows]
    ends = [0.9 * min(*predicted, *measured), 1.1 * max(*predicted, *measured, threshold_ms)]
    figure, axes = pyplot.subplots(figsize=(5, 5), layout="constrained")
    axes.fill_between(
        ends, [0.9 * end for end in ends], [1.1 * end for end in ends], alpha=0.15, label="±10 %"
    )
    axes.plot(ends, ends, color="grey", linewidth=0.8)
    points = axes.scatter(predicted, measured, c=[row["accuracy"] for row in rows])
    axes.axhline(threshold_ms, color="tab:red", linestyle="--", label="threshold")
    axes.axvline(threshold_ms, color="tab:red", linestyle="--")
    axes.set(xlabel="predicted latency (ms)", ylabel="measured latency (ms)", xlim=ends, ylim=ends)
    axes.legend()
    figure.colorbar(points, label="accuracy")
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--budget", type=int, default=40, help="models to time")
    parser.add_argument("--seconds", type=float, default=0.6, help="time for each model")
    parser.add_argument("--repeats", type=int, default=3, help="how often each model is timed, in turn")
    parser.add_argument("--minutes", type=float, default=15.0, help="time for all models")
    parser.add_argument("--runtime", choices=("onnxruntime", "openvino"), default="onnxruntime")
    parser.add_argument("--threads", type=int, default=1, help="threads of an inference")
    parser.add_argument(
        "--threshold", type=float, help="latency in ms to stay below; the space's median if left out"
    )
    parser.add_argument("--trials", type=int, default=20, help="candidates to train")
    parser.add_argument("--concurrency", type=int, default=2, help="candidates trained at a time")
    parser.add_argument("--epochs", type=int, default=2, help="passes over the training images")
    parser.add_argument("--samples", type=int, default=512, help="training images used")
    parser.add_argument("--nni-port", type=int, help="port of NNI's manager; a free one if left out")
    parser.add_argument("--output", type=Path, default=Path("own_device_results"))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
