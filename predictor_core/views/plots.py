"""Plots with matplotlib: each function returns the Axes that it has drawn on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from predictor_core.errors import PredictorError, requires
from predictor_core.views.breakdown import SUPPORT_LABELS, column_names, support_of

if TYPE_CHECKING:
    from predictor_core.predictor.report import LatencyReport

_COLOURS = {"measured": "#2f6fb5", "outside": "#c98a1b", "bounded": "#8a5bb0", "estimated": "#c4483a"}
_MARKERS = {"measured": "o", "outside": "s", "bounded": "^", "estimated": "x"}


def roofline(report: LatencyReport, ax: Any = None) -> Any:
    """Plot the kernels under the roofline of the device.

    The roofline model is that of Williams, Waterman and Patterson, CACM 52(4), 2009.

    Parameters
    ----------
    report : LatencyReport
        Kernels that do not say what they compute and move are left out. The roof is drawn where the device
        card has the peak rates (`peak`).
    ax : matplotlib.axes.Axes, optional
        Default: a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Multiply-accumulates per byte against 10^9 multiply-accumulates per second, both logarithmic; the area
        of a point is the share of the latency.

    Raises
    ------
    PredictorError
        When no kernel computes anything.
    MissingDependencyError
        Without matplotlib.
    """
    axes = _axes(ax)
    # Kernel, multiply-accumulates per byte, 10^9 of them per second.
    points = [
        (kernel, kernel.macs / kernel.moved_bytes, kernel.macs / kernel.latency_ms / 1e6)
        for kernel in report.kernels
        if kernel.macs and kernel.moved_bytes and kernel.latency_ms > 0.0
    ]
    if not points:
        raise PredictorError(f"no kernel of {report.model or 'the model'} says what it computes and moves")
    for field, label in SUPPORT_LABELS.items():
        group = [point for point in points if support_of(point[0]) == field]
        if group:
            axes.scatter(
                [intensity for _, intensity, _ in group],
                [rate for _, _, rate in group],
                s=[20.0 + 600.0 * kernel.latency_ms / report.latency_ms for kernel, _, _ in group],
                c=_COLOURS[field],
                marker=_MARKERS[field],
                alpha=0.7,
                label=label,
            )
    peak = report.card.get("peak") or {}
    if peak:
        gmacs, gbytes = float(peak["gmacs_per_s"]), float(peak["gbytes_per_s"])
        shown = [intensity for _, intensity, _ in points]
        intensity = np.geomspace(0.5 * min(shown), 2.0 * max(*shown, gmacs / gbytes), 200)
        axes.plot(
            intensity, np.minimum(gmacs, gbytes * intensity), color="0.4", label="peak rates of the device"
        )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="multiply-accumulates per byte",
        ylabel="10$^9$ multiply-accumulates per second",
        title=_title(report),
    )
    axes.legend(markerscale=0.7)
    return axes


def cumulative(reports: Sequence[LatencyReport], ax: Any = None, *, relative: bool = False) -> Any:
    """Plot the latency that has passed after each kernel.

    Parameters
    ----------
    reports : sequence of LatencyReport
        One line each, which starts at the overhead.
    ax : matplotlib.axes.Axes, optional
        Default: a new figure.
    relative : bool
        Show shares of each latency instead of ms.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    MissingDependencyError
        Without matplotlib.
    """
    axes = _axes(ax)
    for report, name in zip(reports, column_names(reports)):
        passed = report.overhead_ms + np.cumsum([0.0, *(kernel.latency_ms for kernel in report.kernels)])
        if relative:
            passed = passed / (report.latency_ms or 1.0)
        # Devices cut a model into different numbers of kernels.
        position = np.linspace(0.0, 1.0, len(passed))
        axes.step(position, passed, where="post", label=name)
    axes.set(
        xlabel="share of the kernels, in the order of execution",
        ylabel="share of the latency" if relative else "latency (ms)",
        xlim=(0.0, 1.0),
    )
    axes.set_ylim(bottom=0.0)
    axes.legend()
    return axes


def space(
    latencies_ms: ArrayLike, threshold_ms: float | None = None, ax: Any = None, *, bins: int = 40
) -> Any:
    """Plot how the latencies of a space lie, against a threshold.

    Parameters
    ----------
    latencies_ms : array_like, shape (n,)
        Latencies of candidates, of `predict_many` for example.
    threshold_ms : float, optional
        Candidates below it are set apart, and their share is named.
    ax : matplotlib.axes.Axes, optional
        Default: a new figure.
    bins : int
        Bars of the histogram.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    PredictorError
        When there is no finite latency.
    MissingDependencyError
        Without matplotlib.
    """
    values = np.asarray(latencies_ms, dtype=np.float64).ravel()
    values = values[np.isfinite(values)]
    if not values.size:
        raise PredictorError("expected at least one finite latency in ms, got none")
    axes = _axes(ax)
    edges = np.histogram_bin_edges(values, bins)
    if threshold_ms is None:
        axes.hist(values, edges, color=_COLOURS["measured"])
    else:
        # A bar on both sides of the threshold would have two colours.
        step = edges[1] - edges[0]
        edges = edges + (threshold_ms - edges[0]) % step - step
        edges = np.append(edges, edges[-1] + step)
        below = values < threshold_ms
        axes.hist(
            [values[below], values[~below]],
            edges,
            stacked=True,
            color=[_COLOURS["measured"], "0.7"],
            label=[f"below: {below.mean():.1%} of {values.size}", "not below"],
        )
        axes.axvline(threshold_ms, color=_COLOURS["estimated"], label=f"threshold {threshold_ms:g} ms")
        axes.legend()
    axes.set(xlabel="latency (ms)", ylabel="candidates")
    return axes


def pareto(
    latencies_ms: ArrayLike,
    scores: ArrayLike,
    intervals_ms: ArrayLike | None = None,
    ax: Any = None,
    *,
    score_label: str = "score",
) -> Any:
    """Plot candidates by latency and score, with those that no other beats in both.

    Parameters
    ----------
    latencies_ms, scores : array_like, shape (n,)
        Less latency and more score are better.
    intervals_ms : array_like, shape (n, 2), optional
        Intervals of the latencies, drawn for the Pareto front.
    ax : matplotlib.axes.Axes, optional
        Default: a new figure.
    score_label : str
        What the score is.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    PredictorError
        When the shapes do not fit together.
    MissingDependencyError
        Without matplotlib.
    """
    ms = np.asarray(latencies_ms, dtype=np.float64).ravel()
    score = np.asarray(scores, dtype=np.float64).ravel()
    if ms.shape != score.shape or not ms.size:
        raise PredictorError(f"expected as many scores as latencies, got {score.size} and {ms.size}")
    front = pareto_front(ms, score)
    axes = _axes(ax)
    axes.scatter(ms, score, s=14, color="0.65", label="candidates")
    axes.step(ms[front], score[front], where="post", color=_COLOURS["measured"], label="Pareto front")
    bars = None
    if intervals_ms is not None:
        limits = np.asarray(intervals_ms, dtype=np.float64)
        if limits.shape != (ms.size, 2):
            raise PredictorError(f"expected intervals of shape ({ms.size}, 2), got {limits.shape}")
        bars = np.abs(limits[front].T - ms[front])
    axes.errorbar(
        ms[front], score[front], xerr=bars, fmt="o", markersize=5, capsize=3, color=_COLOURS["measured"],
        label=None if bars is None else "90 % interval",
    )  # fmt: skip
    axes.set(xlabel="latency (ms)", ylabel=score_label)
    axes.legend()
    return axes


def pareto_front(latencies_ms: ArrayLike, scores: ArrayLike) -> Any:
    """Return which candidates no other beats in both latency and score.

    Parameters
    ----------
    latencies_ms, scores : array_like, shape (n,)

    Returns
    -------
    (m,) int64
        Indices, by rising latency. Of candidates that are equal in both, the first.
    """
    ms = np.asarray(latencies_ms, dtype=np.float64)
    score = np.asarray(scores, dtype=np.float64)
    order = np.lexsort((-score, ms))
    best = np.maximum.accumulate(score[order])
    better = np.r_[True, score[order][1:] > best[:-1]] if order.size else np.zeros(0, dtype=bool)
    return order[better]


def _title(report: LatencyReport) -> str:
    return f"{report.model} on {report.predictor}: {report.latency_ms:.4g} ms"


def _axes(ax: Any) -> Any:
    if ax is not None:
        return ax
    with requires("matplotlib", "plot", "A plot"):
        from matplotlib import pyplot
    return pyplot.subplots(figsize=(8.0, 5.0), layout="constrained")[1]
