"""Golden files: what a predictor says about each model, kernel by kernel, one file a predictor."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from math import isclose
from pathlib import Path
from typing import Any

from predictor_core import LatencyPredictor
from predictor_core.fusion import detect
from predictor_core.ir.graph import Graph
from predictor_core.kernels import KernelSpec
from predictor_core.predictor import to_graph

FOLDER = Path(__file__).parent / "latency"

#: Relative difference in ms that is none.
TOLERANCE = 1e-9


def describe(spec: KernelSpec, nodes: int) -> str:
    """A kernel as one line: type, op, shapes, everything else that is not as usual, nodes that it covers."""
    parts = [spec.type, spec.op, ",".join(map(_shape, spec.inputs)), ">", _shape(spec.output)]
    for letter, pair in (("k", spec.kernel), ("s", spec.strides), ("d", spec.dilations)):
        if pair != (1, 1):
            parts.append(letter + _shape(pair))
    if spec.groups != 1:
        parts.append(f"g{spec.groups}")
    for name, values in (("then", spec.epilogue), ("extra", spec.extra), ("context", spec.context)):
        if values:
            parts.append(f"{name}={','.join(map(str, values))}")
    return f"{' '.join(parts)} n{nodes}"


def answer(predictor: LatencyPredictor, graph: Graph) -> dict[str, Any]:
    """Total and kernels of a model: ``[description, how many of them, ms of one]``, slowest first."""
    found = detect(to_graph(graph), predictor.rules)
    latencies = predictor.kernel_latencies({kernel.spec for kernel in found})
    counts = Counter((describe(k.spec, len(k.nodes)), latencies[k.spec].latency_ms) for k in found)
    kernels = [[text, count, ms] for (text, ms), count in counts.items()]
    kernels.sort(key=lambda kernel: (-kernel[1] * kernel[2], kernel[0]))
    return {"total_ms": predictor.predict(graph), "kernels": kernels}


def differences(golden: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Lines that name what an answer has lost, gained and changed; none when they are equal."""
    before, after = _by_kernel(golden), _by_kernel(now)
    for text in before.keys() - after.keys():
        yield f"- {text}"
    for text in after.keys() - before.keys():
        yield f"+ {text}"
    for text in before.keys() & after.keys():
        (old_count, old_ms), (new_count, new_ms) = before[text], after[text]
        if old_count != new_count:
            yield f"! {text}: {old_count} -> {new_count} kernels"
        if not isclose(old_ms, new_ms, rel_tol=TOLERANCE):
            yield f"! {text}: {_change(old_ms, new_ms)}"
    if not isclose(golden["total_ms"], now["total_ms"], rel_tol=TOLERANCE):
        yield f"! total: {_change(golden['total_ms'], now['total_ms'])}"


def read(name: str) -> dict[str, Any]:
    """Golden answers of a predictor by model; {} when there are none."""
    path = FOLDER / f"{name}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def write(name: str, answers: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the golden answers of a predictor, one kernel a line."""
    models = []
    for model, found in sorted(answers.items()):
        kernels = ",\n".join(f"   {json.dumps(kernel)}" for kernel in found["kernels"])
        head = f' {json.dumps(model)}: {{\n  "total_ms": {found["total_ms"]!r},\n  "kernels": ['
        models.append(f"{head}\n{kernels}\n  ]\n }}")
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text("{\n" + ",\n".join(models) + "\n}\n", encoding="utf-8")


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _by_kernel(found: Mapping[str, Any]) -> dict[str, tuple[int, float]]:
    # Kernels of equal description cost the same, for a description leaves out nothing that matters.
    return {text: (count, ms) for text, count, ms in found["kernels"]}


def _change(old_ms: float, new_ms: float) -> str:
    return f"{old_ms:.6g} -> {new_ms:.6g} ms ({new_ms / old_ms - 1.0:+.2%})"
