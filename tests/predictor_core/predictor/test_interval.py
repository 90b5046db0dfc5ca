from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from predictor_core import list_latency_predictors, load_latency_predictor, zoo
from predictor_core.catalog import PACKAGE
from predictor_core.errors import PackError
from predictor_core.kernels import KernelSpec
from predictor_core.kernels.estimates import KINDS
from predictor_core.predictor.evaluate import KernelLatency
from predictor_core.predictor.hardness import PROFILE, Hardness, hardness
from predictor_core.predictor.interval import NONE, Group, Sides, Widths
from predictor_core.predictor.interval_file import INTERVAL_FILE, read_widths, to_dict, write_widths

FLAT = {"inside": 0.05, "outside": 0.3, "estimated": 0.7, "unfamiliar": 0.2, "spread_scale": 0.01}
RELU = KernelSpec("relu", "relu", ((1, 8, 8, 16),), (1, 8, 8, 16))
CONV = KernelSpec("conv", "conv", ((1, 8, 8, 16),), (1, 8, 8, 16))
GROUPED = KernelSpec("groupconv", "groupconv", ((1, 8, 8, 16),), (1, 8, 8, 16), groups=4)

#: Predictors with half widths of their own for each family.
WITH_FAMILIES = [
    entry["name"]
    for entry in list_latency_predictors()
    if "pack" in entry and (PACKAGE / entry["pack"]).with_name(INTERVAL_FILE).exists()
]


def answer(ms: float, measured: bool = True, outside: bool = False, deviation: float = 0.0) -> KernelLatency:
    return KernelLatency(ms, measured, ("cin",) if outside else (), deviation, fitted_ms=ms)


def half_width(*answers: KernelLatency, widths: Widths | None = None) -> float:
    """Half width of a model of some kernels and a constant of 1 ms; it is the same to both sides."""
    hard = hardness(np.ones((1, len(answers))), [RELU] * len(answers), answers, 1.0)
    half = (widths or Widths.flat(FLAT)).half(hard)
    assert half.below == half.above
    return float(half.below[0])


def test_kernels_inside_the_training_range_have_the_smallest_width() -> None:
    assert half_width(answer(3.0), answer(5.0)) == pytest.approx(0.05)


def test_shares_of_the_latency_weigh() -> None:
    assert half_width(answer(4.0, outside=True), answer(5.0)) == pytest.approx(0.05 + 0.4 * 0.25)
    assert half_width(answer(4.0, measured=False), answer(5.0)) == pytest.approx(0.05 + 0.4 * 0.65)


def test_an_estimate_outside_the_range_is_an_estimate() -> None:
    far = answer(9.0, measured=False, outside=True)
    assert half_width(far) == half_width(answer(9.0, measured=False))


def test_disagreement_of_the_trees_widens_up_to_a_limit() -> None:
    widths = [half_width(answer(9.0, deviation=deviation)) for deviation in (0.0, 0.001, 0.01, 0.1, 10.0)]
    assert widths == sorted(widths)
    assert widths[0] < widths[1]
    assert widths[-1] == pytest.approx(0.25)


def test_a_model_without_latency_has_no_width() -> None:
    hard = hardness(np.ones((1, 0)), [], [], 0.0)
    low_ms, high_ms = Widths.flat(FLAT).interval_ms(np.zeros(1), hard)
    assert (low_ms[0], high_ms[0]) == (0.0, 0.0)


def test_a_bound_counts_as_an_estimate_only_where_the_sum_has_no_room_for_it() -> None:
    bounded = KernelLatency(4.0, True, (), 0.0, True, 1.0, 4.0)
    room, none = answer(9.0), answer(0.5)
    for other, counted in ((room, 0.0), (none, 4.0 / 5.5)):
        hard = hardness(np.ones((1, 2)), [CONV, RELU], [bounded, other], 1.0)
        assert hard.estimated[0].tolist() == pytest.approx([0.0] * (len(KINDS) - 1) + [counted])


def test_a_profile_says_what_a_model_is_made_of() -> None:
    kernels = [answer(4.0), answer(2.0), answer(3.0, measured=False)]
    hard = hardness(np.array([[1, 2, 0], [0, 0, 1]]), [CONV, RELU, GROUPED], kernels, 1.0)
    first, second = (dict(zip(PROFILE, row)) for row in hard.profile)
    assert (first["conv"], first["relu"], first["constant"]) == pytest.approx((4 / 9, 4 / 9, 1 / 9))
    assert (second["other"], second["constant"]) == pytest.approx((0.75, 0.25))
    assert first["log_ms"] == pytest.approx(np.log(9.0))
    assert first["log_kernels"] == pytest.approx(np.log(4.0))
    assert hard.estimated[1, KINDS.index("grouped")] == pytest.approx(0.75)


def test_what_the_trees_say_weighs_by_its_share_of_the_latency() -> None:
    kernels = [answer(4.0, outside=True, deviation=0.2), answer(2.0, deviation=0.1)]
    hard = hardness(np.array([[1, 2]]), [CONV, RELU], kernels, 1.0)
    assert hard.deviation[0] == pytest.approx((4.0 * 0.2 + 4.0 * 0.1) / 9.0)
    assert hard.outside[0] == pytest.approx(4.0 / 9.0)


def group(name: str, log_ms: float, known: Sides) -> Group:
    center = np.zeros(len(PROFILE))
    center[PROFILE.index("log_ms")] = log_ms
    return Group(name, center, np.ones(len(PROFILE)), 1.0 / np.sqrt(len(PROFILE)), known)


def model(log_ms: float, deviation: float = 0.0, estimated: float = 0.0) -> Hardness:
    profile = np.zeros((1, len(PROFILE)))
    profile[0, PROFILE.index("log_ms")] = log_ms
    shares = np.zeros((1, len(KINDS)))
    shares[0, 0] = estimated
    return Hardness(profile, np.zeros(1), np.array([deviation]), shares)


TWO = Widths(
    groups=(group("small", 0.0, Sides(0.02, 0.05)), group("large", 4.0, Sides(0.1, 0.01))),
    unlike=Sides(0.3, 0.6),
    edge=1.0,
    unlike_scale=1.0,
    epistemic=Sides(0.2, 0.1),
    deviation_scale=0.01,
    outside=Sides(0.4, 0.4),
    estimated={name: Sides(0.5, 0.9) for name in KINDS},
    facts={"models": 2},
)


def test_a_model_has_the_widths_of_the_family_that_it_is_most_like() -> None:
    for log_ms, known in ((0.5, TWO.groups[0].known), (3.5, TWO.groups[1].known)):
        low_ms, high_ms = TWO.interval_ms(np.array([10.0]), model(log_ms))
        assert low_ms[0] == pytest.approx(10.0 * np.exp(-known.below))
        assert high_ms[0] == pytest.approx(10.0 * np.exp(known.above))


def test_what_is_unlike_all_that_was_measured_widens() -> None:
    inside, outside = (TWO.half(model(log_ms)) for log_ms in (0.9, 2.0))
    assert outside.below[0] == pytest.approx(inside.below[0] + 0.3 * (1.0 - np.exp(-1.0)))
    assert outside.above[0] == pytest.approx(inside.above[0] + 0.6 * (1.0 - np.exp(-1.0)))
    assert TWO.half(model(0.0, estimated=0.5)).above[0] == pytest.approx(0.05 + 0.45)
    # The family itself left out, only the other one is near.
    assert TWO.without("small").half(model(0.0)).below[0] > 0.3


def test_the_file_keeps_the_widths(tmp_path: Path) -> None:
    read = read_widths(write_widths(tmp_path / "interval.json", TWO))
    assert read is not None
    assert to_dict(read) == to_dict(TWO)
    assert read_widths(tmp_path / "absent.json") is None


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("groups"),
        lambda content: content.update(groups=[]),
        lambda content: content.update(format=2),
        lambda content: content["profile"].pop(),
        lambda content: content.update(spread_scale=0.0),
        lambda content: content.update(unlike=[0.1]),
        lambda content: content.update(unlike=[0.1, -0.1]),
        lambda content: content["estimated"].pop("grouped"),
        lambda content: content["groups"][0].update(scale=[0.0] * len(PROFILE)),
        lambda content: content["groups"][0].update(center=["far"] * len(PROFILE)),
        lambda content: content["groups"][0].update(known=[0.1, 1e9]),
        lambda content: content["groups"][0].update(radius=float("nan")),
    ],
)
def test_a_file_with_a_fault_is_named(change: Callable[[dict[str, Any]], object], tmp_path: Path) -> None:
    content = to_dict(TWO)
    change(content)
    path = tmp_path / "interval.json"
    path.write_text(json.dumps(content))
    with pytest.raises(PackError, match=r"interval\.json does not hold"):
        read_widths(path)


@pytest.mark.parametrize("constants", [{**FLAT, "inside": -1.0}, {**FLAT, "spread_scale": 0.0}, {}])
def test_flat_widths_are_checked(constants: dict[str, float]) -> None:
    with pytest.raises((KeyError, ValueError)):
        Widths.flat(constants)


@pytest.mark.parametrize("name", WITH_FAMILIES)
def test_published_networks_are_most_like_their_own_families(name: str) -> None:
    predictor = load_latency_predictor(name)
    groups = {group.name: group for group in predictor.widths.groups}
    assert len(groups) >= 10
    for family in ("mobilenetv1", "nasbench201", "densenet"):
        graph = zoo.build(family)
        specs = [kernel.spec for kernel in predictor.kernels(predictor.read(graph))]
        answers = predictor.kernel_latencies(specs)
        hard = hardness(
            np.ones((1, len(specs))), specs, [answers[spec] for spec in specs], predictor.overhead_ms
        )
        assert min(groups, key=lambda one: float(groups[one].distance(hard.profile)[0])) == family


def test_strange_architectures_are_less_sure() -> None:
    for name in WITH_FAMILIES:
        predictor = load_latency_predictor(name)

        def width(graph: Any, predictor: Any = predictor) -> float:
            low_ms, high_ms = predictor.profile(graph).interval_ms
            return float(high_ms / low_ms)

        assert width(zoo.build("resnet18", input_shape=(1, 1024, 1024, 3))) > width(zoo.build("resnet18"))


def test_none_adds_nothing() -> None:
    assert Sides(0.1, 0.2) + NONE == Sides(0.1, 0.2)
    assert Sides(0.1, 0.2) * 2.0 == Sides(0.2, 0.4)
