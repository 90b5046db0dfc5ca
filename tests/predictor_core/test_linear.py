"""Twice the nodes take twice the steps, whatever hangs together with what.

Counted are instructions of the interpreter, so that the numbers are the same on every machine.
"""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from predictor_core import load_latency_predictor
from predictor_core.frontends.reading import to_graph
from predictor_core.fusion.context import pair_up
from predictor_core.kernels.spec import KernelSpec
from tests.onnx_factory import OnnxModel

#: Most that a doubling may take.
MOST = 2.3


def instructions(work: Callable[[], object]) -> int:
    """Count what the interpreter executes."""
    count = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal count
        frame.f_trace_lines = False
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def growth(work: Callable[[int], object], size: int) -> float:
    """Return how often the steps of n more fit into those of 2 n more."""
    first, second, third = (instructions(lambda n=n: work(n)) for n in (size, 2 * size, 4 * size))
    return (third - second) / (second - first)


def chain(n: int) -> Any:
    model = OnnxModel((1, 1, 2, 2))
    tensor = "x"
    for _ in range(n):
        tensor = model("Relu", tensor)
    return model.proto()


def same_names(n: int) -> Any:
    proto = chain(n)
    for node in proto.graph.node:
        node.name = "a"
    return proto


def concat_chain(n: int) -> Any:
    model = OnnxModel((1, 1, 2, 2))
    tensor = "x"
    for _ in range(n):
        tensor = model("Concat", tensor, "x", axis=1)
    return model.proto()


def concat_of(op: str, *more: int, **attrs: Any) -> Callable[[int], Any]:
    def make(n: int) -> Any:
        model = OnnxModel((1, 2, 2, 2))
        shape = [model.ints(*more)] if more else []
        parts = [model(op, "x", *shape, **attrs) for _ in range(n)]
        model("Concat", *parts, axis=1)
        return model.proto()

    return make


def normed(n: int) -> Any:
    model = OnnxModel((1, 2, 2, 2))
    parts = [model.bn(model.conv("x", (2, 2, 1, 1)), 2) for _ in range(n)]
    model("Concat", *parts, axis=1)
    return model.proto()


def pooled(n: int) -> Any:
    model = OnnxModel((1, 2, 4, 4))
    parts = [model("MaxPool", "x", outputs=2, kernel_shape=[2, 2]) for _ in range(n)]
    indices = [f"{part}_1" for part in parts[: n // 2]]
    return model.proto(model("Concat", *parts, axis=1), *indices)


def reduced(n: int) -> Any:
    model = OnnxModel((1, 2, 4, 4))
    shape = model.ints(1, 2)
    parts = [model("Reshape", model("GlobalAveragePool", "x"), shape) for _ in range(n)]
    model("Concat", *parts, axis=1)
    return model.proto()


def outputs(n: int) -> Any:
    model = OnnxModel((1, 1, 2, 2))
    return model.proto(*[model("Relu", "x") for _ in range(n)])


def dead_readers(n: int) -> Any:
    model = OnnxModel((1, 1, 2, 2))
    relu = model("Relu", "x")
    for _ in range(n):
        model("Relu", relu)
    return model.proto(model("Sigmoid", relu))


def readers_of_a_conv(n: int) -> Any:
    model = OnnxModel((1, 1, 2, 2))
    conv = model.conv("x", (1, 1, 1, 1))
    return model.proto(*[model("Relu", conv) for _ in range(n)])


def slices(n: int, width: int) -> Any:
    model = OnnxModel((1, n + width, 2, 2))
    axis, step = model.ints(1), width if width == 1 else 1
    parts = [model("Slice", "x", model.ints(k * step), model.ints(k * step + width), axis) for k in range(n)]
    model("Concat", *[model("Relu", part) for part in parts] if width > 1 else parts, axis=1)
    return model.proto()


def slices_of_a_slice(n: int) -> Any:
    model = OnnxModel((1, 2, n + 2, 4))
    half = model("Slice", "x", model.ints(0), model.ints(2), model.ints(3))
    axis = model.ints(2)
    parts = [model("Slice", half, model.ints(k), model.ints(k + 2), axis) for k in range(n)]
    model("Concat", *parts, axis=1)
    return model.proto()


def halves(n: int) -> Any:
    model = OnnxModel((1, 2, 2, 2))
    ends, axis = [model.ints(k) for k in range(3)], model.ints(1)
    parts = []
    for _ in range(n):
        whole = model("Relu", "x")
        parts += [model("Slice", whole, ends[k], ends[k + 1], axis) for k in range(2)]
    model("Concat", *parts, axis=1)
    return model.proto()


def split(n: int) -> Any:
    model = OnnxModel((1, n, 2, 2), opset=13)
    first = model("Split", "x", outputs=n, axis=1)
    parts = [first, *(f"{first}_{k}" for k in range(1, n))]
    model("Concat", *[model("Relu", part) for part in parts], axis=1)
    return model.proto()


def layouts(n: int) -> Any:
    model = OnnxModel((1, 4, 4, 4))
    parts = [model("Transpose", "x", perm=[0, *(((1, 2, 3), (2, 3, 1), (3, 1, 2))[k % 3])]) for k in range(n)]
    model("Concat", *[model("Softmax", part, axis=-1) for part in parts], axis=1)
    return model.proto()


FAMILIES = {
    "chain": chain,
    "same names": same_names,
    "concat chain": concat_chain,
    "identities": concat_of("Identity"),
    "idle reshapes": concat_of("Reshape", 1, 2, 2, 2),
    "idle pools": concat_of("AveragePool", kernel_shape=[1, 1]),
    "norms": normed,
    "pools": pooled,
    "reductions": reduced,
    "outputs": outputs,
    "dead readers": dead_readers,
    "readers of a conv": readers_of_a_conv,
    "overlapping slices": lambda n: slices(n, 2),
    "slices that share out": lambda n: slices(n, 1),
    "slices of a slice": slices_of_a_slice,
    "halves": halves,
    "split": split,
    "layouts": layouts,
}


@pytest.mark.parametrize("family", list(FAMILIES))
def test_reading_is_linear(family: str) -> None:
    make = FAMILIES[family]
    models = {n: make(n) for n in (40, 80, 160)}
    to_graph(models[40], "onnx")

    assert growth(lambda n: to_graph(models[n], "onnx"), 40) < MOST


@pytest.mark.parametrize("device", ["cortexA76cpu_tflite21", "myriadvpu_openvino2019r2"])
@pytest.mark.parametrize("family", ["chain", "readers of a conv", "outputs", "split", "norms"])
def test_cutting_into_kernels_is_linear(family: str, device: str) -> None:
    predictor = load_latency_predictor(device)
    graphs = {n: to_graph(FAMILIES[family](n), "onnx") for n in (40, 80, 160)}
    predictor.kernels(graphs[40])

    assert growth(lambda n: predictor.kernels(graphs[n]), 40) < MOST


def test_who_waits_for_whom_takes_the_same_room_for_every_kernel() -> None:
    def peak(count: int) -> int:
        conv = KernelSpec("conv", "conv", ((1, 2, 2, 1),), (1, 2, 2, 1))
        softmax = KernelSpec("softmax", "softmax", ((1, 2),), (1, 2))
        reads = [[i - 1] if i else [] for i in range(count)]
        tracemalloc.start()
        try:
            pair_up([conv, softmax] * (count // 2), reads, frozenset({"conv"}), set(range(1, count, 2)))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(8000) < MOST * peak(4000)
