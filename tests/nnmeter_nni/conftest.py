"""What the tests of the NNI plugin share: which NNI is here, and predictors of several devices."""

from __future__ import annotations

import warnings

import pytest

from nnmeter_nni._nni import installed_major
from predictor_core import LatencyPredictor, load_latency_predictor

warnings.filterwarnings("ignore", module="nni")

#: Modules that need one major of NNI, or any; the others run everywhere.
NEEDS: dict[str, set[int]] = {
    "strategies/test_base": {2, 3},
    "strategies/test_evolution": {2, 3},
    "strategies/test_random": {2, 3},
    "strategies/test_sorted": {2, 3},
    "test_candidates_retiarii": {2},
    "space/test_retiarii": {2},
    "test_experiments_retiarii": {2},
    "test_hub_retiarii": {2},
    "test_candidates_nas": {3},
    "space/test_nas": {3},
    "test_profiler": {3},
    "test_experiments_nas": {3},
    "test_hub_nas": {3},
}
# Modules of another major can't even be imported.
collect_ignore = [f"{name}.py" for name, majors in NEEDS.items() if installed_major() not in majors]

DEVICES = (
    "cortexA76cpu_tflite21",
    "adreno640gpu_tflite21",
    "adreno630gpu_tflite21",
    "myriadvpu_openvino2019r2",
)


@pytest.fixture(scope="session")
def devices() -> list[LatencyPredictor]:
    """Predictors of all four devices."""
    return [load_latency_predictor(name) for name in DEVICES]


@pytest.fixture(scope="session")
def cpu(devices: list[LatencyPredictor]) -> LatencyPredictor:
    """Predictor of the CPU."""
    return devices[0]
