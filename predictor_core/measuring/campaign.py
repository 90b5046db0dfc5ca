"""Many models, timed one after the other into a measurements file that can be gone on with."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from predictor_core.errors import PredictorError
from predictor_core.ir.inputs import GivenShapes, InputShapes
from predictor_core.measuring.measure import (
    BUDGET_S,
    SUFFIXES,
    WAIT_S,
    Measurement,
    checked_type,
    environment_text,
    measure_latency,
)
from predictor_core.measuring.measurements import appending, read_measurements
from predictor_core.measuring.pace import Pace
from predictor_core.measuring.planning.folder import PLAN_FILE, read_plan
from predictor_core.measuring.rows import Row
from predictor_core.measuring.runtimes import find
from predictor_core.measuring.runtimes.base import Runtime

#: How often a model is tried, at different times, while other work slows the processor.
ATTEMPTS = 3


@dataclass(frozen=True)
class Outcome:
    """What became of one model.

    Parameters
    ----------
    model : str
        As it was given.
    measurement : Measurement, optional
        Absent where the model failed, or was measured before.
    error : PredictorError, optional
        Why the model could not be timed.
    """

    model: str
    measurement: Measurement | None = None
    error: PredictorError | None = None


def measure_models(
    models: Sequence[str],
    output: str | os.PathLike[str] | None = None,
    runtime: str = "onnxruntime",
    threads: int = 1,
    *,
    input_shape: GivenShapes = None,
    budget_s: float = BUDGET_S,
    total_s: float | None = None,
    wait_s: float = WAIT_S,
    repeats: int = 1,
    pace: Pace | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Outcome]:
    """Time models one after the other; every row is on the disk before the next model starts.

    Models during whose runs other work slowed the processor are timed again at the end.

    Parameters
    ----------
    models : sequence of str
        Files, or names of torchvision models.
    output : path, optional
        Measurements file. Models that it has for this environment, as often as wanted, are not timed again.
    runtime, threads, input_shape, budget_s, wait_s, pace
        As for `measure_latency`.
    total_s : float, optional
        Seconds for all models. When they are used up, the rest is left for another call.
    repeats : int
        How often all models are timed, one after the other each time, so that a busy minute of the machine
        spoils one figure of a model and not all of them. `learn` takes the median.

    Yields
    ------
    Outcome
        Of each model and repeat until the time is used up; in order, but for those that are timed again.

    Raises
    ------
    PredictorError
        When the runtime is not known, or `output` is a file of another kind.
    """
    adapter = find(runtime)
    environment = environment_text(adapter, threads)
    file = None if output is None else Path(output)
    end = None if total_s is None else clock() + total_s
    pace = pace or Pace()
    with ExitStack() as stack:
        add: Callable[[Row], None] = _nowhere
        known: Counter[str] = Counter()
        if file is not None:
            add = stack.enter_context(appending(file)).add
            # The precision, which only the loaded model tells, stands last.
            known.update(
                row.model
                for row in read_measurements(file)
                if row.environment == environment or row.environment.startswith(environment + ", ")
            )
        readable, slowed = list(models), list[str]()
        for repeat, attempt in product(range(repeats), range(1, ATTEMPTS + 1)):
            pending = readable if attempt == 1 else slowed
            slowed = []
            for model in pending:
                name = _relative(model, file)
                path = name if file is None else str(file.parent / name)
                if sum(known[each] for each in {name, path}) > repeat:
                    yield Outcome(model)
                    continue
                seconds, wait = budget_s, wait_s
                if end is not None:
                    left = end - clock()
                    if left <= 0.0:
                        return
                    seconds, wait = max(min(budget_s, left), 0.1), min(wait_s, left)
                try:
                    kind = checked_type(model, None, adapter)
                    measured = measure_latency(
                        model,
                        kind,
                        adapter.name,
                        threads,
                        input_shape=input_shape,
                        budget_s=seconds,
                        wait_s=wait,
                        pace=pace,
                    )
                except PredictorError as error:
                    readable = [other for other in readable if other != model]
                    yield Outcome(model, error=error)
                    continue
                if measured.is_slowed and attempt < ATTEMPTS:
                    slowed.append(model)
                    continue
                text = environment_text(adapter, threads, measured.environment["precision"])
                shapes = _shapes(input_shape)
                add(Row(name, measured.latency_ms, measured.std_ms, kind, shapes, text, measured.runs))
                yield Outcome(model, measured)


def listed_models(arguments: Sequence[str], adapter: Runtime) -> list[str]:
    """Return the models that files, folders and torchvision names stand for.

    A folder stands for the models in it that the runtime takes: in the order of its plan if it has one,
    otherwise by name.

    Raises
    ------
    PredictorError
        When a folder has none.
    """
    suffixes = [suffix for suffix, kind in SUFFIXES.items() if kind in adapter.model_types]
    found: list[str] = []
    for argument in arguments:
        folder = Path(argument)
        if not folder.is_dir():
            found.append(argument)
            continue
        inside = sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes)
        if (folder / PLAN_FILE).is_file():
            inside = _in_order(folder, inside)
        if not inside:
            raise PredictorError(f"{folder}: no model in the folder that {adapter.name} runs ({suffixes})")
        found += [str(path) for path in inside]
    return list(dict.fromkeys(found))


def _in_order(folder: Path, models: list[Path]) -> list[Path]:
    place = {name: i for i, name in enumerate(read_plan(folder))}
    planned = [path for path in models if path.stem in place]
    # One format of each model is enough.
    first: dict[str, Path] = {}
    for path in sorted(planned, key=lambda path: list(SUFFIXES).index(path.suffix.lower())):
        first.setdefault(path.stem, path)
    return [first[name] for name in sorted(first, key=place.__getitem__)]


def _relative(model: str, file: Path | None) -> str:
    """Path of a model as seen from the measurements file; the name of a torchvision model as it is."""
    if file is None or not Path(model).exists():
        return model
    try:
        return Path(os.path.relpath(model, file.parent)).as_posix()
    except ValueError:  # another drive
        return Path(model).resolve().as_posix()


def _shapes(input_shape: GivenShapes) -> tuple[Any, ...]:
    shapes = InputShapes(input_shape or None).ordered
    return shapes[0] if len(shapes) == 1 else tuple(shapes)


def _nowhere(row: Row) -> None:
    """Where rows go without a file."""
