"""Pieces of the HTML of a report: headline, bars, tree, kernels, device card."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape as _escape
from typing import TYPE_CHECKING, Any

from predictor_core.text import printable
from predictor_core.views.breakdown import SUPPORT_LABELS, Part, Support, parts, support_of
from predictor_core.views.text import HEADINGS, kernel_rows

if TYPE_CHECKING:
    from predictor_core.predictor.report import LatencyReport

#: Bars that a group shows; the rest is summed up.
_BARS = 24
#: Characters of the path of a module beside its bar; its end tells more than its start.
_LABEL = 18
#: Classes of the parts of a bar, by the fields of `Support`.
_MARKS = {"measured": "m", "outside": "o", "bounded": "b", "estimated": "e"}
_NUMERIC = ' class="n"'


def escape(text: str) -> str:
    """Return text that stands for itself in HTML, control characters as escapes."""
    return _escape(printable(text))


def legend() -> str:
    """Return what the colours of the bars mean."""
    items = "".join(
        f'<li><i class="{_MARKS[field]}"></i>{escape(label)}</li>' for field, label in SUPPORT_LABELS.items()
    )
    return f'<ul class="legend" aria-label="What the colours mean">{items}</ul>'


def overview(reports: Sequence[LatencyReport]) -> str:
    """Return a table of several reports: totals with intervals on one scale, and coverage."""
    highest_ms = max(
        [report.interval_ms[1] if report.interval_ms else report.latency_ms for report in reports]
    )
    rows = "".join(
        f'<tr><td><a href="#r{number}">{escape(report.model)}</a><td>{escape(report.predictor)} '
        f"{escape(report.version)}<td{_NUMERIC} data-v={report.latency_ms:.9g}>{ms_text(report.latency_ms)}"
        f"<td>{_interval_bar(report, highest_ms)}"
        f"<td{_NUMERIC} data-v={report.coverage:.6g}>{report.coverage:.0%}"
        for number, report in enumerate(reports)
    )
    return (
        '<div class="scroll"><table class="overview sortable"><thead><tr><th>model<th>predictor'
        f'<th class="n">ms<th data-fixed>90 % interval<th class="n">coverage<tbody>{rows}</table></div>'
    )


def report_section(report: LatencyReport, name: str, number: int, opened: bool) -> str:
    """Return everything about one report, foldable; `name` tells it apart from the others of the page."""
    interval = ""
    if report.interval_ms:
        low_ms, high_ms = report.interval_ms
        interval = f' <span class="dim">90 % interval {ms_text(low_ms)} to {ms_text(high_ms)} ms</span>'
    facts = (
        f"{len(report.kernels)} kernels, coverage {report.coverage:.1%}, {ms_text(report.overhead_ms)} ms of "
        f"overhead, {len(report.free)} free ops"
    )
    warnings = "".join(f"<li>{escape(warning)}" for warning in report.warnings)
    modules = parts([report], "module")
    return (
        f'<details class="report" id="r{number}"{" open" if opened else ""}><summary><b>{escape(name)}</b> '
        f'<span class="total">{ms_text(report.latency_ms)} ms</span>{interval}</summary>'
        f"<p>{escape(report.model)} on {escape(report.predictor)} {escape(report.version)}"
        f"{': ' if report.device else ''}{escape(report.device)}<br>{facts}</p>"
        f"{f'<ul class=warnings>{warnings}</ul>' if warnings else ''}"
        '<div class="columns">'
        f"<section><h3>By module</h3>{_bars(_blocks(modules), report.latency_ms)}</section>"
        f"<section><h3>By kernel type</h3>{_bars(parts([report], 'type'), report.latency_ms)}</section></div>"
        f"<details><summary>Modules</summary>{_tree(modules, report.latency_ms)}</details>"
        f"<details><summary>Kernels</summary>{_kernels(report)}</details>"
        f"{_card(report.card)}</details>"
    )


def ms_text(ms: float) -> str:
    """Return a latency in ms for people: at most four digits behind the point, never an exponent."""
    if ms < 1.0:
        return f"{ms:.4f}"
    return f"{ms:.4g}" if ms < 9999.5 else f"{ms:,.0f}"


def _interval_bar(report: LatencyReport, highest_ms: float) -> str:
    scale = 100.0 / (highest_ms or 1.0)
    middle = report.latency_ms * scale
    low_ms, high_ms = report.interval_ms or (report.latency_ms, report.latency_ms)
    text = f"{ms_text(low_ms)} to {ms_text(high_ms)}" if report.interval_ms else "not known"
    return (
        f'<span class="interval"><i style="left:{low_ms * scale:.1f}%;'
        f'width:{(high_ms - low_ms) * scale:.1f}%"></i><b style="left:{middle:.1f}%"></b></span> '
        f'<span class="dim">{text}</span>'
    )


def _figures(part: Part, scale: float, total_ms: float) -> str:
    """Return a bar whose parts tell what the latency rests on (`scale` % for a ms), the ms and the share."""
    pieces = "".join(
        f'<i class="{_MARKS[field]}" style="width:{ms * scale:.2f}%"></i>'
        for field, ms in zip(Support._fields, part.latency[0] or Support())
        if ms * scale >= 0.005
    )
    return (
        f'<span class="bar">{pieces}</span><span class="n">{ms_text(_ms(part))}</span>'
        f'<span class="n dim">{_ms(part) / (total_ms or 1.0):.1%}</span>'
    )


def _blocks(rows: Sequence[Part]) -> list[Part]:
    """Return the first level of the tree that tells modules apart, instead of one that holds nearly all."""
    shown = [part for part in rows if part.depth == 0]
    for _ in range(4):
        largest = max(shown, key=_ms, default=None)
        if largest is None or largest.leaf or _ms(largest) < 0.5 * sum(map(_ms, shown)):
            break
        inside = [part for part in rows if part.path[:-1] == largest.path]
        at = shown.index(largest)
        shown = [*shown[:at], *inside, *shown[at + 1 :]]
    return shown


def _ms(part: Part) -> float:
    return part.ms[0] or 0.0


def _bars(rows: Sequence[Part], total_ms: float) -> str:
    shown = list(rows)
    if len(shown) > _BARS:
        costly = sorted(shown, key=_ms, reverse=True)[: _BARS - 1]
        rest = [part for part in shown if part not in costly]
        shown = [part for part in shown if part in costly]
        latency = sum((part.latency[0] or Support() for part in rest), Support())
        shown.append(Part("", (f"{len(rest)} others",), (latency,), (0,)))
    scale = 100.0 / max(max(map(_ms, shown), default=0.0), 1e-12)
    return (
        '<div class="bars">'
        + "".join(
            f'<div><span class="name" title="{escape(".".join(part.path))}">'
            f"{escape(_label(part.path))}</span>{_figures(part, scale, total_ms)}</div>"
            for part in shown
        )
        + "</div>"
    )


def _label(path: Sequence[str]) -> str:
    text = ".".join(path)
    while len(text) > _LABEL and len(path) > 1:
        path = path[1:]
        text = ".".join(path)
    return text


def _tree(rows: Sequence[Part], total_ms: float) -> str:
    """Return the modules as nested elements that fold; a chain of only children is one line."""
    return '<div class="tree">' + "".join(_branches(rows, total_ms)) + "</div>"


def _branches(rows: Sequence[Part], total_ms: float) -> Iterator[str]:
    scale = 100.0 / (total_ms or 1.0)
    open_depths: list[int] = []
    chain: list[str] = []
    for part, following in zip(rows, [*rows[1:], None]):
        while open_depths and part.depth <= open_depths[-1]:
            open_depths.pop()
            yield "</details>"
        chain.append(part.name)
        if not part.leaf and following is not None and following.kernels == part.kernels:
            continue
        count = f"{part.kernels[0]} kernels" if part.kernels[0] > 1 else ""
        line = (
            f'<span class="name">{escape(".".join(chain))} <span class="dim">{count}</span></span>'
            f"{_figures(part, scale, total_ms)}"
        )
        chain = []
        if part.leaf:
            yield f'<div class="row">{line}</div>'
        else:
            open_depths.append(part.depth)
            yield f'<details{" open" if len(open_depths) == 1 else ""}><summary class="row">{line}</summary>'
    yield "</details>" * len(open_depths)


def _kernels(report: LatencyReport) -> str:
    classes = [_NUMERIC if heading in ("ms", "share") else "" for heading in HEADINGS]
    rows = []
    for number, (kernel, texts) in enumerate(zip(report.kernels, kernel_rows(report)), 1):
        cells = "".join(f"<td{own}>{escape(text)}" for own, text in zip(classes, texts))
        rows.append(f"<tr class={_MARKS[support_of(kernel)]}><td{_NUMERIC}>{number}{cells}")
    head = f"<th{_NUMERIC}>#" + "".join(f"<th{own}>{title}" for own, title in zip(classes, HEADINGS))
    return (
        f'<div class="scroll"><table class="kernels sortable"><thead><tr>{head}<tbody>{"".join(rows)}'
        "</table></div>"
    )


def _card(card: Mapping[str, Any]) -> str:
    if not card:
        return ""
    return f"<details class=card><summary>Device card</summary>{_entries(card.items())}</details>"


def _entries(items: Iterable[tuple[Any, Any]]) -> str:
    lines = []
    for key, value in items:
        if isinstance(value, Mapping):
            text = _entries(value.items())
        elif isinstance(value, (list, tuple)):
            text = escape(", ".join(map(str, value)))
        else:
            text = escape(" ".join(str(value).split()))
        lines.append(f"<dt>{escape(str(key).replace('_', ' '))}<dd>{text}")
    return f"<dl>{''.join(lines)}</dl>"
