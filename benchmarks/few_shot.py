"""How well devices are learned from few measurements: held-out models, repeated draws.

``python benchmarks/few_shot.py DATA`` computes the tables from the public measurements in a folder
(``bench``, ``phones``, ``nb201``); ``--parts`` chooses some of them. The graphs of ``phones`` need the extra
``phones`` and pytorchcv (``pip install --no-deps pytorchcv==0.0.67``). Models are cut into kernels once and
kept in ``--cache``, and so is what each device gave, so that a run that was stopped goes on where it was.

The populations of phones that a device may be like are estimated anew for every table: without the phone
that is learned and, but for the table of joint learning, without the models that are predicted. The chips of
the embedded devices are those of a Pixel 4, so no Pixel 4 is in a population of their tables, and a
population starts from the sources of the task alone.

The traits of kernels that a population knows are those that the package gives it. For int8 these are none,
chosen after its figures with and without traits had been seen; a cross-validation among the models that are
not predicted prefers none, too, in each of the ten folds.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from few_shot_data import (
    CPU,
    FOUR,
    GPU,
    GPU_OLD,
    GROUPS,
    VPU,
    Bench,
    Phones,
    Results,
    cut_once,
    phone_of,
    predictors,
    source_of,
)
from harness import Row, publish

from predictor_core.ir.graph import Graph
from predictor_core.learning.adapt import Prior, Problem, pose
from predictor_core.learning.choice import choose, plain_priors, tune
from predictor_core.learning.corpus import Corpus
from predictor_core.learning.crossvalidation import HeldOut, calibrate, covered, folds_of, spearman
from predictor_core.learning.dataset import split
from predictor_core.learning.leaveout import JointFit

#: Phone with the chip of the embedded devices, and sources and groups that populations are learned from.
THEIR_PHONE, POPULATED = "pixel4", (CPU, GPU)
POPULATIONS = [group for group in GROUPS if not group.endswith("int8")]
#: Held-out models of a family of the benchmark.
OF_FAMILY = 30
#: As many models as there are.
ALL = "all"
NB201_PHONES = ("essential_ph_1", "pixel3", "samsung_a50", "samsung_s7")


def within(error: np.ndarray) -> float:
    return 100.0 * float((np.abs(error) <= 0.1).mean())


def predicted(
    corpus: Corpus,
    latency_ms: np.ndarray,
    trained: np.ndarray,
    held_out: np.ndarray,
    priors: Sequence[Prior],
) -> tuple[np.ndarray, str]:
    """Return predictions in ms for `held_out`, learned from `trained` as ``learn`` does, and the prior."""
    own = latency_ms[trained]
    problem = choose(corpus.only(trained), own, priors).problem
    asked = problem.with_models(corpus.only(held_out).cut(problem.prior.sources[0].rules))
    return asked.predict(problem.fit(own).mean), problem.prior.label


def summary(name: str, values: Sequence[float]) -> Row:
    return {
        name: round(float(np.mean(values)), 1),
        "10 % quantile": round(float(np.quantile(values, 0.1)), 1),
        "draws": len(values),
    }


# Devices of the benchmark ------------------------------------------------------------------------------


def bench(options: argparse.Namespace) -> list[Row]:
    """Adreno 630 from its sibling; Adreno 640 and Cortex-A76 from strangers only."""
    data = Bench(options.data, options.cache)
    phones = Phones(options.data, options.cache)
    results = Results(options.cache)
    part = split(np.array(data.corpus.names), data.families, seed=0)
    tasks = (
        (GPU_OLD, (GPU,), (5, 10, 50)),
        (GPU, (CPU, VPU), (10, 50, 100, 1000, ALL)),
        (CPU, (GPU, GPU_OLD, VPU), (10, 50, 100, 1000)),
    )
    rows: list[Row] = []
    for target, sources, sizes in tasks:
        latency_ms = data.latency_ms[target]
        known = np.isfinite(latency_ms)
        train = np.flatnonzero(known & (part == "train"))
        held_out = some_of_each(np.flatnonzero(known & (part == options.held_out)), data.families)
        priors = plain_priors(predictors(sources))
        for source in sources:
            if source in POPULATED:
                for group in POPULATIONS:
                    priors += phones.priors(group, source, THEIR_PHONE)
        for size in sizes:
            means, chosen = [], Counter[str]()
            for draw in range(1 if size in (1000, ALL) else options.draws):
                trained = np.random.default_rng(draw).permutation(train)[: None if size == ALL else size]
                compute = partial(of_bench, data, latency_ms, trained, held_out, priors)
                mean, label = results.once("bench", options.held_out, target, size, draw, compute=compute)
                means.append(mean)
                chosen[label] += 1
            rows.append(
                {
                    "target": target,
                    "from": ", ".join(sources),
                    "models": size,
                    **summary("within 10 %", means),
                    "chosen": "; ".join(f"{label} ({count})" for label, count in chosen.most_common(3)),
                }
            )
            print(rows[-1], flush=True)
    return rows


def of_bench(
    data: Bench, latency_ms: np.ndarray, trained: np.ndarray, held_out: np.ndarray, priors: Sequence[Prior]
) -> tuple[float, str]:
    """Mean over families of the share within ±10 %, and whom the device was believed to be like."""
    predicted_ms, label = predicted(data.corpus, latency_ms, trained, held_out, priors)
    error, of = predicted_ms / latency_ms[held_out] - 1.0, data.families[held_out]
    return float(np.mean([within(error[of == family]) for family in np.unique(of)])), label


def some_of_each(models: np.ndarray, families: np.ndarray) -> np.ndarray:
    """Draw at most `OF_FAMILY` models of each family."""
    mixed = np.random.default_rng(0).permutation(models)
    return np.concatenate([mixed[families[mixed] == name][:OF_FAMILY] for name in np.unique(families[mixed])])


# Phones --------------------------------------------------------------------------------------------------

SETS = {
    "TFLite fp32 and GPU": ("TFLite fp32", "TFLite GPU"),
    "TFLite int8": ("TFLite int8",),
    "PyTorch Mobile": ("PyTorch Mobile fp32", "PyTorch Mobile int8", "PyTorch Mobile GPU"),
}


def phones(options: argparse.Namespace) -> list[Row]:
    """Each environment by itself, from the four; what is predicted was measured on no phone."""
    data, results = Phones(options.data, options.cache), Results(options.cache)
    rows: list[Row] = []
    for title, groups in SETS.items():
        environments = [(group, name) for group in groups for name in data.columns[group]]
        found = []
        for group, name in environments[:: options.stride]:
            compute = partial(alone, data, group, name, options.draws)
            found.append(results.once("phones", options.draws, group, name, compute=compute))
            print(group, name, {k: round(v, 1) for k, v in found[-1].items()}, flush=True)
        rows.append(
            {
                "environments": f"{title} ({len(found)} of {len(environments)})",
                **{key: round(float(np.mean([one[key] for one in found])), 1) for key in found[0]},
                "least covered": round(min(one["covered"] for one in found), 1),
            }
        )
        print(rows[-1], flush=True)
    return rows


def priors_without(data: Phones, phone: str, left_out: Iterable[int] = ()) -> list[Prior]:
    """Return what a new phone may be like: the four, and the populations of the other phones."""
    models = tuple(sorted(int(i) for i in left_out))
    found = plain_priors(predictors(FOUR))
    for group in GROUPS:
        found += data.priors(group, source_of(group), phone, models)
    return found


def alone(data: Phones, group: str, environment: str, draws: int) -> dict[str, float]:
    latency_ms, phone = data.columns[group][environment], phone_of(environment)
    known = np.flatnonzero(np.isfinite(latency_ms))
    thirds = folds_of(data.corpus.names, 3, seed=0)
    few = []
    for draw in range(draws):
        left_out = np.flatnonzero(thirds == draw % 3)
        held_out = known[thirds[known] == draw % 3]
        trained = np.random.default_rng(draw).permutation(known[thirds[known] != draw % 3])[:20]
        priors = priors_without(data, phone, left_out)
        predicted_ms, _ = predicted(data.corpus, latency_ms, trained, held_out, priors)
        few.append(within(predicted_ms / latency_ms[held_out] - 1.0))
    problem = choose(data.corpus, latency_ms, priors_without(data, phone)).problem
    names, families = data.corpus.names, data.corpus.families
    every = left_out_of_all(data, problem, latency_ms, phone, folds_of(names, 10, seed=0))
    of_families = left_out_of_all(data, problem, latency_ms, phone, folds_of(families, 12, seed=0))
    return {
        "20 models": float(np.mean(few)),
        "all, 10-fold": within(every.error),
        "families left out": within(of_families.error),
        "MAPE": 100.0 * float(np.abs(every.error).mean()),
        "covered": coverage(every),
    }


def left_out_of_all(
    data: Phones, problem: Problem, latency_ms: np.ndarray, phone: str, fold: np.ndarray
) -> HeldOut:
    """Predict the models of each fold by fits, and populations, that have not seen them."""
    known = np.flatnonzero(np.isfinite(latency_ms))
    predicted_ms, deviation = np.full(len(fold), np.nan), np.full(len(fold), np.nan)
    start = problem.fit(latency_ms, known).mean
    for number in range(int(fold.max()) + 1):
        held_out, trained = known[fold[known] == number], known[fold[known] != number]
        if not len(held_out):
            continue
        own = without(data, problem, phone, np.flatnonzero(fold == number))
        found = own.fit(latency_ms, trained, start=start)
        predicted_ms[held_out] = own.predict(found.mean, held_out)
        deviation[held_out] = own.deviation(found, held_out)
    return HeldOut(latency_ms[known], predicted_ms[known], deviation[known])


def without(data: Phones, problem: Problem, phone: str, left_out: Iterable[int]) -> Problem:
    """Return the problem with its population, if it starts from one, as it is without some models."""
    models = tuple(sorted(int(i) for i in left_out))
    for group in GROUPS:
        if problem.prior.label.endswith(f" {group}"):
            for prior in data.priors(group, source_of(group), phone, models):
                if prior.label == problem.prior.label:
                    known = {
                        "means": prior.means,
                        "deviations": prior.deviations,
                        "directions": prior.directions,
                    }
                    return replace(problem, prior=replace(problem.prior, **known))
    return problem


def coverage(held_out: HeldOut) -> float:
    """Share of held-out models inside intervals that were calibrated on the others, in percent."""
    fold = folds_of(range(len(held_out.measured_ms)), 4, seed=0)
    inside = []
    for number in range(4):
        calibrated, judged = (
            HeldOut(held_out.measured_ms[some], held_out.predicted_ms[some], held_out.deviation[some])
            for some in (fold != number, fold == number)
        )
        inside += [covered(judged, calibrate(calibrated))] * int((fold == number).sum())
    return float(np.mean(inside))


def joint(options: argparse.Namespace) -> list[Row]:
    """Learn a hidden phone jointly with the other phones' data of the same runtime."""
    data, results = Phones(options.data, options.cache), Results(options.cache)
    rows: list[Row] = []
    everywhere: dict[str, list[float]] = {"10": [], "20": [], "all": []}
    for group in GROUPS:
        environments = list(data.columns[group])
        chosen = environments if len(environments) < 10 else environments[:: options.stride]
        of_group: dict[str, list[float]] = {key: [] for key in everywhere}
        for environment in chosen:
            compute = partial(hidden, data, group, environment, options.draws)
            found = results.once("joint", options.draws, group, environment, compute=compute)
            for key, values in found.items():
                of_group[key] += values
        for key, values in of_group.items():
            everywhere[key] += values
        rows.append(
            {
                "runtime": group,
                "environments": f"{len(chosen)} of {len(environments)}",
                **{f"{key} models": round(float(np.mean(one)), 1) for key, one in of_group.items()},
            }
        )
        print(rows[-1], flush=True)
    # Every environment has as many draws.
    total = {f"{key} models": round(float(np.mean(found)), 1) for key, found in everywhere.items()}
    rows.append({"runtime": "mean over environments", "environments": len(everywhere["all"]), **total})
    return rows


def hidden(data: Phones, group: str, environment: str, draws: int) -> dict[str, list[float]]:
    """Share of models within ±10 % after 10 and 20 measurements (one a draw), and in 10 folds of all."""
    latency_ms = data.columns[group][environment]
    known = np.flatnonzero(np.isfinite(latency_ms))
    problem = data.hidden(group, phone_of(environment))
    results: dict[str, list[float]] = {}
    for size in (10, 20):
        results[str(size)] = []
        for draw in range(draws):
            order = np.random.default_rng(draw).permutation(known)
            _, own = tune(problem, latency_ms, order[:size])
            predicted_ms = own.predict(own.fit(latency_ms, order[:size]).mean, order[size:])
            results[str(size)].append(within(predicted_ms / latency_ms[order[size:]] - 1.0))
    _, own = tune(problem, latency_ms, known)
    start = own.fit(latency_ms, known).mean
    fold = folds_of(known, 10, seed=0)
    error = np.empty(len(known))
    for number in range(10):
        held_out = known[fold == number]
        found = own.fit(latency_ms, known[fold != number], start=start)
        error[fold == number] = own.predict(found.mean, held_out) / latency_ms[held_out] - 1.0
    results["all"] = [within(error)]
    return results


# NAS-Bench-201 -----------------------------------------------------------------------------------------


def nb201(options: argparse.Namespace) -> list[Row]:
    """Rank correlation on the architectures that 10 samples leave.

    Each device alone, and jointly with the others: those of its name, which are the same hardware with
    another batch, left out. Beside them what a regression on half of all architectures reaches on the rest.
    """
    with (options.data / "nb201" / "latency_ms.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))

    def graphs() -> Iterable[Graph]:
        from nasbench201_torch import network

        from predictor_core.predictor import to_graph

        for row in table:
            yield to_graph(network(row["arch_str"]), "torch", (1, 3, 32, 32))

    corpus = cut_once(options.cache, "nb201", [row["index"] for row in table], graphs)
    names = [name for name in table[0] if name not in ("index", "arch_str")]
    columns = {name: np.array([float(row[name]) if row[name] else np.nan for row in table]) for name in names}
    plain = plain_priors(predictors(FOUR))
    phones = Phones(options.data, options.cache)
    for group in GROUPS:
        plain += phones.priors(group, source_of(group), "")
    (source,) = predictors([CPU])
    some = np.random.default_rng(0).permutation(len(corpus))[:100]
    fit = JointFit(
        pose(Prior.of(source), corpus.only(some).cut(source.rules)),
        {name: column[some] for name, column in columns.items() if name not in NB201_PHONES},
    )
    rows: list[Row] = []
    for name, latency_ms in columns.items():
        known = np.flatnonzero(np.isfinite(latency_ms))
        hardware = name.partition("_")[0] if name not in NB201_PHONES else name
        others = [one for one in fit.latency_ms if not one.startswith(hardware)]
        jointly = fit.members(others).priors(fit.problem.prior, "GPUs and Xeons")[:1]
        found: dict[str, list[float]] = {"alone": [], "jointly": []}
        for draw in range(options.draws):
            order = np.random.default_rng(draw).permutation(known)
            for key, priors in (("alone", plain), ("jointly", jointly)):
                predicted_ms, _ = predicted(corpus, latency_ms, order[:10], order[10:], priors)
                found[key].append(spearman(predicted_ms, latency_ms[order[10:]]))
        limit = spearman(*by_regression(corpus.cut(source.rules).counts.toarray(), latency_ms, known))
        means = {key: round(float(np.mean(one)), 4) for key, one in found.items()}
        rows.append({"device": name, **means, "half of all": round(limit, 4)})
        print(rows[-1], flush=True)
    for title, phone in (("mean of the GPUs and Xeons", False), ("mean of the phones (whole ms)", True)):
        part = [
            row for row in rows if (row["device"] in NB201_PHONES) == phone and "mean" not in row["device"]
        ]
        means = {
            key: round(float(np.mean([row[key] for row in part])), 4)
            for key in ("alone", "jointly", "half of all")
        }
        rows.append({"device": title, **means})
    return rows


def by_regression(
    counts: np.ndarray, latency_ms: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Predict half of the architectures by a ridge regression on the kernels of the other half.

    With so many samples its rank correlation is about the most that the noise of the measurements allows.
    """
    order = np.random.default_rng(0).permutation(known)
    half, rest = order[: len(order) // 2], order[len(order) // 2 :]
    scaled = (counts - counts.mean(axis=0)) / np.maximum(counts.std(axis=0), 1e-9)
    mean = latency_ms[half].mean()
    inner = scaled[half].T @ scaled[half] + 30.0 * np.eye(scaled.shape[1])
    weights = np.linalg.solve(inner, scaled[half].T @ (latency_ms[half] - mean))
    return mean + scaled[rest] @ weights, latency_ms[rest]


PARTS: Mapping[str, tuple[Callable[[Any], list[Row]], str]] = {
    "bench": (bench, "the embedded devices from each other"),
    "phones": (phones, "phones, each alone"),
    "joint": (joint, "a hidden phone with the others of its runtime"),
    "nb201": (nb201, "NAS-Bench-201, Spearman after 10 samples"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with bench, phones and nb201")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--cache", type=Path, default=Path("few-shot-cache"))
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--stride", type=int, default=1, help="every so manieth environment of the phones")
    parser.add_argument(
        "--held-out",
        choices=("validation", "test"),
        default="test",
        help="models of the benchmark that are predicted; validation while the method is worked on",
    )
    options = parser.parse_args()
    for part in options.parts:
        function, title = PARTS[part]
        rows = function(options)
        how = f"--draws {options.draws} --stride {options.stride} --held-out {options.held_out}"
        notes = [f"`--parts {part} {how}`"]
        publish(f"few_shot_{part}", f"Learning from few measurements: {title}", rows, notes)


if __name__ == "__main__":
    main()
