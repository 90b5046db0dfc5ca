"""A report as node data for Google's Model Explorer: latency on the graph of the model file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from predictor_core.predictor.report import KernelReport, LatencyReport

_AS_REPORTED: Mapping[str, str] = MappingProxyType({})
_GRADIENT = (("#eef4fb", "#111111"), ("#f2c14e", "#111111"), ("#b3261e", "#ffffff"))


def overlay(report: LatencyReport, names: Mapping[str, str] = _AS_REPORTED) -> dict[str, Any]:
    """Return the latency of each node in ms.

    Parameters
    ----------
    report : LatencyReport
        Of an ``.onnx`` or ``.tflite`` file.
    names : mapping from str to str, optional
        What Model Explorer calls the nodes, where it is not what the report calls them: for a ``.tflite``
        file `predictor_core.frontends.tflite.tensor_names`.

    Returns
    -------
    dict
        ``GraphNodeData`` of ai-edge-model-explorer: ``results`` by name of the node (in a TensorFlow Lite
        file that of its output tensor), and the colours. The latency of a kernel stands at its main node and
        the nodes that are fused into it have 0, so that the sums of groups are right. The overhead belongs to
        no node.
    """
    results: dict[str, dict[str, float]] = {}
    for kernel in report.kernels:
        main, *fused = dict.fromkeys(_in_file(node, kernel, names) for node in (kernel.name, *kernel.nodes))
        for node in (main, *fused):
            results.setdefault(node, {"value": 0.0})
        results[main]["value"] += kernel.latency_ms
    stops = len(_GRADIENT) - 1
    gradient = [
        {"stop": number / stops, "bgColor": background, "textColor": text}
        for number, (background, text) in enumerate(_GRADIENT)
    ]
    return {"name": f"ms on {report.predictor} {report.version}", "results": results, "gradient": gradient}


def _in_file(name: str, kernel: KernelReport, names: Mapping[str, str]) -> str:
    """Return what the file calls a node: of an op that became several nodes, the last has its name."""
    base, _, step = name.rpartition(".")
    is_step = name not in names and step.isdigit() and (base in kernel.nodes or base in names)
    own = base if is_step else name
    return names.get(own, own)


def overlay_json(report: LatencyReport, names: Mapping[str, str] = _AS_REPORTED) -> str:
    """Return `overlay` as JSON text."""
    return json.dumps(overlay(report, names), indent=1) + "\n"
