"""How well this machine is learned from a few measurements of its own runtimes.

Held-out real networks are predicted by what was learned from planned models, from random real networks, and
from as many random models as planned ones. Three steps, each of which goes on where it was stopped:

    python benchmarks/own_machine.py prepare          builds the models; some minutes
    python benchmarks/own_machine.py measure          times them; on an idle machine, about 25 minutes
    python benchmarks/own_machine.py evaluate         learns and writes the table

The package ships this machine's own environments, and learning takes them as a population that a device may
belong to. So a runtime is learned here without any environment of itself: the population is learned anew from
the other runtimes alone, with one thread and two, and from no held-out network, nor one with its kernels.

The models are those of the rows that are kept in ``own_machine/``. Held-out and real ones were drawn at
random from the networks of pytorchcv and torchvision for ImageNet, random ones from members of the zoo's
families, all of at most 6e9 MACs and 60e6 weights; no planned one has the kernels of a held-out one.
``prepare --plan FOLDER`` takes another plan instead of the kept one.

Needs torch, pytorchcv (``pip install --no-deps pytorchcv==0.0.74``: earlier ones lack a network) and the
runtimes that are to be measured.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from harness import publish

from predictor_core.learning.x86.environments import fastest
from predictor_core.learning.x86.environments import passes as passes_of

SEED = 0
#: Rows and plan of the machine whose environments the package ships.
KEPT = Path(__file__).with_name("own_machine")
#: runtime, threads -> sets of models that are timed, in this order.
CAMPAIGNS = {
    ("onnxruntime", 1): ("held_out", "planned", "real", "random"),
    ("litert", 1): ("held_out", "planned", "real"),
    ("openvino", 1): ("held_out", "planned", "real"),
    ("onnxruntime", 2): ("held_out", "planned"),
    ("litert", 2): ("held_out", "planned"),
    ("openvino", 2): ("held_out", "planned"),
}
#: Networks that are timed on ONNX Runtime both as torch exports them and as they are written here.
TWINS = (
    "mobilenet_v2",
    "resnet18",
    "efficientnet_b0",
    "shufflenet_v2_x1_0",
    "squeezenet1_1",
    "regnet_y_400mf",
)
MODULES = {"onnxruntime": "onnxruntime", "litert": "ai_edge_litert", "openvino": "openvino"}
#: Models of a set that a runtime is timed on with two threads.
FEW = 40
#: How many models of each set are learned from.
COUNTS = {"planned": (20, 27, 40, 67, 100), "real": (40, 100), "random": (40, 60, 100)}


def prepare(folder: Path, plan: Path) -> None:
    """Write the models that the kept rows name, and those of a plan, as ONNX files with random weights."""
    from predictor_core.files import write_atomically
    from predictor_core.frontends.onnx.writing import graph_to_onnx
    from predictor_core.measuring.planning.folder import PLAN_FILE, read_plan

    models = [f"planned/{planned}.onnx" for planned in read_plan(plan)]
    for name in ("held_out", "real", "random"):
        models += passes_of(KEPT / f"onnxruntime_1_{name}.csv")
    for model in models:
        path = folder / model
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, graph_to_onnx(network(path.stem)).SerializeToString())
            print(model, flush=True)
    write_atomically(folder / "planned" / PLAN_FILE, (plan / PLAN_FILE).read_text(encoding="utf-8"))


def network(name: str) -> Any:
    """Build the Graph of a model by its name: of pytorchcv, torchvision or the zoo, or a random member.

    Raises
    ------
    PredictorError
        The installed packages have no such model.
    """
    from predictor_core import zoo
    from predictor_core.frontends.torch import pytorchcv, torchvision
    from predictor_core.ir.passes import canonicalize
    from predictor_core.predictor import to_graph
    from predictor_core.zoo.variants import variant

    package, _, rest = name.partition("_")
    if package == "torchvision":
        return torchvision.load(rest)
    if package == "pytorchcv":
        return to_graph(pytorchcv.build(rest), "torch")
    # Those of the set "random" are numbered.
    member = re.fullmatch(r"(?:\d+_)?(\w+)_v(\d+)", name)
    return canonicalize(variant(member[1], int(member[2])) if member else zoo.build(name))


def measure(folder: Path, seconds: float, minutes: float, passes: int, most_threads: int) -> None:
    """Time what is not timed yet, in passes over all models; every row is kept."""
    from predictor_core import measure_latency
    from predictor_core.errors import PredictorError
    from predictor_core.measuring.campaign import ATTEMPTS
    from predictor_core.measuring.measurements import appending
    from predictor_core.measuring.pace import Pace
    from predictor_core.measuring.rows import Row
    from predictor_core.predictor import to_graph

    end = time.monotonic() + 60 * minutes
    pace = Pace()
    attempts = product(range(passes), range(ATTEMPTS), CAMPAIGNS.items())
    for number, attempt, ((runtime, threads), sets) in attempts:
        if threads > most_threads:
            continue
        if find_spec(MODULES[runtime]) is None:
            print(f"{runtime} is not installed and left out", file=sys.stderr)
            continue
        with ExitStack() as stack:
            tables, pending = {}, []
            for name in sets:
                path = folder / f"{runtime}_{threads}_{name}.csv"
                done = {model for model, latencies in passes_of(path).items() if len(latencies) > number}
                tables[name] = stack.enter_context(appending(path))
                models = _models_of(folder, name)[: FEW if threads > 1 else None]
                pending += [(name, model) for model in models if f"{name}/{model.name}" not in done]
            # All sets in turn: what slows the machine for minutes slows some of each.
            random.Random(f"{SEED}/{number}/{runtime}").shuffle(pending)
            for name, model in pending:
                if time.monotonic() > end:
                    print("the time is used up; run this again for the rest")
                    return
                relative = f"{name}/{model.name}"
                # LiteRT runs no ONNX files; the others run the file itself.
                given: Any = to_graph(model, "onnx") if runtime == "litert" else model
                try:
                    found = measure_latency(given, None, runtime, threads, budget_s=seconds, pace=pace)
                except PredictorError as error:
                    print(f"{relative} on {runtime}: {error!s:.200}", file=sys.stderr)
                    continue
                if found.is_slowed and attempt < ATTEMPTS - 1:
                    print(f"{runtime} {threads} {relative}: slowed by other work; later", flush=True)
                    continue
                environment = f"{runtime} {found.environment['version']}, {threads} threads"
                row = Row(relative, found.latency_ms, found.std_ms, "onnx", (), environment, found.runs)
                tables[name].add(row)
                noisy = f"  {found.warnings[0]}" if found.warnings else ""
                print(f"{runtime} {threads} {relative}: {found.latency_ms:.3f} ms{noisy}", flush=True)


def measure_twins(folder: Path, seconds: float) -> None:
    """Time some networks as torch exports them, and as they are written with random weights."""
    from predictor_core import measure_latency
    from predictor_core.frontends.torch.torchvision import load
    from predictor_core.measuring.measurements import appending
    from predictor_core.measuring.rows import Row

    path = folder / "onnxruntime_1_twins.csv"
    done = set(fastest(path))
    with appending(path) as rows:
        for name in TWINS:
            for way, model, kind in (("exported", name, "torchvision"), ("written", load(name), "graph")):
                if f"{way} {name}" not in done:
                    found = measure_latency(model, kind, "onnxruntime", budget_s=seconds)
                    rows.add(Row(f"{way} {name}", found.latency_ms, found.std_ms))
                    print(f"{way} {name}: {found.latency_ms:.3f} ms", flush=True)


def _models_of(folder: Path, name: str) -> list[Path]:
    if name == "planned":
        from predictor_core.measuring.planning.folder import read_plan

        return [folder / name / f"{planned}.onnx" for planned in read_plan(folder / name)]
    models = sorted((folder / name).glob("*.onnx"))
    # Every beginning of a set is a random sample of it.
    random.Random(SEED).shuffle(models)
    return models


def evaluate(folder: Path) -> None:
    """Learn from each set, predict the held-out networks, and write the table."""
    from predictor_core.learning.x86.environments import HELD_OUT as UNSEEN
    from predictor_core.learning.x86.environments import Environment, Measured
    from predictor_core.learning.x86.joint import unseen
    from predictor_core.predictor import to_graph

    measured = Measured(folder, lambda path: to_graph(path, "onnx"))
    priors: dict[str, Any] = {}
    rows = []
    for runtime, threads in CAMPAIGNS:
        environment = Environment(runtime, threads)
        held_out = measured.latencies(environment, (UNSEEN,))
        if runtime not in priors:
            priors[runtime] = _priors(measured, runtime)
        for name, counts in COUNTS.items():
            latencies = measured.latencies(environment, (name,))
            order = [f"{name}/{model.name}" for model in _models_of(folder, name)]
            models = unseen(measured, [model for model in order if model in latencies])
            for count in counts:
                # Of the real networks some have the kernels of a held-out one.
                count = min(count, len(models)) if name == "real" and latencies else count
                if not held_out or len(models) < count:
                    continue
                learned_from = [(model, latencies[model]) for model in models[:count]]
                answer = _score(learned_from, held_out, measured.graph, priors[runtime])
                rows.append(
                    {"runtime": runtime, "threads": threads, "learned from": f"{count} {name}", **answer}
                )
                print(rows[-1], flush=True)
    notes = [
        "Share of 40 held-out networks of pytorchcv and torchvision within ±10 % of their measured "
        "latency, mean absolute error, share inside the interval that is to hold nine in ten, and rank "
        "correlation. planned: the first models of `nn-meter plan`; "
        "real: other networks of the two packages, drawn at random; random: members of the zoo's families, "
        "drawn at random. Models are timed as Graphs written with random weights. A runtime is learned "
        "without the package's own environments of this machine: the population that stands for them is "
        "learned from the other two runtimes, with one thread and two, and no held-out network, nor one with "
        "its kernels, is in any fit."
    ]
    twins = fastest(folder / "onnxruntime_1_twins.csv")
    if len(twins) == 2 * len(TWINS):
        ratios = [twins[f"written {name}"] / twins[f"exported {name}"] for name in TWINS]
        notes.append(
            f"{len(TWINS)} networks of torchvision, as they are written here, take {min(ratios):.3f} to "
            f"{max(ratios):.3f} times as long as torch exports them."
        )
    publish("own_machine", "This machine, learned from a few measurements", rows, notes)


def _priors(measured: Any, runtime: str) -> list[Any]:
    """Return what a device may be like, with a population of x86 that has no environment of a runtime."""
    from predictor_core.learning.choice import candidates, plain_priors
    from predictor_core.learning.population import known_populations, population_of
    from predictor_core.learning.x86.environments import ENVIRONMENTS, POPULATION
    from predictor_core.learning.x86.joint import learn
    from predictor_core.predictor.learned import LearnedPredictor

    sources = candidates(None)
    others = [one for one in ENVIRONMENTS if one.runtime != runtime and measured.latencies(one)]
    devices = [
        LearnedPredictor(header, [source for source in sources if source.name == header.sources[0].name])
        for header in learn(measured, others).values()
    ]
    known = [prior for label, both in known_populations().items() if label != POPULATION for prior in both]
    return [*plain_priors(sources), *known, *population_of(devices, POPULATION)]


def _score(
    measured: list[tuple[str, float]], held_out: dict[str, float], graph: Any, priors: Sequence[Any]
) -> dict[str, Any]:
    from scipy.stats import spearmanr

    from predictor_core.learning.choice import choose
    from predictor_core.learning.corpus import Corpus
    from predictor_core.learning.learn import finish

    corpus, ms = (
        Corpus([(model, graph(model)) for model, _ in measured]),
        np.array([ms for _, ms in measured]),
    )
    chosen = choose(corpus, ms, priors)
    learned = finish(chosen.problem, corpus, ms, name="here")
    reports = [learned.profile(graph(model)) for model in held_out]
    predicted = np.array([report.latency_ms for report in reports])
    low, high = np.array([report.interval_ms for report in reports]).T
    truth = np.array(list(held_out.values()))
    error = np.abs(predicted / truth - 1.0)
    inside = (low <= truth) & (truth <= high)
    return {
        "within ±10 % (%)": round(100.0 * float((error <= 0.1).mean()), 1),
        "MAPE (%)": round(100.0 * float(error.mean()), 2),
        "inside 90 % interval (%)": round(100.0 * float(inside.mean()), 1),
        "Spearman": round(float(spearmanr(predicted, truth).statistic), 4),
        "starts from": chosen.problem.prior.label,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", choices=("prepare", "measure", "evaluate"))
    parser.add_argument(
        "--folder", type=Path, default=Path("own_machine"), help="where models and rows are kept"
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each model and runtime")
    parser.add_argument("--minutes", type=float, default=30.0, help="time for all of them")
    parser.add_argument("--passes", type=int, default=2, help="how often each model is timed")
    parser.add_argument("--threads", type=int, default=2, help="leave out what takes more threads")
    parser.add_argument(
        "--plan",
        type=Path,
        default=KEPT,
        help="folder of `nn-meter plan`; by default the plan that was timed",
    )
    options = parser.parse_args()
    if options.step == "prepare":
        prepare(options.folder, options.plan)
    elif options.step == "measure":
        if find_spec("onnxruntime") is not None:
            measure_twins(options.folder, options.seconds)
        measure(options.folder, options.seconds, options.minutes, options.passes, options.threads)
    else:
        evaluate(options.folder)


if __name__ == "__main__":
    main()
