from __future__ import annotations

from pathlib import Path

import pytest

from predictor_core.errors import ModelFormatError
from predictor_core.learning.bench import graph_of, read_latencies, read_measured

from .conftest import DEVICE


def test_only_measured_models_are_read(measurements: Path) -> None:
    models = list(read_measured(measurements))
    assert len(models) == 3 * 59
    assert "deep_7" not in {model.id for model in models}
    assert all(model.latency_ms[DEVICE] > 0 for model in models)


def test_repeated_architectures_share_a_group(measurements: Path) -> None:
    groups = {model.id: model.group for model in read_measured(measurements)}
    assert groups["flat_59"] == groups["flat_0"] == "flat_0"
    assert groups["flat_1"] == "flat_1"


def test_a_folder_without_measurements_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match=r"latency_ms\.csv"):
        read_latencies(tmp_path)


def test_records_become_nodes_with_explicit_padding() -> None:
    conv = {
        "ks": [3, 3],
        "strides": [2, 2],
        "padding": "SAME",
        "cin": 4,
        "cout": 4,
        "groups": 4,
        "bias": False,
    }
    graph = graph_of(
        {
            "id": "m",
            "family": "f",
            "ops": [
                ["input", "input", [], {}, [1, 8, 8, 4]],
                ["dwconv", "d", ["input"], conv, [1, 4, 4, 4]],
                ["split", "s", ["d"], {"axis": 3, "num": 2}, [1, 4, 4, 2]],
                ["concat", "c", ["s:1", "s:0"], {"axis": 3}, [1, 4, 4, 4]],
                ["add", "a", ["c"], {"const": 3.0}, [1, 4, 4, 4]],
            ],
        }
    )
    assert graph["d"].attrs["pads"] == (0, 0, 1, 1)
    assert graph["d"].attrs["groups"] == 4
    assert graph["s"].outputs == ((1, 4, 4, 2), (1, 4, 4, 2))
    assert graph["c"].inputs == ("s:1", "s:0")
    assert graph["a"].attrs["const"] == 3.0
