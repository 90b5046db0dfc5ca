"""Processes that infer shapes: kept, replaced when they end, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from predictor_core.frontends.onnx import workers
from predictor_core.frontends.onnx.workers import Inferred
from tests.onnx_factory import OnnxModel, onnx

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")

MEMORY = 2**30


def chain(length: int = 1) -> bytes:
    model = OnnxModel((1, 3, 8, 8))
    tensor = "x"
    for _ in range(length):
        tensor = model("Relu", tensor)
    return bytes(model.proto().SerializeToString())


def ask(content: bytes | None = None, memory: int = MEMORY, seconds: float = 5.0) -> Inferred:
    return workers.ask(chain() if content is None else content, False, memory, seconds)


def process() -> int:
    """The process that answers the next request."""
    ask()
    return workers._IDLE[-1]._process.pid


def test_shapes_come_back_and_the_process_stays() -> None:
    before = process()
    done = ask(chain(3))
    graph = onnx.GraphProto.FromString(done.graph)

    assert not done.error
    assert len(graph.value_info) == 2
    assert not graph.node
    assert process() == before


def test_what_onnx_refuses_is_told() -> None:
    before = process()

    model = onnx.ModelProto.FromString(chain())
    del model.opset_import[:]
    assert "opset import" in ask(model.SerializeToString()).error
    assert process() == before


def test_a_process_that_has_ended_is_replaced() -> None:
    before = process()
    os.kill(before, signal.SIGKILL)

    assert not ask().error
    assert process() != before


def test_a_model_that_takes_too_much_ends_the_process_and_nothing_else() -> None:
    assert "too much" in ask(chain(3000), memory=2**20).error
    assert not ask().error


def doubling(times: int) -> bytes:
    """A model whose function calls another twice, and that one another, and so on."""
    h = onnx.helper
    opsets = [h.make_opsetid("", 17), h.make_opsetid("own", 1)]
    functions = [h.make_function("own", "f0", ["a"], ["b"], [h.make_node("Relu", ["a"], ["b"])], opsets)]
    for i in range(times):
        calls = [h.make_node(f"f{i}", *ends, domain="own") for ends in ((["a"], ["m"]), (["m"], ["b"]))]
        functions.append(h.make_function("own", f"f{i + 1}", ["a"], ["b"], calls, opsets))
    x, y = (h.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy")
    graph = h.make_graph([h.make_node(f"f{times}", ["x"], ["y"], domain="own")], "doubling", [x], [y])
    model = h.make_model(graph, functions=functions, opset_imports=opsets, ir_version=8)
    return bytes(model.SerializeToString())


def test_a_model_that_uses_up_its_time_is_not_tried_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    ask()
    begun: list[int] = []

    class Counted(workers._Worker):
        def __init__(self) -> None:
            super().__init__()
            begun.append(self._process.pid)

    monkeypatch.setattr(workers, "_Worker", Counted)
    # A busy machine gives it that time in minutes.
    monkeypatch.setattr(workers, "_PATIENCE", 1000)
    assert "too much" in ask(doubling(30), seconds=0.1).error
    assert not begun
    assert not ask().error
    assert len(begun) == 1


def test_a_process_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    before = process()
    os.kill(before, signal.SIGSTOP)
    patience = workers._PATIENCE

    class Patient(workers._Worker):
        def __init__(self) -> None:
            super().__init__()
            monkeypatch.setattr(workers, "_PATIENCE", patience)

    monkeypatch.setattr(workers, "_Worker", Patient)
    monkeypatch.setattr(workers, "_PATIENCE", 0.1)

    assert not ask().error
    assert process() != before


def test_threads_ask_at_once() -> None:
    with ThreadPoolExecutor(4) as pool:
        sizes = list(range(1, 13))
        found = list(pool.map(lambda size: ask(chain(size)), sizes))

    assert [len(onnx.GraphProto.FromString(done.graph).value_info) + 1 for done in found] == sizes


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_leaves_the_process_of_its_parent_alone() -> None:
    before = process()
    child = os.fork()
    if not child:
        status = 1
        try:
            status = int(bool(ask().error) or process() == before)
            workers._IDLE.clear()
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert process() == before


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc")
def test_it_ends_with_its_parent() -> None:
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); "
        "from tests.predictor_core.frontends.onnx.test_workers import process; "
        "print(process(), flush=True); time.sleep(100)"
    )
    root = str(Path(__file__).parents[4])
    parent = subprocess.Popen([sys.executable, "-c", code, root], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = Path("/proc", parent.stdout.readline().strip(), "stat")
    assert worker.exists()
    parent.kill()
    parent.stdout.close()
    parent.wait()

    end_s = time.monotonic() + 60
    while worker.exists() and time.monotonic() < end_s:
        time.sleep(0.1)
    assert not worker.exists()
