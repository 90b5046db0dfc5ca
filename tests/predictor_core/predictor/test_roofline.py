"""No kernel is faster than the data sheet of its device allows."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor_core import LatencyPredictor, kernels, list_latency_predictors, load_latency_predictor, zoo
from predictor_core.catalog import PACKAGE
from predictor_core.errors import PackError
from predictor_core.ir.graph import Graph, Node
from predictor_core.kernels import KernelSpec
from predictor_core.predictor.roofline import Roofline, read_roofline

EMBEDDED = [entry for entry in list_latency_predictors() if "pack" in entry]
PREDICTORS = [load_latency_predictor(entry["name"], entry["version"]) for entry in EMBEDDED]


def peak_rates(entry: dict[str, Any]) -> dict[str, Any]:
    card = (PACKAGE / entry["pack"]).with_name("device.yaml")
    return dict(yaml.safe_load(card.read_text(encoding="utf-8"))["peak"])


PEAKS = [peak_rates(entry) for entry in EMBEDDED]


@pytest.fixture(params=PREDICTORS, ids=repr)
def predictor(request: pytest.FixtureRequest) -> LatencyPredictor:
    return request.param


def dense_stack(layers: int, width: int) -> Graph:
    """Fully connected layers with relus."""
    nodes = [Node("x", "input", (), {}, ((1, width),))]
    for i in range(layers):
        nodes.append(Node(f"fc{i}", "fc", (nodes[-1].name,), {"bias": True}, ((1, width),)))
        nodes.append(Node(f"relu{i}", "relu", (nodes[-1].name,), {}, ((1, width),)))
    return Graph(nodes)


@pytest.mark.parametrize("peak", PEAKS)
def test_every_device_card_has_its_peak_rates_and_their_source(peak: dict[str, Any]) -> None:
    assert 1 <= peak["gbytes_per_s"] <= 1000
    assert 1 <= peak["gmacs_per_s"] <= 100000
    assert peak["element_bytes"] in (1, 2, 4)
    assert len(peak["source"]) > 40


def test_fully_connected_layers_read_their_weights(predictor: LatencyPredictor) -> None:
    # 8 layers of 4096 x 4096 in half precision are 268 MB: 7.9 ms of an Adreno 640's 34 GB/s.
    report = predictor.profile(dense_stack(8, 4096))
    roofline = predictor.roofline
    assert report.latency_ms > 8 * 4096 * 4096 * roofline.element_bytes / roofline.bytes_per_ms
    if any(kernel.bounded for kernel in report.kernels):
        assert report.coverage < 0.1
        assert report.interval_ms[1] > 1.5 * report.latency_ms
        assert any("peak rates" in warning for warning in report.warnings)
        assert "at the peak rate of the device" in repr(report)


sides = st.sampled_from([1, 4, 7, 14, 28, 56, 112, 224, 512])
channels = st.sampled_from([1, 2, 3, 8, 16, 31, 64, 128, 256, 512, 1024])


@st.composite
def specs(draw: st.DrawFn) -> KernelSpec:
    """Single kernels of all sizes."""
    side, cin, cout, k, batch = draw(
        st.tuples(sides, channels, channels, st.sampled_from([1, 3, 7]), channels)
    )
    op = draw(
        st.sampled_from(["conv", "dwconv", "fc", "maxpool", "avgpool", "relu", "bn", "add", "mul", "concat"])
    )
    shape = (draw(st.sampled_from([1, 1, 4])), side, side, cin)
    if op == "fc":
        return KernelSpec(op, op, ((batch, cin * side),), (batch, cout))
    if op == "conv":
        return KernelSpec(op, op, (shape,), (*shape[:3], cout), (k, k))
    if op in ("dwconv", "maxpool", "avgpool"):
        return KernelSpec(op, op, (shape,), shape, (k, k), groups=cin if op == "dwconv" else 1)
    if op == "concat":
        return KernelSpec(op, op, (shape, shape), (*shape[:3], 2 * cin))
    return KernelSpec(op, op, (shape,) * (2 if op in ("add", "mul") else 1), shape)


@settings(max_examples=300)
@given(spec=specs())
def test_no_kernel_beats_the_data_sheet(spec: KernelSpec) -> None:
    inputs, output = sum(map(prod, spec.inputs)), prod(spec.output)
    window = prod(spec.kernel)
    weights = {"conv": window * spec.inputs[0][-1] * spec.output[-1], "dwconv": window * spec.output[-1]}
    weights["fc"] = spec.inputs[0][-1] * spec.output[-1]
    macs = {"conv": output * window * spec.inputs[0][-1], "dwconv": output * window}
    macs["fc"] = output * spec.inputs[0][-1]
    for peak, predictor in zip(PEAKS, PREDICTORS):
        moved = peak["element_bytes"] * (inputs + output + weights.get(spec.op, 0))
        latency_ms = predictor.kernel_latencies([spec])[spec].latency_ms * (1 + 1e-9)
        assert latency_ms >= moved / peak["gbytes_per_s"] / 1e6, predictor
        assert latency_ms >= macs.get(spec.op, 0) / peak["gmacs_per_s"] / 1e6, predictor


@pytest.mark.parametrize("side", [4, 14, 32, 128])
@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 1), (3, 2)])
def test_a_pool_of_few_channels_costs_no_more_than_one_of_many(
    predictor: LatencyPredictor, side: int, kernel: int, stride: int
) -> None:
    for op in ("avgpool", "maxpool"):
        pools = [
            KernelSpec(
                op,
                op,
                ((1, side, side, c),),
                (1, side // stride, side // stride, c),
                (kernel, kernel),
                (stride, stride),
            )
            for c in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
        ]
        answers = predictor.kernel_latencies(pools)
        latencies_ms = [answers[pool].latency_ms for pool in pools]
        for few, many in zip(latencies_ms, latencies_ms[1:]):
            assert few <= 1.35 * many


def test_a_card_without_peak_rates_bounds_nothing(tmp_path: Path) -> None:
    assert read_roofline(tmp_path / "device.yaml") == Roofline.from_card({}) == Roofline()


@pytest.mark.parametrize(
    "peak",
    [
        "{gmacs_per_s: 1, gbytes_per_s: 1}",
        "{gmacs_per_s: 0, gbytes_per_s: 1, element_bytes: 4}",
        "{gmacs_per_s: .inf, gbytes_per_s: 1, element_bytes: 4}",
        "fast",
        "[",
    ],
)
def test_a_bad_card_is_named(peak: str, tmp_path: Path) -> None:
    path = tmp_path / "device.yaml"
    path.write_text(f"peak: {peak}\n")
    with pytest.raises(PackError, match=r"device\.yaml is no device card"):
        read_roofline(path)


def test_estimates_take_the_rates_that_were_measured_on_devices_of_the_same_kind() -> None:
    predictor = load_latency_predictor("cortexA76cpu_tflite21")
    grouped = KernelSpec("groupconv", "groupconv", ((56, 56, 64),), (56, 56, 64), (3, 3), groups=8)
    pool = KernelSpec("maxpool", "maxpool", ((56, 56, 64),), (28, 28, 64), (2, 2), (2, 2))
    now, plain = (one.kernel_latencies([grouped, pool]) for one in (predictor, predictor.unbounded))
    assert now[grouped].latency_ms == pytest.approx(5.9 * plain[grouped].latency_ms)
    assert not now[grouped].measured
    assert now[pool].latency_ms == pytest.approx(plain[pool].latency_ms)


@pytest.mark.parametrize("factors", ["{conv: 0}", "{conv: fast}", "[1]", "{conv: .nan}"])
def test_bad_factors_are_named(factors: str, tmp_path: Path) -> None:
    path = tmp_path / "device.yaml"
    path.write_text(f"estimate_factors: {factors}\n")
    with pytest.raises(PackError, match=r"device\.yaml is no device card"):
        read_roofline(path)


@pytest.mark.parametrize("name", ["adreno640gpu_tflite21", "adreno630gpu_tflite21"])
def test_a_model_keeps_its_sum_and_no_kernel_of_its_report_beats_the_data_sheet(name: str) -> None:
    predictor = load_latency_predictor(name)
    assert isinstance(predictor, LatencyPredictor)
    graph = zoo.build("alexnet")
    report = predictor.profile(graph)
    specs = [kernel.spec for kernel in predictor.kernels(graph)]
    assert any(kernel.bounded for kernel in report.kernels)
    assert report.latency_ms == pytest.approx(predictor.predict(graph))
    assert report.latency_ms == pytest.approx(predictor.unbounded.predict(graph))
    for kernel, spec in zip(report.kernels, specs):
        assert kernel.latency_ms >= predictor.roofline.least_ms(kernels.cost(spec)) * (1 - 1e-9)
