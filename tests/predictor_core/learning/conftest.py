"""A small folder of measurements with a known law: linear in MACs, bytes and kernels, plus a constant."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from predictor_core import learn_predictor, load_latency_predictor, zoo
from predictor_core.fusion import detect, load_rules
from predictor_core.ir.graph import Graph
from predictor_core.ir.passes import canonicalize
from predictor_core.kernels import cost
from predictor_core.kernels.coordinates import sort
from predictor_core.learning.adapt import Prior, Problem, pose
from predictor_core.learning.bench import graph_of
from predictor_core.learning.corpus import Corpus
from predictor_core.learning.posterior import Floats
from predictor_core.predictor.learned import LearnedPredictor

DEVICE = "cortexA76cpu_tflite21"
CONSTANT_MS = 0.5


def record(name: str, family: str, channels: list[int], kernels: list[int], side: int) -> dict[str, Any]:
    """Convolutions with batch norm and ReLU, a pool in the middle, a classifier at the end."""
    ops: list[list[Any]] = [["input", "input", [], {}, [1, side, side, 3]]]
    last, cin = "input", 3
    for i, (channel, kernel) in enumerate(zip(channels, kernels)):
        shape = [1, side, side, channel]
        attrs = {"ks": [kernel, kernel], "strides": [1, 1], "padding": "SAME", "cin": cin, "cout": channel}
        ops.append(["conv", f"c{i}", [last], {**attrs, "bias": False}, shape])
        ops.append(["bn", f"c{i}.bn", [f"c{i}"], {}, shape])
        ops.append(["relu", f"c{i}.relu", [f"c{i}.bn"], {}, shape])
        last, cin = f"c{i}.relu", channel
        if i == 0:
            side //= 2
            pool = {"ks": [2, 2], "strides": [2, 2], "padding": "VALID"}
            ops.append(["maxpool", "pool", [last], pool, [1, side, side, cin]])
            last = "pool"
    ops.append(["reduce_mean", "mean", [last], {"axis": [1, 2], "keepdims": True}, [1, 1, 1, cin]])
    ops.append(["reshape", "flat", ["mean"], {}, [1, cin]])
    ops.append(["fc", "fc", ["flat"], {"cin": cin, "cout": 10, "bias": False}, [1, 10]])
    return {"id": name, "family": family, "ops": ops}


def law_ms(entry: dict[str, Any]) -> float:
    """Latency of a record by the law, with kernels of window 1 half as fast."""
    total = CONSTANT_MS
    for kernel in detect(canonicalize(graph_of(entry)), load_rules(DEVICE)):
        macs, moved = cost(kernel.spec)
        slow = 2.0 if kernel.spec.op == "conv" and kernel.spec.kernel == (1, 1) else 1.0
        total += slow * macs * 1e-6 + moved * 1e-6 + 0.01
    return total


@pytest.fixture(scope="session")
def measurements(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with 3 families of 60 models; the last model of a family repeats its first one, 10 % slower."""
    folder = tmp_path_factory.mktemp("measurements")
    (folder / "graphs").mkdir()
    (folder / "configs").mkdir()
    rng = np.random.default_rng(0)
    latencies = []
    for family, depth in (("flat", 3), ("deep", 5), ("wide", 4)):
        entries = []
        for i in range(60):
            channels = (8 * rng.integers(1, 9, depth)).tolist()
            kernels = rng.choice([1, 3, 5], depth).tolist()
            entries.append(record(f"{family}_{i}", family, channels, kernels, int(rng.choice([16, 32]))))
        entries[-1] = {**entries[0], "id": f"{family}_59"}
        with gzip.open(folder / "graphs" / f"{family}.jsonl.gz", "wt") as lines:
            lines.writelines(json.dumps(entry, separators=(",", ":")) + "\n" for entry in entries)
        with (folder / "configs" / f"{family}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "same_as"])
            writer.writerows([entry["id"], ""] for entry in entries[:-1])
            writer.writerow([f"{family}_59", f"{family}_0"])
        for i, entry in enumerate(entries):
            latency_ms = law_ms(entry) * (1.1 if i == 59 else 1.0)
            latencies.append([entry["id"], family, "" if i == 7 else f"{latency_ms:.9g}"])
    with (folder / "latency_ms.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "family", DEVICE])
        writer.writerows(latencies)
    return folder


#: What is slower on the made-up device than on its source: a factor by the start of a kernel's sort.
LAW = {"conv/1": 2.1, "conv": 1.5, "dwconv": 3.0}


@pytest.fixture(scope="session")
def zoo_graphs() -> dict[str, Graph]:
    """Twelve families at two input sizes, by name."""
    found = {}
    for family in sorted(set(zoo.families()) - {"nasbench201"}):
        for side in (224, 160):
            graph = zoo.build(family, input_shape=(1, side, side, 3))
            found[f"{family}_{side}"] = canonicalize(graph)
    return found


def device_ms(graph: Graph, factor: float = 1.0) -> float:
    """Latency on the made-up device: kernels of the source by `LAW`, and 2 ms once."""
    source = load_latency_predictor(DEVICE)
    total = 2.0
    for kernel in detect(graph, source.rules):
        slow = next((f for start, f in LAW.items() if sort(kernel.spec).startswith(start)), 1.2)
        total += slow * source.kernel_latencies([kernel.spec])[kernel.spec].latency_ms
    return factor * total


@pytest.fixture(scope="session")
def zoo_ms(zoo_graphs: dict[str, Graph]) -> dict[str, float]:
    """Latency of `zoo_graphs` on the made-up device."""
    return {name: device_ms(graph) for name, graph in zoo_graphs.items()}


@pytest.fixture(scope="session")
def corpus(zoo_graphs: dict[str, Graph]) -> Corpus:
    """`zoo_graphs` as a corpus."""
    return Corpus(zoo_graphs)


@pytest.fixture(scope="session")
def problem(corpus: Corpus) -> Problem:
    """The fit of a device like the source, ready for measurements of `corpus`."""
    source = load_latency_predictor(DEVICE)
    return pose(Prior.of(source), corpus.cut(source.rules))


@pytest.fixture(scope="session")
def base(zoo_ms: dict[str, float]) -> Floats:
    """`zoo_ms` as an array."""
    return np.array(list(zoo_ms.values()))


@pytest.fixture(scope="session")
def learned(zoo_graphs: dict[str, Graph], zoo_ms: dict[str, float]) -> LearnedPredictor:
    """The made-up device, learned from all of `zoo_graphs`."""
    return learn_predictor(list(zoo_graphs.values()), list(zoo_ms.values()), name="made-up", like=DEVICE)
