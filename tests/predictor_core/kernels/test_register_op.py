"""Ops that users add."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest

import predictor_core
from predictor_core import kernels
from predictor_core.errors import PredictorError
from predictor_core.ir.graph import Graph, Node
from predictor_core.ir.layout import channels_last
from predictor_core.ir.ops import infer
from predictor_core.kernels import Cost, KernelSpec, register_op, unregister_op
from predictor_core.kernels.registry import add_registrations, registrations

SHAPE = (1, 8, 8, 16)
SPEC = KernelSpec("FFT", "FFT", (SHAPE,), SHAPE)


def heavy(spec: KernelSpec) -> Cost:
    return Cost(1e9, 4.0)


def halved(attrs: object, inputs: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    return ((*inputs[0][:-1], inputs[0][-1] // 2),)


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    for one in registrations():
        unregister_op(one.op.name)


def model(op: str) -> Graph:
    return Graph([Node("x", "input", outputs=(SHAPE,)), Node("y", op, ("x",), {}, (SHAPE,))])


def test_the_cost_of_an_unknown_op_counts_and_stays_an_estimate() -> None:
    predictor = predictor_core.load_latency_predictor("cortexA76cpu_tflite21")
    before = predictor.profile(model("FFT"))
    predictor_core.register_op("FFT", cost=heavy)
    predictor.clear_memo()
    after = predictor.profile(model("FFT"))
    assert after.latency_ms > 2 * before.latency_ms
    assert not after.kernels[0].measured
    assert any("unknown ops" in warning for warning in before.warnings)
    assert not any("unknown ops" in warning for warning in after.warnings)


def test_a_forest_that_works_alike_answers_with_an_estimate() -> None:
    register_op("Snake", forest="hswish")
    alike = SPEC._replace(type="Snake", op="Snake")
    predictor = predictor_core.load_latency_predictor("cortexA76cpu_tflite21")
    answer = predictor.kernel_latencies([alike])[alike]
    assert not answer.measured
    assert kernels.kernel_op("Snake").forest == "hswish"


def test_a_free_op_is_in_no_kernel() -> None:
    predictor = predictor_core.load_latency_predictor("cortexA76cpu_tflite21")
    register_op("Assert", free=True)
    assert predictor.kernels(model("Assert")) == []


def test_shape_and_layout_are_used() -> None:
    register_op("Halve", shape=halved, layout="image")
    assert infer("Halve", {}, (SHAPE,)) == ((1, 8, 8, 8),)
    nodes = [Node("x", "input", outputs=((1, 16, 8, 8),)), Node("y", "Halve", ("x",), {}, ((1, 8, 8, 8),))]
    assert channels_last(nodes)["x"].shape == SHAPE


def test_the_cost_of_an_estimated_op_of_ours_can_be_replaced() -> None:
    spec = SPEC._replace(type="softmax", op="softmax")
    register_op("softmax", cost=heavy)
    assert kernels.cost(spec) == heavy(spec)
    unregister_op("softmax")
    assert kernels.cost(spec) != heavy(spec)


def test_registrations_travel_to_other_processes() -> None:
    register_op("FFT", cost=heavy)
    carried = pickle.dumps(registrations())
    unregister_op("FFT")
    assert kernels.cost(SPEC) != heavy(SPEC)
    add_registrations(pickle.loads(carried))
    assert kernels.cost(SPEC) == heavy(SPEC)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("conv", {"cost": heavy}, "only estimated ops"),
        ("relu", {"forest": "add"}, "only estimated ops"),
        ("identity", {"cost": heavy}, "only estimated ops"),
        ("FFT", {}, "nothing to register"),
        ("FFT", {"forest": "fft"}, "no forest 'fft'"),
        ("FFT", {"layout": "nchw"}, "no layout 'nchw'"),
        ("FFT", {"free": True, "cost": heavy}, "free or has a cost"),
    ],
)
def test_what_can_not_be_registered_is_refused(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(PredictorError, match=message):
        register_op(name, **options)  # type: ignore[arg-type]
    assert registrations() == ()
