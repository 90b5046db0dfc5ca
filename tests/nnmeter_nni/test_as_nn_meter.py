from __future__ import annotations

import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from nnmeter_nni import install_as_nn_meter
from nnmeter_nni._nni import installed_major
from predictor_core import LatencyPredictor, PredictorError
from tests.nnmeter_nni.plain import SHAPE, chain

CPU = "cortexA76cpu_tflite21"


@pytest.fixture(autouse=True)
def _without_nn_meter() -> Iterator[None]:
    sys.modules.pop("nn_meter", None)
    yield
    sys.modules.pop("nn_meter", None)


def test_upstreams_names_are_served(cpu: LatencyPredictor) -> None:
    module = install_as_nn_meter()
    import nn_meter

    assert nn_meter is module
    assert install_as_nn_meter() is module
    model = chain(8)
    predictor = nn_meter.load_latency_predictor("CortexA76CPU_tflite21")
    expected = cpu.predict(model, "torch", input_shape=SHAPE)
    assert isinstance(predictor, nn_meter.nnMeterPredictor)
    assert predictor.predict(model, "torch", input_shape=SHAPE) == expected
    assert CPU in {entry["name"] for entry in nn_meter.list_latency_predictors()}
    graph = nn_meter.model_to_graph(model, "torch", input_shape=SHAPE)
    assert predictor.predict(graph, "nnmeter-ir") == pytest.approx(expected)


def test_the_real_one_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nn_meter", types.ModuleType("nn_meter"))
    with pytest.raises(PredictorError, match="imported already"):
        install_as_nn_meter()


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nnmeter_nni.as_nn_meter", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


@pytest.mark.parametrize("how", [("script.py",), ("-m", "script")])
def test_a_script_of_nn_meter_runs_unchanged(tmp_path: Path, how: tuple[str, ...]) -> None:
    (tmp_path / "helper.py").write_text("WORD = 'beside'\n")
    (tmp_path / "script.py").write_text(
        "import sys, helper\n"
        "from nn_meter import load_latency_predictor\n"
        "from nnmeter_nni import install_as_nn_meter\n"
        "install_as_nn_meter()\n"
        f"print(load_latency_predictor('{CPU}', 2.0), __name__, helper.WORD, sys.argv[1:])\n"
        "sys.exit(3)\n"
    )
    done = run(*how, "--flag", "x", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert done.stdout == f"LatencyPredictor('{CPU}', version '2.0') __main__ beside ['--flag', 'x']\n"


@pytest.mark.parametrize("arguments", [(), ("-m",), ("none.py",)])
def test_nothing_to_run_is_wrong_usage(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "usage: python -m nnmeter_nni.as_nn_meter SCRIPT" in done.stderr


@pytest.mark.skipif(installed_major() != 2, reason="NNI 2.10's ProxylessNAS estimator")
def test_the_estimator_of_nni_2_runs_on_it() -> None:
    install_as_nn_meter()
    from nni.retiarii.oneshot.pytorch.proxyless import HardwareLatencyEstimator

    from tests.nnmeter_nni.spaces2 import Mixed

    estimator = HardwareLatencyEstimator(CPU, Mixed(), dummy_input=(1, 3, 32, 32), dump_lat_table=None)
    table = estimator.block_latency_table
    assert set(table) == {"first", "second", "act", "stationary_block"}
    # NNI knows the latency only of candidates that are more than one module.
    assert table["second"]["block"] > 0
    assert table["stationary_block"]["root"] > 0
    chosen = {"first": "1", "second": "block", "act": "0"}
    assert estimator.export_latency(chosen) == pytest.approx(
        table["stationary_block"]["root"] + sum(table[label][value] for label, value in chosen.items())
    )
