"""What CONTRIBUTING.md shows works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from predictor_core import load_latency_predictor
from predictor_core.kernels import KernelSpec, cost, unregister_op

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^## (.*?)\n.*?```python\n(.*?)```", TEXT, flags=re.S | re.M))


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    unregister_op("FFT")


def run(title: str) -> dict[str, object]:
    names: dict[str, object] = {}
    exec(compile(BLOCKS[title], f"CONTRIBUTING.md: {title}", "exec"), names)  # noqa: S102 - our own text
    return names


def test_an_op_has_the_cost_that_was_registered() -> None:
    run("Add an op")
    assert cost(KernelSpec("FFT", "FFT", ((1, 128),), (1, 128))).macs == 5.0 * 128


def test_a_front_end_makes_graphs_that_have_a_latency() -> None:
    names = run("Add a front end")
    assert [node.op for node in names["graph"]] == ["input", "fc", "fc"]  # type: ignore[attr-defined]
    assert load_latency_predictor("cortexA76cpu_tflite21").predict(names["graph"]) > 0.0


def test_a_device_is_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("scipy")
    monkeypatch.chdir(tmp_path)
    names = run("Add a device")
    ratio = names["mine"].predict_many(names["models"]) / names["measured_ms"]  # type: ignore[attr-defined]
    assert abs(ratio - 1.0).max() < 0.1
    assert (tmp_path / "mydevice" / "header.json").is_file()


def test_what_it_names_exists() -> None:
    paths = re.findall(r"`((?:docs|predictor_core|nnmeter_nni|tests|\.ci)/[\w./]*)`", TEXT)
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []
