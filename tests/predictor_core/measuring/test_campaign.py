"""Many models into one file, with interruptions."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")

from predictor_core.errors import PredictorError
from predictor_core.measuring.campaign import listed_models, measure_models
from predictor_core.measuring.measurements import read_measurements
from predictor_core.measuring.pace import Pace
from predictor_core.measuring.runtimes import find

BUDGET_S = 0.02


def calm() -> Pace:
    return Pace(lambda: 1.0)


@pytest.fixture
def models(tmp_path: Path, small_model: Path) -> list[str]:
    folder = tmp_path / "models"
    folder.mkdir()
    return [str(shutil.copy(small_model, folder / f"{name}.onnx")) for name in "abc"]


def test_a_file_is_gone_on_with(tmp_path: Path, models: list[str]) -> None:
    output = tmp_path / "results" / "m.csv"
    running = measure_models(models, output, budget_s=BUDGET_S, pace=calm())
    assert next(running).measurement is not None
    # As Ctrl-C does.
    running.close()
    (row,) = read_measurements(output)
    assert row.model == str(output.parent / "../models/a.onnx")
    outcomes = list(measure_models(models, output, budget_s=BUDGET_S, pace=calm()))
    assert [each.measurement is None for each in outcomes] == [True, False, False]
    rows = read_measurements(output)
    assert len(rows) == 3
    assert rows[0].latency_ms == row.latency_ms
    assert rows[0].environment.startswith("onnxruntime ")
    assert rows[0].environment.endswith("1 thread, fp32")


def test_other_threads_are_another_environment(tmp_path: Path, models: list[str]) -> None:
    output = tmp_path / "m.csv"
    for threads in (1, 2):
        for outcome in measure_models(models[:1], output, threads=threads, budget_s=BUDGET_S, pace=calm()):
            assert outcome.measurement is not None
    assert len({row.environment for row in read_measurements(output)}) == 2


def test_a_model_that_fails_does_not_stop_the_others(tmp_path: Path, models: list[str]) -> None:
    Path(models[1]).write_bytes(b"broken")
    output = tmp_path / "m.csv"
    outcomes = list(measure_models(models, output, budget_s=BUDGET_S, pace=calm()))
    assert [each.error is None for each in outcomes] == [True, False, True]
    assert len(read_measurements(output)) == 2


def test_the_time_for_all_models_holds(models: list[str]) -> None:
    now = iter([0.0, 1.0, 50.0, 70.0])
    outcomes = list(
        measure_models(models, None, budget_s=BUDGET_S, total_s=60.0, pace=calm(), clock=lambda: next(now))
    )
    assert len(outcomes) == 2


def test_models_that_other_work_slowed_are_timed_again(tmp_path: Path, models: list[str]) -> None:
    naps = 0

    def sleep(seconds: float) -> None:
        nonlocal naps
        naps += 1

    # The first model waits for 0.1 s, that is five naps; the processor is free after the first of the second.
    pace = Pace(lambda: 2.0 if started and naps <= 5 else 1.0, sleep)
    started = False
    pace.is_full()
    started = True
    output = tmp_path / "m.csv"
    outcomes = list(measure_models(models, output, budget_s=BUDGET_S, wait_s=0.1, pace=pace))
    assert [Path(outcome.model).stem for outcome in outcomes] == ["b", "c", "a"]
    assert not any(outcome.measurement.is_slowed for outcome in outcomes if outcome.measurement)
    assert len(read_measurements(output)) == 3


def test_repeats_come_one_after_the_other_and_are_gone_on_with(tmp_path: Path, models: list[str]) -> None:
    Path(models[1]).write_bytes(b"broken")
    output = tmp_path / "m.csv"
    running = measure_models(models, output, budget_s=BUDGET_S, repeats=2, pace=calm())
    # What can't be read is not tried again.
    assert [Path(next(running).model).stem for _ in range(4)] == ["a", "b", "c", "a"]
    running.close()
    outcomes = list(measure_models(models, output, budget_s=BUDGET_S, repeats=3, pace=calm()))
    timed = [Path(each.model).stem for each in outcomes if each.measurement is not None]
    assert timed == ["c", "a", "c"]
    assert [Path(row.model).stem for row in read_measurements(output)] == ["a", "c", "a", "c", "a", "c"]


def test_folders_are_listed(tmp_path: Path, models: list[str]) -> None:
    runtime = find("onnxruntime")
    folder = Path(models[0]).parent
    assert listed_models([str(folder), models[0], "resnet18"], runtime) == [*models, "resnet18"]
    (folder / "a.tflite").touch()
    (folder / "plan.csv").write_text("name,source_ms,expected_error\nc,1,0.5\na,2,0.25\nabsent,1,0.2\n")
    assert listed_models([str(folder)], runtime) == [models[2], models[0]]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(PredictorError, match="no model in the folder that onnxruntime runs"):
        listed_models([str(empty)], runtime)
