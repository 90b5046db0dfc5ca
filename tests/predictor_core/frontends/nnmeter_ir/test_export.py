"""Models of every format are exported as nn-Meter IR documents that read back to the same Graph."""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from predictor_core import PredictorError, model_file_to_graph, model_to_graph
from predictor_core.frontends.nnmeter_ir import dump, load
from predictor_core.frontends.tensorflow import load as load_tensorflow

FIXTURE = Path(__file__).resolve().parents[3] / "fixtures" / "tensorflow" / "tf1_frozen.pb.gz"

DOCUMENT: dict[str, Any] = {
    "x": {"attr": {"type": "Placeholder", "attr": {"shape": [1, 8, 8, 3]}}},
    "y": {"inbounds": ["x"], "attr": {"type": "Relu"}},
}


def test_tensorflow_file(tmp_path: Path) -> None:
    file = tmp_path / "model.pb"
    file.write_bytes(gzip.decompress(FIXTURE.read_bytes()))
    document = model_file_to_graph(str(file), "pb")
    for name, node in document.items():
        assert set(node) == {"inbounds", "attr", "outbounds"}
        assert {"name", "type", "attr", "input_shape", "output_shape"} <= set(node["attr"])
        assert node["attr"]["name"] == name
        assert all(name in document[source]["outbounds"] for source in node["inbounds"])
    assert load(json.loads(json.dumps(document))) == load_tensorflow(file)


def test_document_file_is_returned_as_written(tmp_path: Path) -> None:
    file = tmp_path / "model.json"
    dump(DOCUMENT, file)
    assert model_file_to_graph(file, "nnmeter-ir") == DOCUMENT


def test_document_is_checked_and_not_changed() -> None:
    document = copy.deepcopy(DOCUMENT)
    assert model_to_graph(document, "nnmeter-ir") == DOCUMENT
    assert document == DOCUMENT
    document["y"]["inbounds"] = ["nobody"]
    with pytest.raises(PredictorError, match="nobody"):
        model_to_graph(document, "nnmeter-ir")


def test_torch_module() -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, 2, 1), torch.nn.BatchNorm2d(8), torch.nn.ReLU())
    document = model_to_graph(module, "torch", input_shape=(1, 3, 32, 32))
    assert [node["attr"]["type"] for node in document.values()] == ["Placeholder", "Conv2D", "Relu"]
    assert load(document).nodes[-1].shape == (1, 16, 16, 8)


def test_wrong_arguments() -> None:
    with pytest.raises(PredictorError, match="filename must be a path"):
        model_file_to_graph(DOCUMENT, "nnmeter-ir")  # type: ignore[arg-type]
    with pytest.raises(PredictorError, match="expected one of"):
        model_to_graph(DOCUMENT, "caffe")
