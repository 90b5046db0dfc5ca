"""What must hold of every latency, whatever the forests say: positive, bounded, monotone, additive."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor_core import list_latency_predictors, load_latency_predictor, zoo
from predictor_core.ir.graph import Graph, Node
from predictor_core.kernels import FORESTS, KernelSpec, cost
from predictor_core.kernels.table import KERNEL_OPS
from predictor_core.predictor import LatencyPredictor
from predictor_core.predictor.evaluate import KernelEvaluator

EMBEDDED = [entry["name"] for entry in list_latency_predictors() if "pack" in entry]
PHONES = [
    "pixel4_cpu1large_fp32_tflite210",
    "pixel4_gpu_fp16_tflite210",
    "iphonexs_cpu1large_int8_tflite210",
    "s10_gpu_fp16_tflite210",
]
PREDICTORS: dict[str, LatencyPredictor] = {
    name: load_latency_predictor(name) for name in (*EMBEDDED, *PHONES)
}

#: Kernels are padded to whole tiles of so many channels and pixels a side: a size is compared with twice its
#: tiles, so that a size that fits its tiles badly may cost as much as one that fits.
CHANNELS, PIXELS = 16, 4
#: How much more a smaller kernel may take than a larger one: forests are steps, and their steps are noisy.
TOLERANCE = 1.6
#: (op, dimension) -> the same where the measurements can't tell more, or say otherwise: the VPU takes longer
#: for a depthwise convolution of stride 2 than for the dense one, and googlenet alone has large maps that are
#: pooled at every pixel. Found by 500 pairs for each dimension.
WORSE = {
    ("myriadvpu_openvino2019r2", "dwconv", "channels"): 2.0,
    ("myriadvpu_openvino2019r2", "dwconv", "stride"): 3.3,
    ("myriadvpu_openvino2019r2", "maxpool", "window"): 2.5,
}
#: Phones learn from few networks what the window of a depthwise convolution costs.
OF_PHONES = 2.0

#: Ops with dimensions of their own -> what may grow; every other op works on one map, or on several alike.
DIMENSIONS = {
    "conv": ("side", "channels", "out", "window", "stride"),
    **dict.fromkeys(("groupconv", "deformconv"), ("side", "channels", "out", "window", "stride")),
    "convtranspose": ("side", "channels", "out", "window"),
    "dwconv": ("side", "channels", "window", "stride"),
    **dict.fromkeys(("maxpool", "avgpool"), ("side", "channels", "window", "stride")),
    **dict.fromkeys(
        ("conv3d", "convtranspose3d", "matmul", "lstm", "gru", "rnn"), ("side", "channels", "out")
    ),
    "fc": ("channels", "out"),
}
MAP = ("side", "channels")


def make(op: str, side: int, channels: int, out: int, window: int, stride: int) -> KernelSpec:
    """Kernel of any op on a square map."""
    shape, strided = (1, side, side, channels), -(-side // stride)
    k, s = (window, window), (stride, stride)
    if op in ("conv", "deformconv"):
        return KernelSpec(op, op, (shape,), (1, strided, strided, out), k, s)
    if op == "groupconv":
        grouped = (1, side, side, 4 * channels)
        return KernelSpec(op, op, (grouped,), (1, strided, strided, 4 * out), k, s, groups=4)
    if op == "convtranspose":
        return KernelSpec(op, op, (shape,), (1, side * stride, side * stride, out), k, s)
    if op in ("conv3d", "convtranspose3d"):
        deep = (1, 8, side, side)
        return KernelSpec(op, op, ((*deep, channels),), (*deep, out), extra=(window,) * 3)
    if op in ("dwconv", "maxpool", "avgpool"):
        groups = channels if op == "dwconv" else 1
        return KernelSpec(op, op, (shape,), (1, strided, strided, channels), k, s, groups=groups)
    if op == "fc":
        return KernelSpec(op, op, ((1, channels),), (1, out))
    if op == "matmul":
        return KernelSpec(op, op, ((1, side, channels), (1, channels, out)), (1, side, out))
    if op in ("lstm", "gru", "rnn"):
        return KernelSpec(op, op, ((1, side, channels),), (1, side, out), extra=(out, 1, 1))
    if op.startswith(("global-", "reduce_", "argmax", "adaptivepool")):
        return KernelSpec(op, op, (shape,), (1, channels))
    if op == "se":
        return KernelSpec(op, op, (shape,), shape, extra=(max(channels // 4, 1),))
    if op in ("concat", "stack"):
        return KernelSpec(op, op, (shape, shape), (1, side, side, 2 * channels))
    if op == "split":
        halves = (side * side * channels,) * 2
        return KernelSpec(op, op, ((1, side, side, 2 * channels),), shape, extra=halves)
    if op == "channelshuffle":
        wide = (1, side, side, 2 * channels)
        return KernelSpec(op, op, (wide,), wide, groups=2)
    return KernelSpec(
        op, op, (shape,) * (2 if op in ("add", "sub", "mul", "div", "max", "min") else 1), shape
    )


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, str, KernelSpec, KernelSpec]:
    """Op, dimension, a kernel, and one that is larger along the dimension by its tiles at least."""
    # The ops with forests, which are most of what is asked for, as often as all others.
    ops = sorted(FORESTS) if draw(st.booleans()) else sorted(KERNEL_OPS)
    op = draw(st.sampled_from(ops))
    dimension = draw(st.sampled_from(DIMENSIONS.get(op, MAP)))
    windows = {"dwconv": [3, 5], "maxpool": [2, 3], "avgpool": [2, 3]}.get(op, [1, 3, 5])
    size = {
        "side": draw(st.sampled_from([7, 8, 14, 16, 28, 32, 56, 112])),
        "channels": draw(st.integers(8, 512)),
        "out": draw(st.integers(8, 512)),
        "window": draw(st.sampled_from(windows)),
        "stride": draw(st.sampled_from([1, 2])),
    }
    larger = dict(size)
    if dimension == "window":
        larger["window"] += 2
    elif dimension == "stride":
        size["stride"], larger["stride"] = 2, 1
    else:
        tile = PIXELS if dimension == "side" else CHANNELS
        larger[dimension] = 2 * tile * math.ceil(size[dimension] / tile)
    return op, dimension, make(op, **size), make(op, **larger)


def tolerance(name: str, op: str, dimension: str) -> float:
    return WORSE.get((name, op, dimension), OF_PHONES if name in PHONES else TOLERANCE)


@given(pair=pairs())
def test_a_larger_kernel_takes_no_less_up_to_the_tile(
    pair: tuple[str, str, KernelSpec, KernelSpec],
) -> None:
    op, dimension, small, large = pair
    for name, predictor in PREDICTORS.items():
        answers = predictor.kernel_latencies([small, large])
        ratio = answers[small].latency_ms / answers[large].latency_ms
        assert ratio <= tolerance(name, op, dimension), (name, dimension)


@pytest.mark.parametrize(("window", "channels"), [(3, 300), (5, 288)])
def test_maps_smaller_than_any_measured_take_no_longer(window: int, channels: int) -> None:
    # Measured are 7 x 7 and larger; below them the correction of the smallest holds.
    predictor = PREDICTORS["myriadvpu_openvino2019r2"]
    specs = [make("dwconv", side, channels, channels, window, 1) for side in (6, 4, 2, 1)]
    answers = predictor.kernel_latencies(specs)
    latencies_ms = [answers[spec].latency_ms for spec in specs]
    assert all(answers[spec].outside for spec in specs)
    assert latencies_ms == sorted(latencies_ms, reverse=True)


@given(pair=pairs())
def test_latencies_are_positive_finite_and_within_the_rooflines(
    pair: tuple[str, str, KernelSpec, KernelSpec],
) -> None:
    for name, predictor in PREDICTORS.items():
        for spec, answer in predictor.kernel_latencies(pair[2:]).items():
            assert 0.0 < answer.latency_ms < math.inf, name
            assert answer.latency_ms >= predictor.roofline.least_ms(cost(spec)), name
            if name in EMBEDDED:
                evaluator = predictor._evaluator
                assert isinstance(evaluator, KernelEvaluator)
                assert answer.latency_ms <= max(evaluator.most_ms(cost(spec)), answer.least_ms), name


@pytest.mark.parametrize("name", PREDICTORS)
@pytest.mark.parametrize("model", ["mobilenetv3large", "resnet50", "squeezenet", "shufflenetv2", "densenet"])
def test_a_batch_takes_about_as_long_as_its_images(name: str, model: str) -> None:
    predictor = PREDICTORS[name]
    single = predictor.predict(zoo.build(model))
    for batch in (2, 8, 32):
        ratio = predictor.predict(zoo.build(model, input_shape=(batch, 224, 224, 3))) / single
        assert 0.5 * batch <= ratio <= 1.2 * batch


def cuts(graph: Graph) -> list[int]:
    """Places after which exactly one tensor is needed further on."""
    places = {node.name: i for i, node in enumerate(graph.nodes)}
    last = list(range(len(graph.nodes)))
    for i, node in enumerate(graph.nodes):
        for name in node.inputs:
            source = places[name.rpartition(":")[0] if name not in places else name]
            last[source] = max(last[source], i)
    return [
        i
        for i in range(1, len(graph.nodes) - 1)
        if all(last[j] <= i for j in range(i)) and last[i] > i and len(graph.nodes[i].outputs) == 1
    ]


def halves(graph: Graph, place: int) -> tuple[Graph, Graph]:
    """Split a graph after a node."""
    node = graph.nodes[place]
    source = Node(node.name, "input", (), {}, node.outputs)
    return Graph(list(graph.nodes[: place + 1])), Graph([source, *graph.nodes[place + 1 :]])


@pytest.mark.parametrize("name", PREDICTORS)
@pytest.mark.parametrize("model", ["mobilenetv2", "resnet18", "vgg16", "densenet"])
def test_a_module_takes_no_longer_than_its_parts(name: str, model: str) -> None:
    predictor, graph = PREDICTORS[name], zoo.build(model)
    whole = predictor.predict(graph) - predictor.overhead_ms
    found = cuts(graph)
    assert len(found) > 5
    for place in found[:: len(found) // 5]:
        parts = [predictor.predict(part) - predictor.overhead_ms for part in halves(graph, place)]
        # A fusion that the cut undoes saves a launch and more; nothing makes the whole slower, but for what
        # the VPU's context of a kernel is worth.
        assert whole <= sum(parts) * 1.02


@pytest.mark.parametrize("name", PREDICTORS)
@pytest.mark.parametrize("model", ["mobilenetv3small", "googlenet", "alexnet"])
def test_the_sum_over_modules_is_the_total(name: str, model: str) -> None:
    predictor, graph = PREDICTORS[name], zoo.build(model)
    report = predictor.profile(graph)
    assert report.latency_ms == pytest.approx(predictor.predict(graph), rel=1e-12)
    kernels_ms = report.latency_ms - report.overhead_ms
    assert sum(report.by_type().values()) == pytest.approx(kernels_ms)
    for depth in (1, 2, 3):
        assert sum(report.by_module(depth).values()) == pytest.approx(kernels_ms)
