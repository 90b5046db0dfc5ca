"""``nn-meter predict``: models in, milliseconds out."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from predictor_core.cli import views
from predictor_core.cli.arguments import add_prediction, positive
from predictor_core.cli.console import FAILED, Progress, describe, log, result, width
from predictor_core.cli.models import Source, reading_options, requested

if TYPE_CHECKING:
    from predictor_core.predictor.base import Predictor
    from predictor_core.predictor.report import LatencyReport

#: Predictors that a warning names; the others are counted.
_NAMED = 3


@dataclass(frozen=True)
class _Request:
    """What to do with every model; sent to the worker processes."""

    predictors: tuple[Predictor, ...]
    options: dict[str, Any] = field(default_factory=dict)
    strict: bool = False
    debug: bool = False


@dataclass
class Answer:
    """Reports of one model, and the errors on the way."""

    source: Source
    reports: list[LatencyReport] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the subcommand, and return its parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "predict",
        aliases=["lat_pred"],
        help="predict the latency of models",
        description="Predict the latency of models. A folder means every model in it.",
    )
    add_prediction(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    parser.add_argument("--jobs", type=positive, default=1, metavar="N", help="worker processes (default: 1)")
    views.add_views(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    from predictor_core.views.overview import overview
    from predictor_core.views.text import report_text

    shown = views.wanted(arguments)
    sources = requested(arguments)
    request = _request(arguments, sources)
    quiet = arguments.json or arguments.format != "text"
    several = len(request.predictors) > 1
    failed = False
    rows: list[dict[str, Any]] = []
    kept: list[tuple[Source, LatencyReport]] = []
    try:
        with Progress(len(sources)) as progress:
            for answer in _answers(request, sources, arguments.jobs):
                # Before anything is told of it: what was told is in the document that an interrupt leaves.
                if arguments.json:
                    rows += _json_rows(answer)
                progress.step()
                failed = failed or bool(answer.errors)
                with progress.aside():
                    for error in answer.errors:
                        log(f"error: {answer.source.failed(error)}")
                    for warning in _warnings(answer, several):
                        log(warning)
                    for report in () if quiet else answer.reports:
                        failed = not result(_result(report, several)) or failed
                        if arguments.verbose:
                            result(report_text(report, width=width()))
                if shown or several:
                    kept += [(answer.source, report) for report in answer.reports]
    finally:
        # After an interrupt, too: what is finished is not lost.
        if arguments.json:
            failed = not result(json.dumps(rows, indent=2, default=str)) or failed
    if not arguments.json and several and kept and not quiet:
        result(f"\n{overview([report for _, report in kept], width())}")
    if shown and kept:
        views.show(arguments, kept, [source.path for source in sources], request.options)
    return FAILED if failed else 0


def reports_of(arguments: argparse.Namespace) -> list[Answer]:
    """Return the reports of all models on all predictors of a command line; warnings go to stderr."""
    sources = requested(arguments)
    answers = []
    for answer in _answers(_request(arguments, sources), sources, jobs=1):
        for warning in _warnings(answer, several=True):
            log(warning)
        answers.append(answer)
    return answers


def _request(arguments: argparse.Namespace, sources: Sequence[Source]) -> _Request:
    from predictor_core.catalog import load_entry, match_predictors

    return _Request(
        tuple(map(load_entry, match_predictors(arguments.predictor, arguments.predictor_version))),
        reading_options(arguments, sources),
        arguments.strict,
        arguments.debug,
    )


def _warnings(answer: Answer, several: bool) -> Iterator[str]:
    """Yield the warnings about a model, each once for all predictors that have it."""
    found: dict[str, list[str]] = {}
    for report in answer.reports:
        for warning in report.warnings:
            found.setdefault(warning, []).append(report.predictor)
    for warning, names in found.items():
        listed = ", ".join(names[:_NAMED])
        if len(names) > _NAMED:
            listed += f" and {len(names) - _NAMED} more"
        where = f" on {listed}" if several else ""
        yield f"warning: {answer.source.label}{where}: {warning}"


def _result(report: LatencyReport, several: bool) -> str:
    line = f"[RESULT] predict latency for {report.model}: {report.latency_ms:.6f} ms"
    if several:
        line += f" ({report.predictor})"
    if report.interval_ms:
        low_ms, high_ms = report.interval_ms
        line += f", 90 % interval {low_ms:.4g} to {high_ms:.4g} ms"
    return line


def _answers(request: _Request, sources: Sequence[Source], jobs: int) -> Iterator[Answer]:
    """Yield the answer of each model in order; worker processes start only where they pay off."""
    from predictor_core.predictor.batch import Worth

    worth = Worth(len(sources))
    for done, source in enumerate(sources, 1):
        yield _answer(request, source)
        if jobs > 1 and worth.workers(done):
            yield from _in_workers(request, sources[done:], jobs)
            return


def _in_workers(request: _Request, sources: Sequence[Source], jobs: int) -> Iterator[Answer]:
    import joblib

    # Each chunk loads the predictors once.
    size = max(1, min(100, len(sources) // (4 * jobs)))
    chunks = [sources[start : start + size] for start in range(0, len(sources), size)]
    task = joblib.delayed(_answer_chunk)
    parallel = joblib.Parallel(n_jobs=min(jobs, len(chunks)), return_as="generator", batch_size=1)
    done = 0
    try:
        for answers in parallel(task(request, chunk, os.getpid()) for chunk in chunks):
            done += len(answers)
            yield from answers
    except (BrokenExecutor, OSError):
        # A worker was killed, and with it whatever the others had at hand.
        for source in sources[done:]:
            yield _alone(request, source)


def _alone(request: _Request, source: Source) -> Answer:
    """Answer one model in a process of its own, which may be killed."""
    import joblib

    task = joblib.delayed(_answer_chunk)
    try:
        # Two workers, because joblib runs the one of one in this process.
        return joblib.Parallel(n_jobs=2)([task(request, [source], os.getpid())])[0][0]  # type: ignore[no-any-return]
    except (BrokenExecutor, OSError):
        return Answer(source, errors=["the process that read it was killed; did it run out of memory?"])


def _answer_chunk(request: _Request, sources: Sequence[Source], parent: int) -> list[Answer]:
    from predictor_core.predictor.batch import end_with

    end_with(parent)
    return [_answer(request, source) for source in sources]


def _answer(request: _Request, source: Source) -> Answer:
    from predictor_core.predictor.batch import cut_alike

    answer = Answer(source)
    if source.error is not None:
        answer.errors.append(describe(source.error))
        return answer
    readings: dict[Hashable, Any] = {}
    unreadable: set[Hashable] = set()
    cuts: list[tuple[Predictor, Sequence[Any]]] = []
    for predictor in request.predictors:
        reader = predictor.reader
        if reader in unreadable:
            continue
        try:
            # One reading of the model serves every predictor that reads alike.
            if reader not in readings:
                unreadable.add(reader)
                readings[reader] = predictor.read(source.path, source.model_type, **request.options)
                unreadable.remove(reader)
            reading = readings[reader]
            # So does one cut into kernels, where the rules are equal too.
            kernels = next((cut for one, cut in cuts if cut_alike(one, predictor)), None)
            if kernels is None:
                kernels = predictor.kernels(reading)
                cuts.append((predictor, kernels))
            report = predictor.report(reading, strict=request.strict, kernels=kernels)
        except Exception as error:  # noqa: BLE001 - one bad model must not stop the others
            message = describe(error, request.debug)
            if message not in answer.errors:
                answer.errors.append(message)
            continue
        report.model = source.label
        answer.reports.append(report)
    return answer


def _json_rows(answer: Answer) -> list[dict[str, Any]]:
    origin = {"model": answer.source.label, "path": answer.source.path}
    rows = [{**origin, **report.to_dict()} for report in answer.reports]
    return [*rows, *({**origin, "error": error} for error in answer.errors)]
