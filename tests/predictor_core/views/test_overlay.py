from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from predictor_core import load_latency_predictor
from predictor_core.views.overlay import overlay
from tests.golden.reports import phone

ROOT = Path(__file__).resolve().parents[3]


def test_the_nodes_sum_to_the_latency_of_the_kernels() -> None:
    report = phone()
    results = overlay(report)["results"]
    assert sum(one["value"] for one in results.values()) == report.latency_ms - report.overhead_ms
    assert results["relu1"] == {"value": 0.0}


def test_nodes_are_called_as_in_the_onnx_file() -> None:
    onnx = pytest.importorskip("onnx")
    path = ROOT / "examples" / "models" / "mobilenet_v2.onnx"
    names = {node.name for node in onnx.load(str(path), load_external_data=False).graph.node}
    found = overlay(load_latency_predictor("adreno640gpu_tflite21").profile(path))["results"]
    costly = {name for name, one in found.items() if one["value"] > 0.0}
    assert len(costly) > 50
    assert costly <= names


def test_nodes_are_called_as_tensors_of_the_tflite_file(tmp_path: Path) -> None:
    content = gzip.decompress((ROOT / "tests" / "fixtures" / "tflite" / "resnet50.tflite.gz").read_bytes())
    path = tmp_path / "resnet50.tflite"
    path.write_bytes(content)
    found = overlay(load_latency_predictor("cortexA76cpu_tflite21").profile(path))["results"]
    costly = [name for name, one in found.items() if one["value"] > 0.0]
    assert costly
    assert all(name.encode() in content for name in costly)
