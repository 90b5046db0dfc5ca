"""Reports taken apart: by module, by kernel type, by kernel, with a column a report."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from predictor_core.errors import PredictorError

if TYPE_CHECKING:
    from predictor_core.predictor.report import KernelReport, LatencyReport

By = Literal["module", "type", "kernel"]
Key = TypeVar("Key", bound=Hashable)

#: What the latency that belongs to no kernel is called.
OVERHEAD = "(overhead)"
#: Kernels that come from no module.
NO_MODULE = "(no module)"


class Support(NamedTuple):
    """Latency in ms by what it rests on."""

    measured: float = 0.0
    outside: float = 0.0
    bounded: float = 0.0
    estimated: float = 0.0

    @property
    def total(self) -> float:
        """Sum in ms."""
        return sum(self)

    def __add__(self, other: object) -> Support:
        if not isinstance(other, Support):
            return NotImplemented
        return Support(*(one + two for one, two in zip(self, other)))


#: What the fields of `Support` are called in front of people.
SUPPORT_LABELS = {
    "measured": "measured kernels",
    "outside": "outside the training range",
    "bounded": "at the peak rate of the device",
    "estimated": "estimated",
}


def support_of(kernel: KernelReport) -> str:
    """Return which field of `Support` the latency of a kernel belongs to."""
    if kernel.bounded:
        return "bounded"
    if not kernel.measured:
        return "estimated"
    return "outside" if kernel.outside else "measured"


@dataclass(frozen=True)
class Part:
    """A row of a breakdown.

    Parameters
    ----------
    name : str
        Last part of the module path, kernel type, or name of the kernel.
    path : tuple of str
        Whole path; for types and kernels the name alone.
    latency : tuple of (Support or None)
        One a report; None where the report has no such part.
    kernels : tuple of int
        How many kernels, one a report.
    leaf : bool
        False where more rows stand below this one, which holds their sum.
    """

    name: str
    path: tuple[str, ...]
    latency: tuple[Support | None, ...]
    kernels: tuple[int, ...]
    leaf: bool = True

    @property
    def depth(self) -> int:
        """How far the row is indented."""
        return len(self.path) - 1

    @property
    def ms(self) -> tuple[float | None, ...]:
        """Latency in ms, one a report."""
        return tuple([None if one is None else one.total for one in self.latency])


def totals(pairs: Iterable[tuple[Key, float]]) -> dict[Key, float]:
    """Sum the numbers of each key, largest first."""
    sums: dict[Key, float] = {}
    for key, number in pairs:
        sums[key] = sums.get(key, 0.0) + number
    return dict(sorted(sums.items(), key=lambda item: -item[1]))


def parts(reports: Sequence[LatencyReport], by: By, depth: int | None = None) -> list[Part]:
    """Take reports apart.

    Parameters
    ----------
    reports : sequence of LatencyReport
        Columns.
    by : {"module", "type", "kernel"}
        Rows: the tree of modules in the order of execution (each row holds the sum of those below it), the
        kernel types, the costliest first, or the kernels in the order of execution. Kernels of several
        reports share a row when they have the same main node.
    depth : int, optional
        Levels of modules to show. Default: all.

    Returns
    -------
    list of Part
        With the overhead as the last row, where a report has any; the rows of no depth sum to the latencies.

    Raises
    ------
    PredictorError
        For another `by`, or a depth below 1.
    """
    if depth is not None and depth < 1:
        raise PredictorError(f"expected a depth of at least 1, got {depth}")
    if by == "module":
        rows = _tree(reports, depth)
    elif by == "type":
        rows = _flat(reports, [[kernel.type for kernel in report.kernels] for report in reports])
        rows.sort(key=lambda part: -max(ms or 0.0 for ms in part.ms))
    elif by == "kernel":
        rows = _flat(reports, [[kernel.name for kernel in report.kernels] for report in reports])
    else:
        raise PredictorError(f"can't show a report by {by!r}; expected module, type or kernel")
    if any(report.overhead_ms for report in reports):
        overhead = tuple([Support(report.overhead_ms) for report in reports])
        rows.append(Part(OVERHEAD, (OVERHEAD,), overhead, (0,) * len(reports)))
    return rows


def column_names(reports: Sequence[LatencyReport]) -> list[str]:
    """Return what tells the reports apart: the device, the model, or both."""
    models = {report.model for report in reports}
    devices = {(report.predictor, report.version) for report in reports}
    several_versions = len(devices) > len({name for name, _ in devices})
    names = []
    for report in reports:
        device = f"{report.predictor} {report.version}" if several_versions else report.predictor
        if len(models) == 1:
            names.append(device)
        elif len(devices) == 1:
            names.append(report.model)
        else:
            names.append(f"{report.model} on {device}")
    return names


def _flat(reports: Sequence[LatencyReport], names: Sequence[Sequence[str]]) -> list[Part]:
    sums = [_summed(zip([(name,) for name in column], r.kernels)) for column, r in zip(names, reports)]
    return [_part(path, sums, leaf=True) for path in _merged([list(column) for column in sums])]


Sums = dict[tuple[str, ...], tuple[Support, int]]


def _summed(kernels: Iterable[tuple[tuple[str, ...], KernelReport]]) -> Sums:
    """Latency and count of the kernels of each path, and of all paths that it starts with."""
    sums: Sums = {}
    for path, kernel in kernels:
        added = Support(**{support_of(kernel): kernel.latency_ms})
        for length in range(1, len(path) + 1):
            latency, count = sums.get(path[:length], (Support(), 0))
            sums[path[:length]] = (latency + added, count + 1)
    return sums


def _part(path: tuple[str, ...], sums: Sequence[Sums], leaf: bool) -> Part:
    found = [column.get(path) for column in sums]
    return Part(
        path[-1],
        path,
        tuple([None if one is None else one[0] for one in found]),
        tuple([0 if one is None else one[1] for one in found]),
        leaf,
    )


def _tree(reports: Sequence[LatencyReport], depth: int | None) -> list[Part]:
    sums = [
        _summed((kernel.module[:depth] or (NO_MODULE,), kernel) for kernel in report.kernels)
        for report in reports
    ]
    children: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for path in _merged([list(column) for column in sums]):
        children.setdefault(path[:-1], []).append(path)
    rows: list[Part] = []
    waiting = list(reversed(children.get((), [])))
    while waiting:
        path = waiting.pop()
        below = children.get(path, [])
        rows.append(_part(path, sums, leaf=not below))
        waiting += reversed(below)
    return rows


def _merged(columns: Sequence[Sequence[Key]]) -> list[Key]:
    """Keys of all columns, those that a later column adds behind the key that they follow there."""
    merged: list[Key] = []
    for column in columns:
        known = set(merged)
        added: dict[Key | None, list[Key]] = {}
        anchor: Key | None = None
        for key in column:
            if key in known:
                anchor = key
            else:
                added.setdefault(anchor, []).append(key)
        if added:
            merged = [*added.get(None, []), *(one for key in merged for one in (key, *added.get(key, [])))]
    return merged
