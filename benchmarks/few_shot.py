"""How well devices are learned from few measurements: held-out models, repeated draws.

``python benchmarks/few_shot.py DATA`` computes the tables from the public measurements in a folder
(``bench``, ``phones``, ``nb201``); ``--parts`` chooses some of them. The graphs of ``phones`` are made by
pytorchcv (``pip install --no-deps pytorchcv==0.0.67``). Models are cut into kernels once and kept in
``--cache``.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from harness import Row, publish

from predictor_core.catalog.loading import load_shared
from predictor_core.fusion import Rules, detect
from predictor_core.ir.graph import Graph
from predictor_core.ir.passes import canonicalize
from predictor_core.kernels import KernelSpec
from predictor_core.learning.bench import read_measured
from predictor_core.learning.corpus import Corpus, Cut, cut_of
from predictor_core.learning.crossvalidation import (
    HeldOut,
    calibrate,
    covered,
    cross_validate,
    spearman,
)
from predictor_core.learning.dataset import split
from predictor_core.learning.joint import cross_validate_jointly, share_prior
from predictor_core.learning.learn import choose_source
from predictor_core.predictor import LatencyPredictor

CPU, GPU, GPU_OLD, VPU = (
    "cortexA76cpu_tflite21",
    "adreno640gpu_tflite21",
    "adreno630gpu_tflite21",
    "myriadvpu_openvino2019r2",
)
FOUR = (CPU, GPU, GPU_OLD, VPU)
#: HELP's six test devices without the phones, and the phones.
NB201_TESTED = (
    "titan_rtx",
    "1080ti",
    "2080ti",
    "titanx",
    "titanxp",
    "gold_6240",
    "silver_4114",
    "silver_4210r",
)
NB201_PHONES = ("essential_ph_1", "pixel3", "samsung_a50", "samsung_s7")


def predictors(names: Iterable[str]) -> list[LatencyPredictor]:
    return [load_shared(name, "2.0") for name in names]


def rules_of(names: Iterable[str]) -> list[Rules]:
    """Distinct fusion rules of some predictors."""
    found: list[Rules] = []
    for one in predictors(names):
        if one.rules not in found:
            found.append(one.rules)
    return found


def cut_once(cache: Path, label: str, names: Sequence[str], graphs: Callable[[], Iterable[Graph]]) -> Corpus:
    """Corpus of models that are read only if the cache does not hold them, cut by the rules of the four."""
    rules = rules_of(FOUR)
    paths = [cache / f"{label}.{i}.npz" for i in range(len(rules))]
    if not all(path.is_file() for path in paths):
        cache.mkdir(parents=True, exist_ok=True)
        parts: list[list[Counter[KernelSpec]]] = [[] for _ in rules]
        for graph in graphs():
            for own, into in zip(rules, parts):
                into.append(Counter(kernel.spec._replace(type="") for kernel in detect(graph, own)))
        for path, into in zip(paths, parts):
            save_cut(path, cut_of(into))
    return Corpus.of_cuts(names, [(own, load_cut(path)) for own, path in zip(rules, paths)])


def save_cut(path: Path, cut: Cut) -> None:
    counts = cut.counts
    np.savez_compressed(
        path,
        specs=np.array(json.dumps(cut.specs)),
        data=counts.data,
        indices=counts.indices,
        indptr=counts.indptr,
        shape=counts.shape,
    )


def load_cut(path: Path) -> Cut:
    from scipy import sparse

    def tuples(value: Any) -> Any:
        return tuple(map(tuples, value)) if isinstance(value, list) else value

    with np.load(path, allow_pickle=False) as file:
        specs = [KernelSpec(*map(tuples, fields)) for fields in json.loads(str(file["specs"]))]
        counts = sparse.csr_matrix(
            (file["data"], file["indices"], file["indptr"]), shape=tuple(file["shape"])
        )
    return Cut(specs, counts)


def within(error: np.ndarray) -> float:
    return 100.0 * float((np.abs(error) <= 0.1).mean())


def predicted(
    corpus: Corpus,
    latency_ms: np.ndarray,
    learnt: np.ndarray,
    asked: np.ndarray,
    sources: Sequence[LatencyPredictor],
    seed: int,
) -> tuple[np.ndarray, str]:
    """Return predictions in ms for `asked`, learned from `learnt` as ``learn`` does, and the source."""
    own = latency_ms[learnt]
    problem = choose_source(corpus.only(learnt), own, sources, seed).problem.tuned(own)
    source = problem.prior.sources[0]
    return problem.predict_cut(problem.fit(own).mean, corpus.cut(source.rules).only(asked)), source.name


# Devices of the benchmark ------------------------------------------------------------------------------


def bench_corpus(data: Path, cache: Path) -> tuple[Corpus, np.ndarray, dict[str, np.ndarray]]:
    """Return distinct models of the benchmark, their families, and their latency on each device."""
    groups: dict[str, tuple[str, dict[str, list[float]]]] = {}
    for model in read_measured(data / "bench"):
        _, values = groups.setdefault(model.group, (model.family, {}))
        for device, latency_ms in model.latency_ms.items():
            values.setdefault(device, []).append(latency_ms)

    def graphs() -> Iterable[Graph]:
        seen = set()
        for model in read_measured(data / "bench"):
            if model.group not in seen:
                seen.add(model.group)
                yield canonicalize(model.graph)

    corpus = cut_once(cache, "bench", list(groups), graphs)
    columns = {
        device: np.array([np.mean(values.get(device, [np.nan])) for _, values in groups.values()])
        for device in FOUR
    }
    return corpus, np.array([family for family, _ in groups.values()]), columns


def bench(data: Path, cache: Path, draws: int) -> list[Row]:
    """Adreno 630 from its sibling; Adreno 640 and Cortex-A76 from strangers only."""
    corpus, families, columns = bench_corpus(data, cache)
    part = split(np.array(corpus.names), families, seed=0)
    tasks = (
        (GPU_OLD, (GPU,), (5, 10, 50)),
        (GPU, (CPU, VPU), (10, 50, 100, 1000)),
        (CPU, (GPU, GPU_OLD, VPU), (10, 50, 100, 1000)),
    )
    rows = []
    for target, sources, sizes in tasks:
        latency_ms = columns[target]
        known = np.isfinite(latency_ms)
        train = np.flatnonzero(known & (part == "train"))
        test = np.flatnonzero(known & (part == "test"))
        for size in sizes:
            means, chosen = [], Counter[str]()
            for draw in range(draws if size < 1000 else 1):
                learnt = np.random.default_rng(draw).permutation(train)[:size]
                said, name = predicted(corpus, latency_ms, learnt, test, predictors(sources), draw)
                chosen[name] += 1
                error = said / latency_ms[test] - 1.0
                of = families[test]
                means.append(float(np.mean([within(error[of == family]) for family in np.unique(of)])))
            rows.append(
                {
                    "target": target,
                    "from": ", ".join(f"{name} {count}x" for name, count in chosen.items()),
                    "models": size,
                    "within 10 %": round(float(np.mean(means)), 1),
                    "10 % quantile": round(float(np.quantile(means, 0.1)), 1),
                    "draws": len(means),
                }
            )
            print(rows[-1], flush=True)
    return rows


# Phones --------------------------------------------------------------------------------------------------


def phone_latencies(data: Path, table: str) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    with (data / "phones" / f"{table}.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["environment"], {})[row["model"]] = float(row["latency_ms"])
    return found


def phone_corpus(data: Path, cache: Path) -> Corpus:
    """Return the CNNs, by pytorchcv."""
    names = sorted(
        {
            model
            for table in ("tflite_cnn", "torch_cnn")
            for values in phone_latencies(data, table).values()
            for model in values
        }
    )

    def graphs() -> Iterable[Graph]:
        from pytorchcv.model_provider import get_model

        from predictor_core.predictor import to_graph

        # An alias that numpy has dropped and pytorchcv still uses.
        setattr(np, "int", int)  # noqa: B010
        for name in names:
            yield to_graph(get_model(name, pretrained=False).eval(), "torch", (1, 3, 224, 224))

    return cut_once(cache, "phones", names, graphs)


#: Name of a set of environments -> table, and what their names match.
SETS = {
    "TFLite fp32 and GPU": ("tflite_cnn", "fp32|gpu"),
    "TFLite int8": ("tflite_cnn", "int8"),
    "PyTorch Mobile": ("torch_cnn", ""),
}


def phones(data: Path, cache: Path, draws: int, stride: int = 1) -> list[Row]:
    """Each environment learned alone, from the four."""
    corpus = phone_corpus(data, cache)
    rows = []
    for title, (table, pattern) in SETS.items():
        latencies = phone_latencies(data, table)
        chosen = [name for name in sorted(latencies) if re.search(pattern, name)][::stride]
        results: dict[str, dict[str, float]] = {}
        for environment in chosen:
            values = latencies[environment]
            latency_ms = np.array([values.get(name, np.nan) for name in corpus.names])
            results[environment] = alone(corpus, latency_ms, draws)
            print(title, environment, {k: round(v, 1) for k, v in results[environment].items()}, flush=True)
        mean = {key: float(np.mean([one[key] for one in results.values()])) for key in results[chosen[0]]}
        least = min(one["covered"] for one in results.values())
        rows.append(
            {
                "environments": f"{title} ({len(chosen)})",
                **{key: round(value, 1) for key, value in mean.items()},
                "least covered": round(least, 1),
            }
        )
        print(rows[-1], flush=True)
    return rows


def alone(corpus: Corpus, latency_ms: np.ndarray, draws: int) -> dict[str, float]:
    known = np.flatnonzero(np.isfinite(latency_ms))
    few, inside = [], []
    for draw in range(draws):
        order = np.random.default_rng(draw).permutation(known)
        said, _ = predicted(corpus, latency_ms, order[:20], order[20:], predictors(FOUR), draw)
        few.append(within(said / latency_ms[order[20:]] - 1.0))
    problem = choose_source(corpus, latency_ms, predictors(FOUR), seed=0).problem
    problem = problem.tuned(latency_ms, known)
    start = problem.fit(latency_ms, known).mean
    every = cross_validate(problem, latency_ms, corpus.names, models=known, start=start)
    left_out = cross_validate(problem, latency_ms, corpus.families, models=known, start=start, folds=12)
    # Intervals are calibrated on three quarters of the models and judged on the rest.
    for draw in range(2):
        order = np.random.default_rng(draw).permutation(known)
        learnt, asked = np.sort(order[len(order) // 4 :]), order[: len(order) // 4]
        inner = cross_validate(problem, latency_ms, corpus.names, models=learnt, start=start, seed=draw)
        found = problem.fit(latency_ms, learnt, start=start)
        judged = HeldOut(latency_ms[asked], problem.predict(found.mean, asked), problem.spread(found, asked))
        inside.append(covered(judged, calibrate(inner)))
    return {
        "20 models": float(np.mean(few)),
        "all, 10-fold": within(every.error),
        "families left out": within(left_out.error),
        "MAPE": 100.0 * float(np.abs(every.error).mean()),
        "covered": float(np.mean(inside)),
    }


def joint(data: Path, cache: Path, draws: int, others: int = 12) -> list[Row]:
    """Learn a hidden phone jointly with the other phones' data of the same runtime."""
    corpus = phone_corpus(data, cache)
    rows = []
    runtimes = {
        "TFLite fp32 CPU": ("tflite_cnn", "_(?!gpu).*fp32", CPU),
        "TFLite int8": ("tflite_cnn", "int8", CPU),
        "TFLite GPU": ("tflite_cnn", "gpu", GPU),
        "PyTorch Mobile fp32 CPU": ("torch_cnn", "_(?!gpu).*fp32", CPU),
    }
    for title, (table, pattern, source) in runtimes.items():
        latencies = phone_latencies(data, table)
        columns = {
            name: np.array([values.get(model, np.nan) for model in corpus.names])
            for name, values in latencies.items()
            if re.search(pattern, name)
        }
        some = next(iter(columns.values()))
        problem = choose_source(corpus, some, predictors([source]), seed=0).problem
        results: dict[str, list[float]] = {"10": [], "20": [], "all": []}
        for phone in sorted({name.partition("_")[0] for name in columns}):
            mine = [name for name in sorted(columns) if name.startswith(f"{phone}_")]
            theirs = [name for name in sorted(columns) if name not in mine]
            theirs = list(np.random.default_rng(0).permutation(theirs))[:others]
            shared = replace(problem, prior=share_prior(problem, {name: columns[name] for name in theirs}))
            for name in mine:
                column = columns[name]
                known = np.flatnonzero(np.isfinite(column))
                for size in (10, 20):
                    for draw in range(draws):
                        order = np.random.default_rng(draw).permutation(known)
                        found = shared.fit(column, order[:size])
                        said = shared.predict(found.mean, order[size:])
                        results[str(size)].append(within(said / column[order[size:]] - 1.0))
                start = shared.fit(column, known).mean
                every = cross_validate(shared, column, corpus.names, models=known, start=start)
                results["all"].append(within(every.error))
        rows.append(
            {
                "runtime": title,
                "environments": len(columns),
                **{f"{key} models": round(float(np.mean(found)), 1) for key, found in results.items()},
            }
        )
        print(rows[-1], flush=True)
    return rows


def jointly(data: Path, cache: Path, draws: int, stride: int = 4) -> list[Row]:
    """Environments of one runtime learned together; every model is left out of all of them at once."""
    corpus = phone_corpus(data, cache)
    rows = []
    for title, (table, pattern) in {"TFLite fp32 CPU": ("tflite_cnn", "_(?!gpu).*fp32")}.items():
        latencies = phone_latencies(data, table)
        columns = {
            name: np.array([latencies[name].get(model, np.nan) for model in corpus.names])
            for name in [one for one in sorted(latencies) if re.search(pattern, one)][::stride]
        }
        some = next(iter(columns.values()))
        problem = choose_source(corpus, some, predictors([CPU]), seed=0).problem
        row: Row = {"runtime": title, "environments": len(columns)}
        for label, labels in (("all, 10-fold", corpus.names), ("families left out", corpus.families)):
            found = cross_validate_jointly(problem, columns, labels)
            row[label] = round(float(np.mean([within(one.error) for one in found.values()])), 1)
        rows.append(row)
        print(row, flush=True)
    return rows


# NAS-Bench-201 -----------------------------------------------------------------------------------------


def nb201(data: Path, cache: Path, draws: int) -> list[Row]:
    """Rank correlation on the architectures that 10 samples leave."""
    with (data / "nb201" / "latency_ms.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))

    def graphs() -> Iterable[Graph]:
        from nasbench201_torch import network

        from predictor_core.predictor import to_graph

        for row in table:
            yield to_graph(network(row["arch_str"]), "torch", (1, 3, 32, 32))

    corpus = cut_once(cache, "nb201", [row["index"] for row in table], graphs)
    devices = [name for name in table[0] if name not in ("index", "arch_str")]
    results: dict[str, list[float]] = {}
    for device in devices:
        latency_ms = np.array([float(row[device]) if row[device] else np.nan for row in table])
        known = np.flatnonzero(np.isfinite(latency_ms))
        for draw in range(draws):
            order = np.random.default_rng(draw).permutation(known)
            said, _ = predicted(corpus, latency_ms, order[:10], order[10:], predictors(FOUR), draw)
            results.setdefault(device, []).append(spearman(said, latency_ms[order[10:]]))
        print(device, np.round(results[device], 4), flush=True)
    rows: list[Row] = [
        {"device": device, "Spearman": round(float(np.mean(found)), 4)} for device, found in results.items()
    ]
    phones_ = [row["Spearman"] for row in rows if row["device"] in NB201_PHONES]
    rest = [row["Spearman"] for row in rows if row["device"] not in NB201_PHONES]
    rows.append({"device": "mean of the GPUs and Xeons", "Spearman": round(float(np.mean(rest)), 4)})
    rows.append({"device": "mean of the phones (whole ms)", "Spearman": round(float(np.mean(phones_)), 4)})
    return rows


PARTS: Mapping[str, Callable[[Path, Path, int], list[Row]]] = {
    "bench": bench,
    "phones": phones,
    "joint": joint,
    "jointly": jointly,
    "nb201": nb201,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with bench, phones and nb201")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--cache", type=Path, default=Path("few-shot-cache"))
    parser.add_argument("--draws", type=int, default=5)
    options = parser.parse_args()
    for part in options.parts:
        rows = PARTS[part](options.data, options.cache, options.draws)
        publish(f"few_shot_{part}", f"Learning from few measurements: {part}", rows)


if __name__ == "__main__":
    main()
