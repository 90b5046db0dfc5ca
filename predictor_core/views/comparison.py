"""Two reports compared: what changed, where, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from predictor_core.text import printable
from predictor_core.views.breakdown import NO_MODULE, column_names
from predictor_core.views.grid import grid

if TYPE_CHECKING:
    from predictor_core.predictor.report import KernelReport, LatencyReport

#: Rows of a difference by module or by type that text shows.
_ROWS = 12
#: Latencies closer than this, relatively, are equal.
_EQUAL = 1e-9


@dataclass(frozen=True)
class Difference:
    """A part that is in one of two reports or in both.

    Parameters
    ----------
    name : str
        Path of the module, or kernel type.
    before_ms, after_ms : float
        Latency; 0 where the report has no such part.
    before_kernels, after_kernels : int
        How many kernels.
    """

    name: str
    before_ms: float
    after_ms: float
    before_kernels: int
    after_kernels: int

    @property
    def change_ms(self) -> float:
        """How much slower it became."""
        return self.after_ms - self.before_ms


@dataclass(frozen=True)
class Comparison:
    """Difference of two predictions.

    Parameters
    ----------
    before, after : LatencyReport
        What was compared.
    modules, types : tuple of Difference
        Largest change first; parts that are equal are left out. The changes of the modules, as those of the
        types, and that of the overhead sum to that of the latency.
    removed, added : tuple of KernelReport
        Kernels that only `before` or only `after` has: of another type, other shapes or other parameters.
    kept : int
        Kernels that both have.
    slowed_ms : float
        How much slower the kernels became that both have: not 0 for another device or version alone.
    """

    before: LatencyReport
    after: LatencyReport
    modules: tuple[Difference, ...]
    types: tuple[Difference, ...]
    removed: tuple[KernelReport, ...]
    added: tuple[KernelReport, ...]
    kept: int
    slowed_ms: float

    @property
    def change_ms(self) -> float:
        """How much slower the model became."""
        return self.after.latency_ms - self.before.latency_ms

    @property
    def change(self) -> float:
        """Change relative to the latency before."""
        return self.change_ms / self.before.latency_ms if self.before.latency_ms > 0.0 else 0.0

    @property
    def intervals_overlap(self) -> bool | None:
        """Whether some latency lies in both 90 % intervals; None where a report has none."""
        if self.before.interval_ms is None or self.after.interval_ms is None:
            return None
        return (
            self.before.interval_ms[0] <= self.after.interval_ms[1]
            and self.after.interval_ms[0] <= self.before.interval_ms[1]
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""

        def one(report: LatencyReport) -> dict[str, Any]:
            return {
                "model": report.model,
                "predictor": report.predictor,
                "predictor_version": report.version,
                "latency_ms": report.latency_ms,
                "interval_ms": list(report.interval_ms) if report.interval_ms else None,
            }

        return {
            "before": one(self.before),
            "after": one(self.after),
            "change_ms": self.change_ms,
            "change": self.change,
            "intervals_overlap": self.intervals_overlap,
            "kept_kernels": self.kept,
            "slowed_ms": self.slowed_ms,
            "overhead_change_ms": self.after.overhead_ms - self.before.overhead_ms,
            "by_type": [{**asdict(one), "change_ms": one.change_ms} for one in self.types],
            "by_module": [{**asdict(one), "change_ms": one.change_ms} for one in self.modules],
            "removed": [kernel.to_dict() for kernel in self.removed],
            "added": [kernel.to_dict() for kernel in self.added],
        }

    def __str__(self) -> str:
        return comparison_text(self)


def compare(before: LatencyReport, after: LatencyReport, depth: int | None = 2) -> Comparison:
    """Compare two reports: of two models on one device, or of one model on two.

    Parameters
    ----------
    before, after : LatencyReport
    depth : int, optional
        Levels of modules to tell apart; None for all.

    Returns
    -------
    Comparison

    Examples
    --------
    >>> from predictor_core import load_latency_predictor, zoo
    >>> predictor = load_latency_predictor("cortexA76cpu_tflite21")
    >>> small, large = (predictor.profile(zoo.build(name)) for name in ("mobilenetv1", "vgg"))
    >>> compare(small, large).change > 0
    True
    """
    mine: dict[tuple[Any, ...], list[KernelReport]] = {}
    for kernel in before.kernels:
        mine.setdefault(_kind(kernel), []).append(kernel)
    added, kept, slowed_ms = [], 0, 0.0
    for kernel in after.kernels:
        same = mine.get(_kind(kernel))
        if same:
            kept += 1
            slowed_ms += kernel.latency_ms - same.pop(0).latency_ms
        else:
            added.append(kernel)
    return Comparison(
        before,
        after,
        _differences(before, after, lambda kernel: ".".join(kernel.module[:depth]) or NO_MODULE),
        _differences(before, after, lambda kernel: kernel.type),
        tuple([kernel for rest in mine.values() for kernel in rest]),
        tuple(added),
        kept,
        0.0 if abs(slowed_ms) <= _EQUAL * after.latency_ms else slowed_ms,
    )


def comparison_text(comparison: Comparison, width: int | None = None) -> str:
    """Write a comparison as text: the totals, what explains the change, the changes by type and module."""
    before, after = comparison.before, comparison.after
    names = column_names([before, after])
    if names[0] == names[1]:
        names = ["before", "after"]
    lines = [f"{printable(name)}: {_total(report)}" for name, report in zip(names, (before, after))]
    lines.append(f"change: {comparison.change_ms:+.4g} ms ({comparison.change:+.1%}){_overlap(comparison)}")
    lines += [f"explained by: {reason}" for reason in reasons(comparison)]
    for heading, differences in (("type", comparison.types), ("module", comparison.modules)):
        if differences:
            lines += ["", _table(heading, differences, width)]
    return "\n".join(lines)


def reasons(comparison: Comparison) -> list[str]:
    """Return sentences that explain the change, the weightiest first."""
    found = []
    if comparison.added or comparison.removed:
        found.append((_gain(comparison), _kernels(comparison)))
    if comparison.slowed_ms:
        found.append(
            (
                comparison.slowed_ms,
                f"{comparison.slowed_ms:+.4g} ms for {comparison.kept} kernels that both have",
            )
        )
    overhead_ms = comparison.after.overhead_ms - comparison.before.overhead_ms
    if overhead_ms:
        found.append((overhead_ms, f"{overhead_ms:+.4g} ms of overhead"))
    return [text for _, text in sorted(found, key=lambda pair: -abs(pair[0]))] or ["nothing changed"]


def _gain(comparison: Comparison) -> float:
    return _sum(comparison.added) - _sum(comparison.removed)


def _kernels(comparison: Comparison) -> str:
    removed, added = comparison.removed, comparison.added
    text = (
        f"{_gain(comparison):+.4g} ms: {len(removed)} removed kernels ({_sum(removed):.4g} ms), "
        f"{len(added)} added ({_sum(added):.4g} ms)"
    )
    if comparison.types:
        most = comparison.types[0]
        text += (
            f", foremost {printable(most.name)}: {most.before_kernels} -> {most.after_kernels} kernels, "
            f"{most.change_ms:+.4g} ms"
        )
    return text


def _sum(kernels: Iterable[KernelReport]) -> float:
    return sum(kernel.latency_ms for kernel in kernels)


def _kind(kernel: KernelReport) -> tuple[Any, ...]:
    return (kernel.type, kernel.details, kernel.input_shapes, kernel.output_shape)


def _differences(
    before: LatencyReport, after: LatencyReport, name_of: Callable[[KernelReport], str]
) -> tuple[Difference, ...]:
    """Sum the kernels of each name in both reports, and return the names where the sums differ."""
    sums: dict[str, tuple[list[float], list[int]]] = {}
    for side, report in enumerate((before, after)):
        for kernel in report.kernels:
            ms, counts = sums.setdefault(name_of(kernel), ([0.0, 0.0], [0, 0]))
            ms[side] += kernel.latency_ms
            counts[side] += 1
    found = [
        Difference(name, ms[0], ms[1], counts[0], counts[1])
        for name, (ms, counts) in sums.items()
        if abs(ms[1] - ms[0]) > _EQUAL * max(ms) or counts[0] != counts[1]
    ]
    return tuple(sorted(found, key=lambda one: -abs(one.change_ms)))


def _total(report: LatencyReport) -> str:
    text = f"{report.latency_ms:.4g} ms"
    if report.interval_ms:
        text += f" (90 % interval {report.interval_ms[0]:.4g} to {report.interval_ms[1]:.4g} ms)"
    return text


def _overlap(comparison: Comparison) -> str:
    overlap = comparison.intervals_overlap
    if overlap is None:
        return ""
    return ", the intervals overlap" if overlap else ", the intervals do not overlap"


def _table(heading: str, differences: Sequence[Difference], width: int | None) -> str:
    rows = [
        (
            one.name,
            f"{one.before_ms:.4f}",
            f"{one.after_ms:.4f}",
            f"{one.change_ms:+.4f}",
            f"{one.before_kernels} -> {one.after_kernels}",
        )
        for one in differences[:_ROWS]
    ]
    text = grid(
        [(heading, "before ms", "after ms", "change", "kernels"), *rows], right=(1, 2, 3, 4), width=width
    )
    rest = differences[_ROWS:]
    if rest:
        text += f"\n... and {len(rest)} smaller changes, {sum(one.change_ms for one in rest):+.4g} ms"
    return text
