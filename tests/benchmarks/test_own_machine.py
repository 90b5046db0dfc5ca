"""The models of the benchmark are built by the names that its kept rows have."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from tests.scripts import load_script

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def own_machine() -> ModuleType:
    return load_script("benchmarks/own_machine.py")


def test_models_are_built_by_name(own_machine: ModuleType) -> None:
    for name, built in (
        ("mobilenetv1", "mobilenetv1"),
        ("squeezenet_v19", "squeezenet_v19"),
        ("008_proxylessnas_v30", "proxylessnas_v30"),
    ):
        assert own_machine.network(name).name == built
