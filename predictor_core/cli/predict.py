"""``nn-meter predict``: models in, milliseconds out."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from predictor_core.catalog import list_latency_predictors, load_latency_predictor
from predictor_core.cli.console import FAILED, describe, log
from predictor_core.cli.models import Source, input_shapes, requested
from predictor_core.predictor import LatencyPredictor, to_graph


@dataclass(frozen=True)
class _Request:
    """What to do with every model; sent to the worker processes."""

    predictors: tuple[Any, ...]
    model_type: str
    options: dict[str, Any] = field(default_factory=dict)
    strict: bool = False
    verbose: bool = False
    debug: bool = False


@dataclass
class _Answer:
    """Reports of one model, as plain data, and the errors on the way."""

    source: Source
    reports: list[dict[str, Any]] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    options = {}
    shapes = input_shapes(arguments.input_shape)
    if shapes is not None:
        options["input_shape"] = shapes
    model_type, sources = requested(arguments)
    request = _Request(
        tuple(_load(arguments.predictor, arguments.predictor_version)),
        model_type,
        options,
        arguments.strict,
        arguments.verbose,
        arguments.debug,
    )
    several = len(request.predictors) > 1
    failed = False
    rows: list[dict[str, Any]] = []
    with _Progress(len(sources)) as progress:
        for answer in _answers(request, sources, arguments.jobs):
            progress.step()
            failed = failed or bool(answer.errors)
            label = answer.source.label
            for error in answer.errors:
                progress.log(f"error: {label}: {error}")
            for report in answer.reports:
                where = f" on {report['predictor']}" if several else ""
                if report["interval_ms"]:
                    low_ms, high_ms = report["interval_ms"]
                    progress.log(f"{label}{where}: 90 % interval {low_ms:.4g} to {high_ms:.4g} ms")
                for warning in report["warnings"]:
                    progress.log(f"warning: {label}{where}: {warning}")
            if arguments.json:
                rows += _json_rows(answer)
            else:
                for report, table in zip(answer.reports, answer.tables):
                    where = f" ({report['predictor']})" if several else ""
                    progress.result(
                        f"[RESULT] predict latency for {label}: {report['latency_ms']:.6f} ms{where}"
                    )
                    if arguments.verbose:
                        progress.result(table)
    if arguments.json:
        print(json.dumps(rows, indent=2))
    return FAILED if failed else 0


def _load(names: Sequence[str], version: str | None) -> Iterator[Any]:
    if [name.lower() for name in names] == ["all"]:
        names = [str(entry["name"]) for entry in list_latency_predictors()]
    for name in dict.fromkeys(name.lower() for name in names):
        yield load_latency_predictor(name, version)


def _answers(request: _Request, sources: Sequence[Source], jobs: int) -> Iterator[_Answer]:
    work = partial(_answer, request)
    if jobs == 1 or len(sources) == 1:
        yield from map(work, sources)
        return
    import joblib

    task = joblib.delayed(work)
    yield from joblib.Parallel(n_jobs=min(jobs, len(sources)), return_as="generator")(
        task(source) for source in sources
    )


def _answer(request: _Request, source: Source) -> _Answer:
    answer = _Answer(source)
    if source.error is not None:
        answer.errors.append(describe(source.error))
        return answer
    graph = None
    for predictor in request.predictors:
        try:
            if isinstance(predictor, LatencyPredictor):
                # One reading of the model serves every device.
                if graph is None:
                    graph = to_graph(source.path, request.model_type, **request.options)
                report = predictor.profile(graph, strict=request.strict)
            else:
                report = predictor.profile(
                    source.path, request.model_type, strict=request.strict, **request.options
                )
        except Exception as error:  # noqa: BLE001 - one bad model must not stop the others
            message = describe(error, request.debug)
            if message not in answer.errors:
                answer.errors.append(message)
            if graph is None and isinstance(predictor, LatencyPredictor):
                break
            continue
        report.model = source.label
        answer.reports.append(report.to_dict())
        answer.tables.append(repr(report) if request.verbose else "")
    return answer


def _json_rows(answer: _Answer) -> list[dict[str, Any]]:
    origin = {"model": answer.source.label, "path": answer.source.path}
    rows = [{**origin, **report} for report in answer.reports]
    return [*rows, *({**origin, "error": error} for error in answer.errors)]


class _Progress:
    """A progress bar on a terminal for more than one model; lines go past it undamaged."""

    def __init__(self, total: int) -> None:
        self._bar: Any = None
        if total > 1 and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit="model", file=sys.stderr, leave=False)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def step(self) -> None:
        if self._bar is not None:
            self._bar.update()

    def result(self, line: str) -> None:
        self._clear()
        print(line, flush=self._bar is not None)

    def log(self, message: str) -> None:
        self._clear()
        log(message)

    def _clear(self) -> None:
        if self._bar is not None:
            self._bar.clear()
