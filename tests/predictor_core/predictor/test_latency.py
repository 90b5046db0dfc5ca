from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from predictor_core import LatencyPredictor, kernels, load_latency_predictor, predict_many, zoo
from predictor_core.errors import PredictorError, UnsupportedOpError
from predictor_core.fusion import detect
from predictor_core.ir import Graph, Node
from predictor_core.ir.ops import infer
from predictor_core.ir.passes import canonicalize
from tests.devices import DEVICES


@pytest.fixture(scope="module", params=DEVICES)
def predictor(request: pytest.FixtureRequest) -> LatencyPredictor:
    return load_latency_predictor(request.param)


def one_op(op: str, shape: tuple[int, ...], others: tuple[tuple[int, ...], ...] = (), **attrs: Any) -> Graph:
    """A graph of one op over inputs of the given shapes."""
    shapes = (shape, *others)
    inputs = [Node(f"x{i}", "input", (), {}, (s,)) for i, s in enumerate(shapes)]
    outputs = infer(op, attrs, shapes) or (shape,)
    return Graph([*inputs, Node("op", op, tuple(node.name for node in inputs), attrs, outputs)])


def conv(
    shape: tuple[int, ...], filters: int, kernel: tuple[int, int] = (3, 3), groups: int = 1, dilation: int = 1
) -> Graph:
    pads = tuple((k - 1) * dilation // 2 for k in kernel) * 2
    return one_op(
        "conv",
        shape,
        filters=filters,
        kernel=kernel,
        strides=(1, 1),
        pads=pads,
        dilations=(dilation, dilation),
        groups=groups,
        bias=True,
    )


def test_every_zoo_model_is_measured(predictor: LatencyPredictor) -> None:
    for name in zoo.models():
        report = predictor.profile(zoo.build(name))
        assert report.latency_ms > 1.0, name
        # The benchmark has no channel shuffles and splits on the GPUs.
        if name != "shufflenetv2" or "split" in predictor.header["forests"]:
            assert all(kernel.measured for kernel in report.kernels), name
        assert all(kernel.latency_ms > 0 for kernel in report.kernels), name
        low_ms, high_ms = report.interval_ms
        assert low_ms < report.latency_ms < high_ms


def test_predict_profile_and_predict_many_agree(predictor: LatencyPredictor) -> None:
    graphs = [zoo.build(name) for name in ("resnet18", "mobilenetv2", "shufflenetv2")]
    alone = [predictor.predict(graph) for graph in graphs]
    predictor.clear_memo()
    np.testing.assert_allclose(predictor.predict_many(graphs), alone, rtol=1e-12)
    np.testing.assert_allclose([predictor.profile(graph).latency_ms for graph in graphs], alone, rtol=1e-12)
    np.testing.assert_allclose(predictor.predict_many(iter(graphs), n_jobs=2), alone, rtol=1e-12)


def test_several_devices_at_once() -> None:
    predictors = [load_latency_predictor(device) for device in DEVICES]
    graphs = [zoo.build("squeezenet"), zoo.build("mnasnet")]
    table = predict_many(predictors, graphs)
    assert table.shape == (4, 2)
    assert table[1, 1] == predictors[1].predict(graphs[1])
    assert predict_many(predictors, []).shape == (4, 0)


def test_a_model_given_twice_gives_the_same_number(predictor: LatencyPredictor) -> None:
    graph = zoo.build("googlenet")
    first = predictor.predict(graph)
    assert predictor.predict(graph) == first
    predictor.clear_memo()
    assert predictor.predict(graph) == first


def test_threads_that_share_a_predictor_get_what_one_gets() -> None:
    graphs = [zoo.build(name) for name in zoo.models()]
    expected = [load_latency_predictor(DEVICES[0]).predict(graph) for graph in graphs]
    shared = load_latency_predictor(DEVICES[0])
    answers: dict[int, list[float]] = {}

    def work(number: int) -> None:
        answers[number] = [shared.predict(graph) for graph in graphs]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answers[i] for i in range(6)] == [expected] * 6


def test_the_memo_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor, forgetful = (load_latency_predictor(DEVICES[0]) for _ in range(2))
    monkeypatch.setattr("predictor_core.predictor.latency.MEMO_SIZE", 40)
    graphs = [conv((1, 8, 8, 8 + i), 16) for i in range(200)]
    expected = []
    for graph in graphs:
        forgetful.clear_memo()
        expected.append(forgetful.predict(graph))
    assert [predictor.predict(graph) for graph in graphs] == expected
    assert len(predictor._memo) <= 40


def test_the_forests_export_to_scikit_learn(predictor: LatencyPredictor) -> None:
    pytest.importorskip("sklearn")
    specs = [kernel.spec for kernel in detect(canonicalize(zoo.build("resnet18")), predictor.rules)]
    convs = [spec for spec in specs if spec.op == "conv"]
    exported = predictor.to_sklearn()
    assert set(exported) == set(predictor.header["forests"])
    x = kernels.features("conv", convs)
    np.testing.assert_allclose(
        exported["conv"].predict(x), predictor._pack.forests["conv"].predict(x), rtol=1e-12
    )


def test_a_predictor_survives_pickling(predictor: LatencyPredictor) -> None:
    copy = pickle.loads(pickle.dumps(predictor))
    graph = zoo.build("mobilenetv1")
    assert (copy.name, copy.version) == (predictor.name, predictor.version)
    assert copy.predict(graph) == predictor.predict(graph)


SMALLER_AND_LARGER: list[tuple[str, Callable[[], Graph], Callable[[], Graph]]] = [
    (
        "64 groups cost less than 32",
        lambda: conv((1, 28, 28, 128), 128, groups=64),
        lambda: conv((1, 28, 28, 128), 128, groups=32),
    ),
    (
        "32 groups cost less than none",
        lambda: conv((1, 28, 28, 128), 128, groups=32),
        lambda: conv((1, 28, 28, 128), 128),
    ),
    ("a wider input costs more", lambda: conv((1, 56, 56, 32), 32), lambda: conv((1, 56, 1000, 32), 32)),
    ("a narrower input costs less", lambda: conv((1, 56, 7, 32), 32), lambda: conv((1, 56, 56, 32), 32)),
    (
        "a 7x1 kernel costs more than 1x1",
        lambda: conv((1, 28, 28, 64), 64, (1, 1)),
        lambda: conv((1, 28, 28, 64), 64, (7, 1)),
    ),
    (
        "a 1x7 kernel costs less than 7x7",
        lambda: conv((1, 28, 28, 64), 64, (1, 7)),
        lambda: conv((1, 28, 28, 64), 64, (7, 7)),
    ),
    ("a larger batch costs more", lambda: conv((1, 28, 28, 64), 64), lambda: conv((4, 28, 28, 64), 64)),
    (
        "a concat of 20 inputs costs more than of 5",
        lambda: one_op("concat", (1, 28, 28, 32), ((1, 28, 28, 32),) * 4, axis=3),
        lambda: one_op("concat", (1, 28, 28, 32), ((1, 28, 28, 32),) * 19, axis=3),
    ),
    (
        "a longer sequence costs more",
        lambda: one_op("fc", (1, 16, 256), filters=256, bias=True),
        lambda: one_op("fc", (1, 512, 256), filters=256, bias=True),
    ),
    (
        "attention over a longer sequence costs more",
        lambda: one_op("matmul", (1, 8, 64, 32), ((1, 8, 32, 64),)),
        lambda: one_op("matmul", (1, 8, 512, 32), ((1, 8, 32, 512),)),
    ),
    (
        "pooling a higher map costs more",
        lambda: one_op("reduce_mean", (1, 7, 7, 256), axes=(1, 2), keepdims=True),
        lambda: one_op("reduce_mean", (1, 112, 112, 256), axes=(1, 2), keepdims=True),
    ),
]


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [case[1:] for case in SMALLER_AND_LARGER],
    ids=[case[0] for case in SMALLER_AND_LARGER],
)
def test_what_is_larger_costs_more(
    predictor: LatencyPredictor, smaller: Callable[[], Graph], larger: Callable[[], Graph]
) -> None:
    assert predictor.predict(larger()) > predictor.predict(smaller()) > predictor.overhead_ms


def test_a_conv_on_a_grey_image_is_no_depthwise_conv(predictor: LatencyPredictor) -> None:
    (kernel,) = predictor.profile(conv((1, 224, 224, 1), 64)).kernels
    assert kernel.type.startswith("conv")


@pytest.mark.parametrize("op", ["softmax", "layernorm", "sigmoid", "gelu", "tanh", "NotAnOp", "exp"])
def test_what_was_never_measured_is_estimated_and_flagged(predictor: LatencyPredictor, op: str) -> None:
    graph = one_op(op, (1, 64, 64, 32))
    report = predictor.profile(graph)
    assert report.kernels[0].latency_ms > 0
    assert not report.kernels[0].measured
    assert report.coverage == 0.0
    assert any("1 kernel (100.0% of the latency) is estimated" in warning for warning in report.warnings)
    with pytest.raises(UnsupportedOpError, match="op"):
        predictor.predict(graph, strict=True)
    with pytest.raises(UnsupportedOpError):
        predictor.profile(graph, strict=True)


def test_resizing_is_estimated_from_what_it_writes(predictor: LatencyPredictor) -> None:
    def resize(side: int) -> Graph:
        source = Node("x", "input", (), {}, ((1, 32, 32, 16),))
        return Graph([source, Node("up", "resize", ("x",), {"mode": "nearest"}, ((1, side, side, 16),))])

    report = predictor.profile(resize(64))
    assert report.coverage == 0.0
    assert predictor.predict(resize(256)) > report.latency_ms > predictor.overhead_ms


def test_an_unknown_op_is_named_in_a_warning(predictor: LatencyPredictor) -> None:
    assert any("NotAnOp" in warning for warning in predictor.profile(one_op("NotAnOp", (1, 8))).warnings)


def test_free_ops_cost_nothing_and_are_listed(predictor: LatencyPredictor) -> None:
    shape = ((1, 8, 8, 16),)
    with_dropout = Graph(
        [
            Node("x", "input", (), {}, shape),
            Node("drop", "dropout", ("x",), {}, shape),
            Node("relu", "relu", ("drop",), {}, shape),
        ]
    )
    without = Graph([Node("x", "input", (), {}, shape), Node("relu", "relu", ("x",), {}, shape)])
    report = predictor.profile(with_dropout)
    assert report.latency_ms == predictor.predict(without)
    assert report.free == ("drop",)


def test_kernels_outside_the_training_range_are_named_and_widen_the_interval(
    predictor: LatencyPredictor,
) -> None:
    inside = predictor.profile(zoo.build("resnet18"))
    outside = predictor.profile(zoo.build("resnet18", input_shape=(1, 1024, 1024, 3)))
    assert any(kernel.outside for kernel in outside.kernels)
    assert any("outside the training range" in warning for warning in outside.warnings)

    def width(report: Any) -> float:
        return (report.interval_ms[1] - report.interval_ms[0]) / report.latency_ms

    assert width(outside) > width(inside)


def test_extrapolated_kernels_are_not_covered(predictor: LatencyPredictor) -> None:
    report = predictor.profile(zoo.build("resnet18", input_shape=(1, 1024, 1024, 3)))
    outside_ms = sum(kernel.latency_ms for kernel in report.kernels if kernel.outside)
    assert outside_ms > 0.3 * report.latency_ms
    assert report.coverage <= 1.0 - outside_ms / report.latency_ms
    assert predictor.profile(zoo.build("resnet18")).coverage > 0.99


def test_what_is_wrong_with_a_call_is_said() -> None:
    predictor = load_latency_predictor(DEVICES[0])
    with pytest.raises(PredictorError, match=r"unknown model_type 'caffe'.*onnx"):
        predictor.predict("model.caffemodel", "caffe")
    with pytest.raises(PredictorError, match=r"model_type must be one of .*onnx.*; got 5"):
        predictor.predict("model.onnx", 5)  # type: ignore[arg-type]
    with pytest.raises(PredictorError, match=r"'model\.xyz' does not tell its model type.*\.onnx"):
        predictor.predict("model.xyz")


def test_a_number_without_dimensions_has_a_latency() -> None:
    graph = Graph([Node("x", "input", outputs=((),)), Node("y", "relu", ("x",), outputs=((),))])
    predictor = load_latency_predictor(DEVICES[0])
    assert predictor.predict(graph) > predictor.overhead_ms


@pytest.mark.parametrize("device", DEVICES)
def test_more_rows_of_a_fully_connected_layer_take_longer(device: str) -> None:
    def linear(rows: int) -> Graph:
        nodes = [Node("x", "input", outputs=((1, rows, 64),))]
        return Graph([*nodes, Node("y", "fc", ("x",), {"bias": True}, ((1, rows, 64),))])

    latencies_ms = load_latency_predictor(device).predict_graphs([linear(rows) for rows in (1, 8, 64, 512)])
    assert list(latencies_ms) == sorted(set(latencies_ms))
