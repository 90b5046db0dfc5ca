"""Reader of the public whole-model measurements.

A folder holds ``latency_ms.csv`` (id, family, one column of ms per device), ``graphs/FAMILY.jsonl.gz``
(one model a line) and ``configs/FAMILY.csv`` (whose column ``same_as`` names identical architectures).
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from predictor_core.errors import ModelFormatError
from predictor_core.ir.graph import Graph, Node, Shape
from predictor_core.ir.shapes import same_pads

#: Measurements known to be wrong: (device, id).
BAD_MEASUREMENTS = frozenset({("adreno640gpu_tflite21", "proxylessnas_1302")})


class Measured(NamedTuple):
    """One model of the benchmark.

    Parameters
    ----------
    id, family : str
        As in the files.
    group : str
        Id of the first model with the same architecture: models of one group are never split.
    latency_ms : dict of str to float
        Device -> measured latency in ms, for the devices that it was measured on.
    graph : Graph
        Raw, not yet canonical.
    """

    id: str
    family: str
    group: str
    latency_ms: dict[str, float]
    graph: Graph


def read_latencies(folder: Path) -> dict[str, dict[str, float]]:
    """Measured latencies in ms: id -> device -> latency, known bad values left out.

    Raises
    ------
    ModelFormatError
        When the folder holds no such table.
    """
    path = folder / "latency_ms.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {
                row["id"]: {
                    device: float(text)
                    for device, text in row.items()
                    if device not in ("id", "family") and text and (device, row["id"]) not in BAD_MEASUREMENTS
                }
                for row in csv.DictReader(file)
            }
    except (OSError, KeyError, ValueError) as error:
        raise ModelFormatError(
            f"can't read the measurements {path}: {error}; expected columns id, family and one per device"
        ) from error


def read_measured(folder: Path) -> Iterator[Measured]:
    """Every model that was measured on at least one device, family by family, in file order."""
    latencies = read_latencies(folder)
    for path in sorted((folder / "graphs").glob("*.jsonl.gz")):
        family = path.name.partition(".")[0]
        with (folder / "configs" / f"{family}.csv").open(newline="", encoding="utf-8") as file:
            same_as = {row["id"]: row["same_as"] for row in csv.DictReader(file)}
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                # The id comes first; most of the time goes into decoding, so skip early.
                name = line[: line.index(",")].split('"')[3]
                measured = latencies.get(name)
                if measured:
                    yield Measured(name, family, same_as[name] or name, measured, graph_of(json.loads(line)))


def graph_of(record: dict[str, Any]) -> Graph:
    """Graph of one record ``{"id", "family", "ops": [[type, name, inputs, attributes, shape], ...]}``."""
    shapes: dict[str, Shape] = {}
    nodes = []
    for op, name, inputs, attrs, shape in record["ops"]:
        node = _node(op, name, tuple(inputs), attrs, tuple(shape), shapes)
        nodes.append(node)
        shapes.update(zip(node.tensors, node.outputs))
    return Graph(nodes, record["id"])


def _node(
    op: str, name: str, inputs: tuple[str, ...], given: dict[str, Any], shape: Shape, shapes: dict[str, Shape]
) -> Node:
    attrs: dict[str, Any] = {}
    outputs: tuple[Shape, ...] = (shape,)
    if "ks" in given:
        kernel, strides, source = tuple(given["ks"]), tuple(given["strides"]), shapes[inputs[0]]
        same = given["padding"] == "SAME"
        attrs = {
            "kernel": kernel,
            "strides": strides,
            "pads": same_pads(source[1:3], kernel, strides) if same else (0, 0, 0, 0),
        }
        if op in ("conv", "dwconv"):
            attrs.update(dilations=(1, 1), groups=source[-1] if op == "dwconv" else 1, bias=False)
            attrs["filters"] = shape[-1]
    elif op == "fc":
        attrs = {"filters": shape[-1], "bias": False}
    elif op == "reduce_mean":
        attrs = {"axes": tuple(given["axis"]), "keepdims": given["keepdims"]}
    elif op == "concat":
        attrs = {"axis": given["axis"]}
    elif op == "split":
        whole = shapes[inputs[0]]
        half = whole[-1] // given["num"]
        attrs = {"axis": given["axis"], "sizes": (half,) * given["num"]}
        outputs = ((*whole[:-1], half),) * given["num"]
    elif op == "reshape":
        attrs = {"shape": shape}
    elif op == "transpose":
        attrs = {"perm": tuple(given["perm"])}
    elif "const" in given:
        attrs = {"const": given["const"]}
    return Node(name, op, inputs, attrs, outputs)
