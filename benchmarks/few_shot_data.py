"""Measured models of `few_shot.py`, cut into kernels once and kept, and the phones as populations."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from predictor_core.catalog.embedded import PACKAGE
from predictor_core.catalog.loading import load_shared
from predictor_core.fusion import Rules
from predictor_core.ir.graph import Graph
from predictor_core.ir.passes import canonicalize
from predictor_core.kernels import KernelSpec
from predictor_core.learning.adapt import Prior, Problem
from predictor_core.learning.bench import read_latencies, read_measured
from predictor_core.learning.corpus import Corpus, Cut, cut_of, kernel_counts
from predictor_core.learning.joint import pose_jointly
from predictor_core.learning.leaveout import JointFit
from predictor_core.learning.phones.joint import pose_group
from predictor_core.predictor import LatencyPredictor

CPU, GPU, GPU_OLD, VPU = (
    "cortexA76cpu_tflite21",
    "adreno640gpu_tflite21",
    "adreno630gpu_tflite21",
    "myriadvpu_openvino2019r2",
)
FOUR = (CPU, GPU, GPU_OLD, VPU)


def predictors(names: Iterable[str]) -> list[LatencyPredictor]:
    return [load_shared(name, "2.0") for name in names]


def cut_once(folder: Path, label: str, names: Sequence[str], graphs: Callable[[], Iterable[Graph]]) -> Corpus:
    """Corpus of models that are read only if the cache does not hold them, cut by the rules of the four."""
    rules: list[Rules] = []
    for one in predictors(FOUR):
        if one.rules not in rules:
            rules.append(one.rules)
    paths = [folder / f"{label}.{i}.npz" for i in range(len(rules))]
    if not all(path.is_file() for path in paths):
        folder.mkdir(parents=True, exist_ok=True)
        parts: list[list[Counter[KernelSpec]]] = [[] for _ in rules]
        for graph in graphs():
            for own, into in zip(rules, parts):
                into.append(kernel_counts(graph, own))
        for path, into in zip(paths, parts):
            np.savez_compressed(path, **cut_of(into).arrays())
    cuts = []
    for own, path in zip(rules, paths):
        with np.load(path, allow_pickle=False) as file:
            cuts.append((own, Cut.from_arrays(file)))
    return Corpus.of_cuts(names, cuts)


class Results:
    """What a run has computed so far, so that one that was stopped goes on; another method starts anew.

    Parameters
    ----------
    folder : Path
        Where ``results.<digest of the method>.jsonl`` is kept.
    """

    def __init__(self, folder: Path) -> None:
        method = sha256()
        for package in ("kernels", "learning", "predictor"):
            for path in sorted((PACKAGE / package).rglob("*.py")):
                method.update(path.read_bytes())
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"results.{method.hexdigest()[:12]}.jsonl"
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.is_file() else []
        self._known = dict(map(json.loads, lines))

    def once(self, *key: str | int, compute: Callable[[], Any]) -> Any:
        """Return what `compute` returned for the key, as plain values."""
        name = " ".join(map(str, key))
        if name not in self._known:
            line = json.dumps([name, compute()])
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
            self._known[name] = json.loads(line)[1]
        return self._known[name]


class Bench:
    """The distinct models of the benchmark, with their families and their latencies on each device."""

    def __init__(self, data: Path, folder: Path) -> None:
        latencies = read_latencies(data / "bench")
        groups: dict[str, tuple[str, dict[str, list[float]]]] = {}
        # In the order of the graphs, which need not be decoded for this.
        for path in sorted((data / "bench" / "configs").glob("*.csv")):
            with path.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    measured = latencies.get(row["id"])
                    if measured:
                        _, values = groups.setdefault(row["same_as"] or row["id"], (path.stem, {}))
                        for device, latency_ms in measured.items():
                            values.setdefault(device, []).append(latency_ms)

        def graphs() -> Iterable[Graph]:
            seen = set()
            for model in read_measured(data / "bench"):
                if model.group not in seen:
                    seen.add(model.group)
                    yield canonicalize(model.graph)

        self.corpus = cut_once(folder, "bench", list(groups), graphs)
        self.families = np.array([family for family, _ in groups.values()])
        self.latency_ms = {
            device: np.array([np.mean(values.get(device, [np.nan])) for _, values in groups.values()])
            for device in FOUR
        }


#: Environments that run the same code: table, what their names end in, and what the package calls them.
GROUPS = {
    "TFLite fp32": ("tflite_cnn", "fp32", "tflite_fp32"),
    "TFLite int8": ("tflite_cnn", "int8", "tflite_int8"),
    "TFLite GPU": ("tflite_cnn", "fp16", "tflite_gpu"),
    "PyTorch Mobile fp32": ("torch_cnn", "fp32", "torch_fp32"),
    "PyTorch Mobile int8": ("torch_cnn", "int8", "torch_int8"),
    "PyTorch Mobile GPU": ("torch_cnn", "fp16", "torch_gpu"),
}


class Phones:
    """Convolutional networks on phones, and the populations that the phones are."""

    def __init__(self, data: Path, folder: Path) -> None:
        tables = {table: _latencies(data / "phones" / f"{table}.csv") for table, _, _ in GROUPS.values()}
        names = sorted({model for table in tables.values() for values in table.values() for model in values})

        def graphs() -> Iterable[Graph]:
            from predictor_core.learning.phones.models import build_graphs

            built = build_graphs(names)
            return (built[name].graph for name in names)

        self.corpus = cut_once(folder, "phones", names, graphs)
        #: Group -> environment -> latencies, NaN where a model was not measured.
        self.columns = {
            group: {
                environment: np.array([values.get(name, np.nan) for name in names])
                for environment, values in sorted(tables[table].items())
                if environment.endswith(end)
            }
            for group, (table, end, _) in GROUPS.items()
        }
        self.fit = cache(self._fit)
        self.priors = cache(self._priors)
        self.jointly = cache(self._jointly)

    def _fit(self, group: str, source: str) -> JointFit:
        # As the package learns the phones that a device may be like.
        return JointFit(pose_group(self.corpus, GROUPS[group][2], source == GPU), self.columns[group])

    def _jointly(self, group: str) -> JointFit:
        (loaded,) = predictors([source_of(group)])
        return JointFit(pose_jointly(Prior.of(loaded), self.corpus.cut(loaded.rules)), self.columns[group])

    def hidden(self, group: str, phone: str) -> Problem:
        """Return the fit of a phone that is believed to be like the other phones of its group."""
        fit = self.jointly(group)
        others = fit.members(name for name in self.columns[group] if phone_of(name) != phone)
        return replace(fit.problem, prior=others.priors(fit.problem.prior, group)[0])

    def _priors(
        self, group: str, source: str, phone: str, left_out: tuple[int, ...] = ()
    ) -> tuple[Prior, ...]:
        """Return the priors of a population that knows neither a phone nor some models."""
        fit = self.fit(group, source)
        others = [name for name in self.columns[group] if phone_of(name) != phone]
        if len(others) < 3:
            return ()
        kept = np.ones(len(self.corpus), dtype=bool)
        kept[list(left_out)] = False
        return fit.members(others, kept).priors(fit.problem.prior, group)


def phone_of(environment: str) -> str:
    return environment.partition("_")[0]


def source_of(group: str) -> str:
    """Predictor that a group starts from."""
    return GPU if group.endswith("GPU") else CPU


def _latencies(path: Path) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["environment"], {})[row["model"]] = float(row["latency_ms"])
    return found
