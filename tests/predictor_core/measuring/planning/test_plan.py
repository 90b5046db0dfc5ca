"""Plans as folders, and the script that times them on a phone, with a stand-in for adb."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from predictor_core import zoo
from predictor_core.errors import PredictorError
from predictor_core.ir.graph import Graph
from predictor_core.measuring.logs import read_log
from predictor_core.measuring.planning.folder import PHONE_SCRIPT, PLAN_FILE, read_plan, write_plan
from predictor_core.measuring.planning.plan import Planned, make_plan
from predictor_core.measuring.planning.pool import variants
from predictor_core.measuring.planning.space import space_samples
from predictor_core.zoo.variants import variant


@pytest.fixture(scope="module")
def pool() -> list[Graph]:
    return [
        variant(family, seed) for family in ("mobilenetv2", "nasbench201", "squeezenet") for seed in range(4)
    ]


@pytest.fixture(scope="module")
def targets() -> list[Graph]:
    return [zoo.build(name) for name in ("mobilenetv2", "squeezenet")]


def test_a_plan_is_made_of_candidates(pool: list[Graph], targets: list[Graph]) -> None:
    plan = make_plan(5, candidates=pool, targets=targets)
    assert len({each.name for each in plan}) == 5
    assert {each.name for each in plan} <= {graph.name for graph in pool}
    assert all(each.source_ms > 0.0 for each in plan)
    errors = [each.deviation for each in plan]
    assert errors == sorted(errors, reverse=True)
    assert [each.name for each in make_plan(2, candidates=pool, targets=targets)] == [
        e.name for e in plan[:2]
    ]


def test_names_are_names_of_files(targets: list[Graph]) -> None:
    graph = zoo.build("squeezenet", input_shape=(1, 32, 32, 3))
    same = [Graph(graph.nodes, name) for name in ("a/b c", "a_b_c", "")]
    assert {each.name for each in make_plan(9, candidates=same, targets=targets)} == {
        "a_b_c",
        "a_b_c_2",
        "model",
    }


def test_what_can_not_be_planned(pool: list[Graph], targets: list[Graph]) -> None:
    with pytest.raises(PredictorError, match="at least one model, got 0"):
        make_plan(0, candidates=pool, targets=targets)
    with pytest.raises(PredictorError, match="got none"):
        make_plan(3, candidates=[], targets=targets)


def test_variants_are_repeatable_and_differ() -> None:
    first, again = list(variants(2)), list(variants(2))
    assert first == again
    assert len({graph.name for graph in first}) == len(first) == 2 * len(zoo.families())
    assert variant("resnet", 1).nodes != variant("resnet", 2).nodes


@pytest.fixture
def folder(tmp_path: Path, pool: list[Graph], targets: list[Graph]) -> Path:
    pytest.importorskip("onnx")
    small = [graph for graph in pool if graph.name.startswith("nasbench201")]
    write_plan(make_plan(3, candidates=small, targets=targets), tmp_path / "plan")
    return tmp_path / "plan"


def test_a_plan_is_a_folder(folder: Path) -> None:
    names = read_plan(folder)
    assert len(names) == 3
    for name in names:
        assert (folder / f"{name}.onnx").stat().st_size < 2**20
    assert os.access(folder / PHONE_SCRIPT, os.X_OK)
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_tflite_files_are_written_where_litert_is_installed(folder: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    assert {path.stem for path in folder.glob("*.tflite")} == set(read_plan(folder))


def test_a_list_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "plan.csv").write_text("name,ms\nx,1\n")
    with pytest.raises(PredictorError, match="not the list of a plan"):
        read_plan(tmp_path)


# Keeps a phone in the folder $PHONE: what is pushed goes there, and benchmark_model is played. Each call is
# written down. After $CALLS benchmarks the phone is gone.
ADB = r"""#!/bin/sh
echo "$@" >>"$PHONE/calls"
[ -f "$PHONE/gone" ] && { echo "error: no devices/emulators found" >&2; exit 1; }
case $1 in
  get-state) echo device ;;
  push) mkdir -p "$PHONE$3" && cp "$2" "$PHONE$3" ;;
  shell)
    case $2 in
      mkdir*) mkdir -p "$PHONE/data/local/tmp/nn-meter" ;;
      rm*|chmod*) ;;
      *benchmark_model*)
        model=${2##*--graph=} model=${model%% *}
        [ -f "$PHONE$model" ] || { echo "Failed to load $model"; exit 1; }
        runs=$(cat "$PHONE/runs" 2>/dev/null || echo 0)
        [ "$runs" -ge "${CALLS:-99}" ] && { touch "$PHONE/gone"; exit 255; }
        echo $((runs + 1)) >"$PHONE/runs"
        case $model in *"${BROKEN:-nothing}"*) echo "ERROR: Failed to allocate tensors!"; exit 0 ;; esac
        echo "INFO: STARTING!"
        echo "INFO: Graph: [$model]"
        echo "INFO: #threads used for CPU inference: [1]"
        echo "INFO: count=121 first=8298 curr=8244 min=8032 max=8611 avg=8251.08 std=98"
        echo "INFO: Inference timings in us: Init: 5, Warmup (avg): 8300, Inference (avg): 8251.08"
        cat >/dev/null ;;
    esac ;;
esac
"""


class Phone:
    def __init__(self, folder: Path, tmp_path: Path) -> None:
        if shutil.which("sh") is None:
            pytest.skip("the script needs a POSIX shell")
        self.folder = folder
        self.root = tmp_path / "phone"
        self.root.mkdir()
        self.adb = tmp_path / "adb"
        self.adb.write_text(ADB)
        self.adb.chmod(0o755)
        self.tool = tmp_path / "benchmark_model"
        self.tool.touch()
        for name in read_plan(folder):
            (folder / f"{name}.tflite").touch()

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "ADB": str(self.adb), "PHONE": str(self.root), "PAUSE": "0", **variables}
        command = [str(self.folder / PHONE_SCRIPT), *(arguments or (str(self.tool),))]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    @property
    def calls(self) -> list[str]:
        return (self.root / "calls").read_text().splitlines()


@pytest.fixture
def phone(folder: Path, tmp_path: Path) -> Phone:
    return Phone(folder, tmp_path)


def test_the_script_times_a_plan_in_its_order(phone: Phone) -> None:
    done = phone.run(THREADS="2", CPUS="80", OPTIONS="--use_xnnpack=true")
    assert done.returncode == 0, done.stderr
    names = read_plan(phone.folder)
    timed = [call for call in phone.calls if "--graph" in call]
    assert [
        call.partition("nn-meter/")[2].partition("--graph=")[2].split("/")[-1].split(".")[0] for call in timed
    ] == names
    assert all(
        "taskset 80" in call and "--num_threads=2" in call and "--use_xnnpack=true" in call for call in timed
    )
    assert [line.split(":")[0] for line in done.stdout.splitlines()[:3]] == names
    for name in names:
        (logged,) = read_log(phone.folder / "logs" / f"{name}.log")
        assert logged.latency_ms == pytest.approx(8.25108)
        assert logged.model.endswith(f"/{name}.tflite")


def test_the_script_goes_on_after_the_phone_was_gone(phone: Phone) -> None:
    first = phone.run(CALLS="1")
    assert first.returncode == 1
    assert "the phone is gone; connect it and run this again" in first.stderr
    assert len(list((phone.folder / "logs").glob("*.log"))) == 1
    (phone.root / "gone").unlink()
    assert phone.run().returncode == 0
    assert len(list((phone.folder / "logs").glob("*.log"))) == 3
    # The one that was done is not timed again: the one that was cut short is.
    assert sum("--graph" in call for call in phone.calls) == 4


def test_a_model_that_fails_does_not_stop_the_script(phone: Phone) -> None:
    broken = read_plan(phone.folder)[0]
    done = phone.run(BROKEN=f"{broken}.tflite")
    assert done.returncode == 1
    assert f"{broken}: failed, see logs/{broken}.part" in done.stderr
    assert "2 models are timed, 1 failed" in done.stdout


def test_the_script_says_what_is_missing(phone: Phone) -> None:
    assert "name the benchmark_model" in phone.run("absent").stderr
    (phone.root / "gone").touch()
    assert "no phone; see" in phone.run().stderr


def test_samples_of_a_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_space_module.py").write_text(
        "from predictor_core import zoo\n"
        "def model(random):\n"
        "    width = random.choice([8, 16, 24])\n"
        "    shape = (1, 32, 32, 3)\n"
        "    return zoo.build('squeezenet', channels=[width] * 8, squeeze=[4] * 8, input_shape=shape)\n"
        "number = 3\n"
    )
    samples = space_samples("own_space_module:model", count=6)
    assert [graph.name for graph in samples] == [f"model_{i}" for i in range(6)]
    assert samples == space_samples("own_space_module:model", count=6)
    assert len({str(graph.nodes) for graph in samples}) > 1
    for name, message in {
        "own_space_module": "a space is named module:Class",
        "absent_module:X": "can't import the module 'absent_module'",
        "own_space_module:X": "has no 'X'",
        "own_space_module:number": "neither a model space nor a function",
        "os:getcwd": "can't make a model from a random.Random",
    }.items():
        with pytest.raises(PredictorError, match=message):
            space_samples(name)


def test_planned_models_are_what_was_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    graph = zoo.build("squeezenet", input_shape=(1, 32, 32, 3))
    write_plan([Planned("one", graph, 1.5, 0.25)], tmp_path)
    assert read_plan(tmp_path) == ["one"]
    assert (tmp_path / PLAN_FILE).read_text() == "name,source_ms,expected_error\none,1.5,0.25\n"
