from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from predictor_core.errors import PredictorError
from predictor_core.predictor.report import KernelReport, LatencyReport
from tests.golden.reports import phone, stick

matplotlib = pytest.importorskip("matplotlib")


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    from matplotlib import pyplot

    pyplot.switch_backend("agg")
    yield
    pyplot.close("all")


def test_roofline_has_every_kernel_below_the_roof() -> None:
    from predictor_core.views.plots import roofline

    axes = roofline(phone())
    points = np.concatenate([one.get_offsets() for one in axes.collections])
    assert len(points) == len(phone().kernels)
    (roof,) = axes.lines
    assert roof.get_ydata().max() == pytest.approx(899.0)
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert not roofline(stick()).lines


def test_a_roofline_needs_kernels_that_compute() -> None:
    from predictor_core.views.plots import roofline

    silent = KernelReport("a", "relu", 1.0, True, (), ((1, 2),), (1, 2))
    with pytest.raises(PredictorError, match="no kernel of m says what it computes"):
        roofline(LatencyReport("m", "p", "2.0", [silent]))


def test_cumulative_starts_at_the_overhead_and_ends_at_the_latency() -> None:
    from predictor_core.views.plots import cumulative

    reports = [phone(), stick()]
    for line, report in zip(cumulative(reports).lines, reports):
        assert line.get_ydata()[0] == report.overhead_ms
        assert line.get_ydata()[-1] == pytest.approx(report.latency_ms)
    for line in cumulative(reports, relative=True).lines:
        assert line.get_ydata()[-1] == pytest.approx(1.0)


def test_space_counts_each_candidate_once() -> None:
    from predictor_core.views.plots import space

    latencies_ms = np.random.default_rng(0).gamma(9.0, 4.0, 500)
    axes = space([*latencies_ms, np.nan], 30.0)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert f"below: {(latencies_ms < 30.0).mean():.1%} of 500" in labels
    for bars, chosen in zip(axes.containers, (latencies_ms < 30.0, latencies_ms >= 30.0)):
        assert sum(bar.get_height() for bar in bars) == pytest.approx(chosen.sum())
    with pytest.raises(PredictorError, match="at least one finite latency"):
        space([np.nan])


def test_the_pareto_front_is_what_nothing_beats() -> None:
    from predictor_core.views.plots import pareto, pareto_front

    rng = np.random.default_rng(1)
    ms, score = rng.integers(0, 20, 200).astype(float), rng.integers(0, 20, 200).astype(float)
    front = pareto_front(ms, score)
    beaten = (
        (ms <= ms[:, None]) & (score >= score[:, None]) & ((ms < ms[:, None]) | (score > score[:, None]))
    ).any(1)
    assert set(zip(ms[front], score[front])) == set(zip(ms[~beaten], score[~beaten]))
    assert (np.diff(ms[front]) > 0).all()
    axes = pareto(ms, score, np.c_[ms * 0.9, ms * 1.1], score_label="accuracy")
    assert axes.get_ylabel() == "accuracy"
    with pytest.raises(PredictorError, match="as many scores as latencies, got 1 and 2"):
        pareto([1.0, 2.0], [1.0])
    with pytest.raises(PredictorError, match=r"shape \(2, 2\), got \(2,\)"):
        pareto([1.0, 2.0], [1.0, 2.0], [1.0, 2.0])


def test_an_axes_that_is_given_is_used() -> None:
    from matplotlib.figure import Figure

    from predictor_core.views.plots import space

    own = Figure().subplots()
    assert space([1.0, 2.0], ax=own) is own
