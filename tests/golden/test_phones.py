"""A few phones say about a few models what their golden file says; `pytest tests/golden --update-golden`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from predictor_core import load_latency_predictor
from tests.golden.models import MODELS

FILE = Path(__file__).parent / "phones.json"
NAMES = (
    "pixel4_cpu1med_fp32_tflite210",
    "s10_cpu4small_int8_torch20",
    "iphonexs_gpu_fp16_tflite210",
    "a03s_cpu1large_int8_tflite210",
    "iphone7_cpu2large_fp32_torch20",
)


def test_latencies(update_golden: bool) -> None:
    graphs = {name: make() for name, make in list(MODELS.items())[::6]}
    now = {
        name: {model: predictor.predict(graph) for model, graph in graphs.items()}
        for name in NAMES
        for predictor in [load_latency_predictor(name)]
    }
    if update_golden:
        FILE.write_text(json.dumps(now, indent=1) + "\n")
    golden = json.loads(FILE.read_text())
    assert golden.keys() == now.keys()
    for name in NAMES:
        assert now[name] == pytest.approx(golden[name], rel=1e-9)
