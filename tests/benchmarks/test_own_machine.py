"""The models of the benchmark are built by the names that its kept rows have."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def own_machine() -> ModuleType:
    sys.path.insert(0, str(FOLDER))
    try:
        spec = importlib.util.spec_from_file_location("own_machine", FOLDER / "own_machine.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(FOLDER))
    return module


def test_models_are_built_by_name(own_machine: ModuleType) -> None:
    for name, built in (
        ("mobilenetv1", "mobilenetv1"),
        ("squeezenet_v19", "squeezenet_v19"),
        ("008_proxylessnas_v30", "proxylessnas_v30"),
    ):
        assert own_machine.network(name).name == built
