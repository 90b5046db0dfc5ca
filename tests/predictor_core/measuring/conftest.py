"""Small models that runtimes run in a moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictor_core import zoo
from predictor_core.ir.graph import Graph


@pytest.fixture(scope="session")
def small_graph() -> Graph:
    return zoo.build("squeezenet", input_shape=(1, 32, 32, 3), classes=10)


@pytest.fixture(scope="session")
def small_model(small_graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnx")
    from predictor_core.frontends.onnx.writing import graph_to_onnx

    path = tmp_path_factory.mktemp("models") / "small.onnx"
    path.write_bytes(graph_to_onnx(small_graph).SerializeToString())
    return path
