from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from predictor_core import load_latency_predictor
from predictor_core.cli.main import main
from predictor_core.frontends.tflite import tensor_names
from predictor_core.views.overlay import overlay
from tests.golden.reports import phone

ROOT = Path(__file__).resolve().parents[3]
CPU = "cortexA76cpu_tflite21"


def unpacked(name: str, folder: Path) -> Path:
    path = folder / f"{name}.tflite"
    path.write_bytes(
        gzip.decompress((ROOT / "tests" / "fixtures" / "tflite" / f"{path.name}.gz").read_bytes())
    )
    return path


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


TFLITE = ("mobilenet_v2_float", "mobilenet_v2_int8", "keyword_spotter", "torch_vit_b_32")


@pytest.mark.parametrize("name", TFLITE)
def test_nodes_are_called_as_tensors_of_the_tflite_file(name: str, tmp_path: Path) -> None:
    path = unpacked(name, tmp_path)
    found = overlay(load_latency_predictor(CPU).profile(path), tensor_names(path))["results"]
    costly = [key.encode() for key, one in found.items() if one["value"] > 0.0]
    assert costly
    # Strings of a flatbuffer have their length before them and a zero behind them.
    content = path.read_bytes()
    assert [key for key in costly if len(key).to_bytes(4, "little") + key + b"\0" not in content] == []


@pytest.mark.parametrize("name", TFLITE)
def test_the_command_writes_what_the_functions_return(name: str, tmp_path: Path) -> None:
    path, written = unpacked(name, tmp_path), tmp_path / "overlay.json"
    assert main(["predict", str(path), "--predictor", CPU, "--overlay", str(written)]) == 0
    report = load_latency_predictor(CPU).profile(path)
    assert json.loads(written.read_text()) == overlay(report, tensor_names(path))


@pytest.mark.parametrize("name", TFLITE)
def test_model_explorer_finds_every_node(name: str, tmp_path: Path) -> None:
    explorer = pytest.importorskip("model_explorer.builtin_tflite_flatbuffer_adapter")
    path = unpacked(name, tmp_path)
    converted = explorer.BuiltinTfliteFlatbufferAdapter().convert(str(path), {})
    graphs = [graph for one in converted["graphCollections"] for graph in one.graphs]
    outputs = [
        output for graph in graphs for node in graph["nodes"] for output in node.get("outputsMetadata", ())
    ]
    known = {
        attribute["value"]
        for output in outputs
        for attribute in output["attrs"]
        if attribute["key"] == "tensor_name"
    }
    found = overlay(load_latency_predictor(CPU).profile(path), tensor_names(path))["results"]
    assert set(found) <= known


def test_model_explorer_reads_it() -> None:
    builder = pytest.importorskip("model_explorer.node_data_builder")
    given = overlay(phone())
    data = builder.GraphNodeData(
        results={name: builder.NodeDataResult(**one) for name, one in given["results"].items()},
        name=given["name"],
        gradient=[builder.GradientItem(**stop) for stop in given["gradient"]],
    )
    written = json.loads(data.to_json_string())
    assert {key: written[key] for key in given} == given
