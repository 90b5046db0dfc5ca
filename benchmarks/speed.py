"""How long it takes: import, load, and every way from a model to milliseconds, cold and warm, by stage."""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from harness import RSS, Row, fresh, median_seconds, publish
from workloads import DEVICES, torchvision_models, varied_mobilenets

from predictor_core import LatencyPredictor, load_latency_predictor
from predictor_core.frontends.nnmeter_ir import to_document
from predictor_core.fusion import detect
from predictor_core.predictor import to_graph
from predictor_core.predictor.batch import predict_many

IMPORT = (
    RSS
    + """
import time, json
before, start = rss_mb(), time.perf_counter()
# The public names are resolved on first use; what stands behind them belongs to the import.
from predictor_core import LatencyPredictor, load_latency_predictor
print(json.dumps([time.perf_counter() - start, rss_mb() - before]))
"""
)

LOAD = (
    RSS
    + """
import sys, time, json
import numpy, predictor_core
from predictor_core import catalog, predictor, load_latency_predictor
before, start = rss_mb(), time.perf_counter()
p = load_latency_predictor(sys.argv[1])
print(json.dumps([time.perf_counter() - start, rss_mb() - before]))
"""
)

LIST = """
import json, subprocess, sys, time
start = time.perf_counter()
command = [sys.executable, "-m", "predictor_core.cli.main", "--list-predictors"]
subprocess.run(command, check=True, capture_output=True)
print(json.dumps([time.perf_counter() - start, None]))
"""


#: Run apart, so that the rows without torch are measured in a process without torch.
DOCUMENTS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from workloads import torchvision_models
from predictor_core import model_to_graph
models = torchvision_models()
documents = {}
for name in sys.argv[2:] if models is not None else []:
    documents[name] = model_to_graph(getattr(models, name)(weights=None).eval(), "torch")
print(json.dumps(documents))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5, help="runs per row; the median counts")
    repeat = parser.parse_args().repeat
    rows = [*processes(repeat), *ir_documents(repeat), *batches(repeat), *sources(repeat)]
    notes = ["ms per call (medians) and MB of resident memory added; `cached` repeats a model seen before."]
    publish("speed", "Speed", rows, notes)


def row(work: str, seconds: float, limit_ms: float | None = None, mb: float | None = None) -> Row:
    return {"work": work, "ms": seconds * 1000, "MB": mb, "wanted ms": limit_ms}


def processes(repeat: int) -> list[Row]:
    """Rows that need a new process each time."""
    rows = []
    for work, code, limit in (
        ("import predictor_core and all that predicting needs", IMPORT, 150),
        ("nn-meter --list-predictors", LIST, 250),
    ):
        answers = fresh(code, repeat=repeat)
        mb = None if answers[0][1] is None else statistics.median(a[1] for a in answers)
        rows.append(row(work, statistics.median(a[0] for a in answers), limit, mb))
    for device in DEVICES:
        answers = fresh(LOAD, device, repeat=repeat)
        seconds, mb = (statistics.median(a[i] for a in answers) for i in (0, 1))
        rows.append(row(f"load {device}", seconds, 30, mb))
    return rows


def ir_documents(repeat: int) -> list[Row]:
    """IR dict to ms, whole and by stage."""
    limits = {"mobilenet_v2": (2, 1), "densenet161": (9, 5)}
    (documents,) = fresh(DOCUMENTS, str(Path(__file__).parent), *limits)
    predictor = load_latency_predictor(DEVICES[0])
    rows = []
    for name, document in documents.items():
        cold_limit, warm_limit = limits[name]

        def predict(document: dict[str, Any] = document) -> float:
            return predictor.predict(document, "nnmeter-ir")

        predict()
        many = 10 * repeat
        cold = median_seconds(predict, many, before=predictor.clear_memo)
        rows.append(row(f"IR dict of {name} ({len(document)} nodes), nothing cached", cold, cold_limit))
        rows.append(row(f"IR dict of {name}, kernels cached", median_seconds(predict, many), warm_limit))
        rows += stages(predictor, document, many)
    return rows


def stages(predictor: LatencyPredictor, document: dict[str, Any], repeat: int) -> list[Row]:
    """Where the time of one IR dict goes."""
    graph = to_graph(document, "nnmeter-ir")
    specs = {kernel.spec for kernel in detect(graph, predictor.rules)}
    read = median_seconds(lambda: to_graph(document, "nnmeter-ir"), repeat)
    cut = median_seconds(lambda: detect(graph, predictor.rules), repeat)
    forests = median_seconds(lambda: predictor.kernel_latencies(specs), repeat, before=predictor.clear_memo)
    return [
        row("- read the IR", read),
        row("- cut into kernels", cut),
        row(f"- features and forests of {len(specs)} different kernels", forests),
    ]


def sources(repeat: int) -> list[Row]:
    """Model files and objects to ms, nothing cached."""
    predictor = load_latency_predictor(DEVICES[0])
    rows = []
    example = Path(__file__).parents[1] / "examples" / "models" / "mobilenet_v2.onnx"

    def cold(work: str, model: Any, model_type: str, limit: float | None) -> None:
        predictor.predict(model, model_type)
        seconds = median_seconds(
            lambda: predictor.predict(model, model_type), repeat, before=predictor.clear_memo
        )
        rows.append(row(work, seconds, limit))

    cold("ONNX file of mobilenet_v2", str(example), "onnx", None)
    models = torchvision_models()
    if models is None:
        return rows
    import torch

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "resnet18.onnx")
        model = models.resnet18(weights=None).eval()
        torch.onnx.export(model, (torch.zeros(1, 3, 224, 224),), path, dynamo=False)
        cold("ONNX file of resnet18 (45 MB)", path, "onnx", 60)
    limits = {"resnet18": 250, "mobilenet_v3_large": 500, "densenet161": 1500}
    for name, limit in limits.items():
        cold(f"torch module {name}", getattr(models, name)(weights=None).eval(), "torch", limit)
    return rows


def batches(repeat: int) -> list[Row]:
    """1,000 different IR dicts in one call."""
    predictors = [load_latency_predictor(device) for device in DEVICES]
    documents = [to_document(graph) for graph in varied_mobilenets(1000)]

    def forget() -> None:
        for predictor in predictors:
            predictor.clear_memo()

    single = [predictors[0].predict(document, "nnmeter-ir") for document in documents[:20]]
    forget()
    assert np.allclose(single, predictors[0].predict_many(documents[:20], "nnmeter-ir"), rtol=1e-9)
    rows = []
    for count, limit in ((1, 1200), (4, 1800)):
        seconds = median_seconds(
            lambda count=count: predict_many(predictors[:count], documents, "nnmeter-ir"),
            repeat,
            before=forget,
        )
        rows.append(row(f"1,000 different IR dicts, {count} device{'s' * (count > 1)}", seconds, limit))
    return rows


if __name__ == "__main__":
    main()
