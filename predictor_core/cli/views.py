"""The options of ``nn-meter predict`` that show reports, and what they write."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from predictor_core.cli.arguments import positive
from predictor_core.cli.console import UsageError, colour, log, width
from predictor_core.errors import requires
from predictor_core.files import atomic_file, write_atomically

if TYPE_CHECKING:
    from predictor_core.cli.models import Source
    from predictor_core.predictor.report import LatencyReport

#: Options that name a file to write.
_FILES = ("html", "trace", "overlay", "roofline", "cumulative")


def add_views(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    group = parser.add_argument_group("reports")
    group.add_argument(
        "--table",
        nargs="?",
        const="module",
        choices=("module", "type", "kernel"),
        help="where the time goes: by module (default), kernel type or kernel, devices side by side",
    )
    group.add_argument(
        "--depth", type=positive, metavar="N", help="levels of modules in the table (default: all)"
    )
    group.add_argument(
        "--format",
        default="text",
        choices=("text", "markdown", "csv", "json"),
        help="of the table; all but text print nothing else to stdout",
    )
    group.add_argument("--html", metavar="FILE", help="write one standalone HTML file with everything")
    group.add_argument("--trace", metavar="FILE", help="write a trace for Perfetto and chrome://tracing")
    group.add_argument(
        "--overlay", metavar="FILE", help="write node data for Model Explorer; one file a model and device"
    )
    group.add_argument(
        "--roofline", metavar="FILE", help="plot the kernels under the device's roofline (.png, .svg, .pdf)"
    )
    group.add_argument("--cumulative", metavar="FILE", help="plot the latency along the models")


def wanted(arguments: argparse.Namespace) -> bool:
    """Whether any view is asked for.

    Raises
    ------
    UsageError
        For options that do not go together.
    """
    if arguments.table is None and (arguments.depth is not None or arguments.format != "text"):
        raise UsageError("--depth and --format belong to --table")
    if arguments.table is not None and arguments.json:
        raise UsageError("--table and --json both write to stdout; expected one of them")
    if arguments.depth is not None and arguments.table != "module":
        raise UsageError("--depth goes with --table module")
    for name in _FILES:
        if getattr(arguments, name) == "-":
            raise UsageError(f"--{name} writes to a file, not to stdout; expected its name")
    return arguments.table is not None or any(getattr(arguments, name) for name in _FILES)


def show(
    arguments: argparse.Namespace,
    answers: Sequence[tuple[Source, LatencyReport]],
    inputs: Sequence[str],
    options: Mapping[str, Any],
) -> None:
    """Print and write the views that are asked for.

    Parameters
    ----------
    arguments : argparse.Namespace
    answers : sequence of (Source, LatencyReport)
        Models and their reports.
    inputs : sequence of str
        Files that are never replaced.
    options : mapping
        How the models were read.
    """
    reports = [report for _, report in answers]
    if arguments.table:
        from predictor_core.views.formats import table

        text = table(
            reports,
            arguments.table,
            arguments.depth,
            arguments.format,
            width=width(),
            colour=colour(sys.stdout),
        )
        print(f"\n{text}" if arguments.format == "text" else text)
    if arguments.html:
        from predictor_core.views.html import page

        _write(arguments.html, page(reports), inputs)
    if arguments.trace:
        from predictor_core.views.trace import trace_json

        _write(arguments.trace, trace_json(reports), inputs)
    if arguments.overlay:
        from predictor_core.views.overlay import overlay_json

        for path, (source, report) in zip(_paths(arguments.overlay, reports), answers):
            _write(path, overlay_json(report, _names(source, options)), inputs)
    if arguments.roofline:
        from predictor_core.views.plots import roofline

        for path, report in zip(_paths(arguments.roofline, reports), reports):
            _plot(path, roofline, report, inputs)
    if arguments.cumulative:
        from predictor_core.views.plots import cumulative

        _plot(arguments.cumulative, cumulative, reports, inputs)


def _names(source: Source, options: Mapping[str, Any]) -> Mapping[str, str]:
    """Return what Model Explorer calls the nodes of a model, where it is not what reports call them."""
    if source.model_type != "tflite":
        return {}
    from predictor_core.frontends.tflite import tensor_names

    return tensor_names(source.path, **options)


def _paths(path: str, reports: Sequence[LatencyReport]) -> list[str]:
    """Return a file for each report: the path itself for one, else with model and predictor in its name."""
    if len(reports) == 1:
        return [path]
    whole = Path(path)
    several = len({report.model for report in reports}) > 1
    names = [f"{Path(one.model).name}.{one.predictor}" if several else one.predictor for one in reports]
    return [str(whole.with_name(f"{whole.stem}.{name}{whole.suffix}")) for name in names]


def _write(path: str, content: str, inputs: Sequence[str]) -> None:
    write_atomically(path, content, inputs=inputs)
    log(f"wrote {path}")


def _plot(path: str, draw: Callable[[Any, Any], object], shown: Any, inputs: Sequence[str]) -> None:
    with requires("matplotlib", "plot", "A plot"):
        from matplotlib.figure import Figure
    figure = Figure(figsize=(8.0, 5.0), layout="constrained")
    draw(shown, figure.subplots())
    kind = Path(path).suffix.lower().lstrip(".")
    known = figure.canvas.get_supported_filetypes()
    if kind not in known:
        raise UsageError(f"{path}: expected a name that ends in one of .{', .'.join(sorted(known))}")
    with atomic_file(path, inputs=inputs) as file:
        figure.savefig(file, format=kind, dpi=150)
    log(f"wrote {path}")
