"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest

from predictor_core import LatencyPredictor, load_latency_predictor
from tests.devices import DEVICES

ROOT = Path(__file__).resolve().parents[1]

# The same examples in every run, however busy the machine is. Not every environment needs hypothesis.
with suppress(ImportError):
    from hypothesis import HealthCheck, settings

    settings.register_profile(
        "repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch that accepts what the code says now."""
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files of tests/golden")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Look for doctests in the packages, not in scripts and helpers of the tests."""
    helper = collection_path.suffix == ".py" and not collection_path.name.startswith("test_")
    return True if helper else None


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Collect a file of tests once, as tests.

    As doctests, files that can't be imported are skipped, and what was imported of them by then would be
    taken for the whole: their tests would be missing, with nothing said.
    """
    found = yield
    return [collector for collector in found if type(collector).__name__ != "DoctestModule"]


@pytest.fixture(scope="session")
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be rewritten."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the public measurements, or a skip where it is absent.

    ``NNMETER_SHARED_DATA`` names it; by default it is looked for beside the checkout.
    """
    folder = Path(os.environ.get("NNMETER_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the public measurements are not at {folder}; set NNMETER_SHARED_DATA to test with them")
    return folder


@pytest.fixture(scope="session")
def devices() -> list[LatencyPredictor]:
    """Predictors of nn-Meter's four devices."""
    return [load_latency_predictor(name) for name in DEVICES]


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the user's own registered predictors out of the tests, and the tests out of them."""
    home = tmp_path_factory.mktemp("nn_meter_home")
    monkeypatch.setenv("NN_METER_HOME", str(home))
    return home
