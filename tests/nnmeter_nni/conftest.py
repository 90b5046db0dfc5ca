"""What the tests of the NNI plugin share: which NNI is here, and predictors of several devices."""

from __future__ import annotations

import warnings
from importlib.util import find_spec

import pytest

from nnmeter_nni._nni import installed_major
from predictor_core import LatencyPredictor, learn_predictor, zoo

warnings.filterwarnings("ignore", module="nni")

#: Modules that need one major of NNI, or any; the others run everywhere.
NEEDS: dict[str, set[int]] = {
    "strategies/test_base": {2, 3},
    "strategies/test_evolution": {2, 3},
    "strategies/test_random": {2, 3},
    "strategies/test_sorted": {2, 3},
    "candidates/test_retiarii": {2},
    "space/test_retiarii": {2},
    "test_experiments_retiarii": {2},
    "test_hub_retiarii": {2},
    "candidates/test_nas": {3},
    "space/test_nas": {3},
    "test_profiler": {3},
    "test_experiments_nas": {3},
    "test_hub_nas": {3},
}
# Modules of another major can't even be imported.
collect_ignore = [f"{name}.py" for name, majors in NEEDS.items() if installed_major() not in majors]
# These need torch alone, which some environments are without.
if find_spec("torch") is None:
    collect_ignore += ["candidates/test_interpreter.py", "test_as_nn_meter.py", "test_filter.py"]


@pytest.fixture(scope="session")
def cpu(devices: list[LatencyPredictor]) -> LatencyPredictor:
    """Predictor of the CPU."""
    return devices[0]


@pytest.fixture(scope="session")
def learned(cpu: LatencyPredictor) -> LatencyPredictor:
    """A device that was learned from a few models."""
    pytest.importorskip("scipy")
    graphs = [zoo.build(name) for name in ("alexnet", "mobilenetv1", "mobilenetv2", "resnet18", "squeezenet")]
    latencies_ms = [0.6 * cpu.predict(graph) for graph in graphs]
    return learn_predictor(graphs, latencies_ms, name="learned", like=cpu)
