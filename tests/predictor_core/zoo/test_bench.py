"""The builders against the graphs of the public measurements, node for node."""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from predictor_core import zoo
from predictor_core.ir.graph import Graph
from predictor_core.ir.shapes import same_pads
from predictor_core.learning.bench import graph_of

COUNTS = {
    "alexnet": 2000,
    "densenet": 2000,
    "googlenet": 2000,
    "mnasnet": 2000,
    "mobilenetv1": 2000,
    "mobilenetv2": 2000,
    "mobilenetv3": 2000,
    "nasbench201": 2000,
    "proxylessnas": 2000,
    "resnet": 2007,
    "shufflenetv2": 2000,
    "squeezenet": 2000,
    "vgg": 2000,
}


def numbers(text: str) -> list[int]:
    return [int(word) for word in text.split()]


def builder_arguments(family: str, row: dict[str, str]) -> dict[str, Any]:
    """Arguments of the family's builder for one row of its table."""
    if family == "nasbench201":
        return {"arch": row["arch_str"]}
    if family == "googlenet":
        columns = {
            "c1": "c1",
            "c3_reduce": "c2red",
            "c3": "c2",
            "c5_reduce": "c3red",
            "c5": "c3",
            "pool": "c4",
        }
        return {argument: numbers(row[column]) for argument, column in columns.items()}
    member = row["id"].partition("_")[0]
    kernels = numbers(row["k"])
    if family == "vgg":
        channels = numbers(row["c"])
        return {
            "depth": int(member[3:]),
            "kernels": kernels[:-2],
            "channels": channels[:-2],
            "hidden": channels[-2:],
        }
    if family in ("alexnet", "mobilenetv1"):
        return {"kernels": kernels, "channels": numbers(row["c"])}
    if family == "squeezenet":
        return {"kernels": kernels, "channels": numbers(row["c"]), "squeeze": numbers(row["squeeze_c"])}
    if family == "densenet":
        return {"kernels": kernels, "growth": numbers(row["c"])}
    mid = numbers(row["mid_c"])
    if family == "resnet":
        return {
            "depth": int(member[6:]),
            "kernels": kernels,
            "channels": numbers(row["out_c"]),
            "mid": mid,
        }
    sampled = numbers(row["c_sampled"])
    if family == "shufflenetv2":
        return {
            "kernels": kernels[:-2],
            "half": numbers(row["half_c"]),
            "mid": mid,
            "stem": sampled[0],
            "head": sampled[-1],
        }
    out = {"kernels": kernels, "channels": numbers(row["out_c"]), "mid": mid}
    if family == "mobilenetv2":
        out.update(kernels=kernels[:-1], stem=sampled[0], head=sampled[-1])
    if family == "mnasnet":
        out.update(kernels=kernels[:-1])
    if family == "mobilenetv3":
        out.update(variant=member[len("mobilenetv3") :])
    return out


def plain(graph: Graph) -> list[list[Any]]:
    """The graph in the notation of the public measurements."""
    ops = []
    for node in graph:
        shapes = graph.input_shapes(node)
        given = node.attrs
        attrs: dict[str, Any] = {}
        if "kernel" in given:
            size, kernel, strides = shapes[0][1:3], given["kernel"], given["strides"]
            same = given["pads"] == same_pads(size, kernel, strides)
            assert same or given["pads"] == (0, 0, 0, 0)
            attrs |= {"ks": list(kernel), "strides": list(strides), "pads": list(given["pads"])}
        if "bias" in given:
            attrs |= {"cin": shapes[0][-1], "cout": node.shape[-1], "bias": given["bias"]}
        if node.op == "dwconv":
            attrs |= {"groups": given["groups"]}
        elif node.op == "conv":
            assert given["groups"] == 1
        if "axes" in given:
            attrs |= {"axis": list(given["axes"]), "keepdims": given["keepdims"]}
        if node.op == "split":
            assert set(given["sizes"]) == {node.shape[-1]}
            attrs |= {"axis": given["axis"], "num": len(given["sizes"])}
        elif "axis" in given:
            attrs |= {"axis": given["axis"]}
        if "perm" in given:
            attrs |= {"perm": list(given["perm"])}
        if "const" in given:
            attrs |= {"const": given["const"]}
        ops.append([node.op, node.name, list(node.inputs), attrs, list(node.shape)])
    return ops


def expected(ops: list[list[Any]]) -> list[list[Any]]:
    """The published ops with padding written as numbers."""
    shapes = {name: shape for _, name, _, _, shape in ops}
    out = []
    for op, name, inputs, attrs, shape in ops:
        attrs = dict(attrs)
        if "padding" in attrs:
            size = shapes[inputs[0].partition(":")[0]][1:3]
            same = attrs.pop("padding") == "SAME"
            attrs["pads"] = list(same_pads(size, attrs["ks"], attrs["strides"])) if same else [0, 0, 0, 0]
        out.append([op, name, inputs, attrs, shape])
    return out


def models(data: Path, family: str) -> Iterator[tuple[dict[str, str], str]]:
    """Rows of a family's table, each with the line of its graph."""
    with (data / "bench" / "configs" / f"{family}.csv").open() as rows:
        table = {row["id"]: row for row in csv.DictReader(rows)}
    with gzip.open(data / "bench" / "graphs" / f"{family}.jsonl.gz", "rt") as lines:
        for line in lines:
            yield table[line[:200].split('"')[3]], line


def check(family: str, row: dict[str, str], line: str) -> Graph:
    graph = zoo.build(family, **builder_arguments(family, row))
    assert plain(graph) == expected(json.loads(line)["ops"]), row["id"]
    return graph


@pytest.mark.parametrize("family", zoo.families())
def test_sampled_models_are_equal(family: str, shared_data: Path) -> None:
    rows = list(models(shared_data, family))
    assert len(rows) == COUNTS[family]
    for row, line in [rows[0], *random.Random(1).sample(rows, 20)]:
        # The reader that training uses must see the same Graphs.
        assert check(family, row, line) == graph_of(json.loads(line))


@pytest.mark.slow
@pytest.mark.parametrize("family", zoo.families())
def test_all_models_are_equal(family: str, shared_data: Path) -> None:
    for row, line in models(shared_data, family):
        check(family, row, line)
