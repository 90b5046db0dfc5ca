"""Many models, many predictors, many processes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence, Sized
from concurrent.futures import BrokenExecutor
from functools import lru_cache
from itertools import chain, islice
from numbers import Integral
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from predictor_core.errors import PackError, PredictorError, own_errors
from predictor_core.frontends.reading import DEFAULT_INPUT_SHAPE
from predictor_core.ir.graph import Graph
from predictor_core.ir.inputs import GivenShapes, is_iterable
from predictor_core.kernels.registry import Registration, add_registrations, registrations

if TYPE_CHECKING:
    from predictor_core.predictor.base import Predictor

#: Models read and evaluated at a time: enough to fill the forests, few enough to keep memory flat.
CHUNK = 1000

#: Work left, in seconds, for which worker processes are started: each loads the package and the predictors.
WORKERS_WORTH_S = 10.0

#: Largest number of models that a worker is given at a time.
_WORKER_CHUNK = 100

_NOTHING = object()


def predict_many(
    predictors: Sequence[Predictor],
    models: Iterable[Any],
    model_type: str | None = None,
    input_shape: GivenShapes = DEFAULT_INPUT_SHAPE,
    apply_nni: bool = False,
    *,
    strict: bool = False,
    n_jobs: int | None = None,
    **options: Any,
) -> NDArray[np.float64]:
    """Predict many models on several devices; each model is read once for all that read alike.

    Parameters
    ----------
    predictors : sequence of Predictor
        The devices.
    models : iterable
        Paths or objects of `model_type`; may be a generator.
    n_jobs : int, optional
        Worker processes (joblib's meaning of the number), started once the work left is worth it. The backend
        is joblib's current one: a ``joblib.parallel_backend("dask")`` around the call spreads the work over a
        cluster.
    strict, input_shape, apply_nni, **options
        As for `Predictor.predict`.

    Returns
    -------
    (number of predictors, number of models) float64
        Latencies in ms.

    Raises
    ------
    PredictorError
        When `models` is one model, `n_jobs` is no number of processes, or a model can't be read.
    """
    _check(models, n_jobs)
    arguments = (model_type, input_shape, apply_nni, strict, options)
    left = iter(models)
    if n_jobs is None or n_jobs == 1:
        parts = [_predict_chunk(predictors, chunk, *arguments) for chunk in _chunks(left, CHUNK)]
    else:
        total = len(models) if isinstance(models, Sized) else None
        parts = _until_workers_pay(lambda chunk: _predict_chunk(predictors, chunk, *arguments), left, total)
        first = next(left, _NOTHING)
        if first is not _NOTHING:
            parts += _in_workers(n_jobs, predictors, chain([first], left), total, arguments)
    return np.concatenate(parts, axis=1) if parts else np.empty((len(predictors), 0))


def _check(models: Any, n_jobs: Any) -> None:
    # Torch's containers of modules can be iterated over, and are models.
    if not is_iterable(models) or isinstance(models, Graph) or callable(models):
        raise PredictorError(
            f"models: expected several, such as a list of them, got one {type(models).__name__}; "
            "predict takes a single model"
        )
    if n_jobs is not None and (n_jobs == 0 or not isinstance(n_jobs, Integral)):
        raise PredictorError(f"n_jobs={n_jobs!r}; expected a number of processes, -1 for one a core")


class Worth:
    """Tells when worker processes pay: when the models left would keep this one busy for `WORKERS_WORTH_S`.

    Parameters
    ----------
    total : int, optional
        Models in all. Where nobody knows, as many are taken to be left as are done.
    """

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._started_s = perf_counter()

    def workers(self, done: int) -> bool:
        """Whether workers pay, now that so many models are done; asked after the first one, too."""
        if done == 1:
            # The first model also pays for the imports.
            self._started_s = perf_counter()
            return False
        spent_s = perf_counter() - self._started_s
        left = done if self._total is None else self._total - done
        # One slow model among the first few tells little.
        return spent_s > WORKERS_WORTH_S / 10 and spent_s / (done - 1) * left > WORKERS_WORTH_S


def _until_workers_pay(
    work: Callable[[list[Any]], NDArray[np.float64]], left: Iterator[Any], total: int | None
) -> list[NDArray[np.float64]]:
    """Predict models in this process until those that are left are worth others."""
    parts: list[NDArray[np.float64]] = []
    done, size = 0, 1
    worth = Worth(total)
    while chunk := list(islice(left, size)):
        parts.append(work(chunk))
        done += len(chunk)
        if worth.workers(done):
            break
        if done > 1:
            size = min(2 * size, CHUNK)
    return parts


def _in_workers(
    n_jobs: int, predictors: Sequence[Predictor], left: Iterable[Any], total: int | None, arguments: Any
) -> list[NDArray[np.float64]]:
    import joblib

    size = _WORKER_CHUNK
    if total is not None:
        size = max(1, min(size, total // (4 * joblib.effective_n_jobs(n_jobs))))
    task = joblib.delayed(_predict_in_worker)
    chunks = _chunks(left, size)
    parent = os.getpid()
    try:
        done: list[NDArray[np.float64]] = joblib.Parallel(n_jobs=n_jobs, batch_size=1)(
            task(parent, registrations(), predictors, chunk, *arguments) for chunk in chunks
        )
    except BrokenExecutor as error:
        raise PredictorError(
            "a worker process was killed while it read models; did it run out of memory? "
            "A lower n_jobs takes less"
        ) from error
    return done


@lru_cache(maxsize=1)
def end_with(parent: int) -> None:
    """End this process, a worker, soon after its parent."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    if os.getppid() == parent:
        threading.Thread(target=watch, daemon=True).start()


def _predict_in_worker(
    parent: int, registered: Sequence[Registration], *arguments: Any
) -> NDArray[np.float64]:
    end_with(parent)
    add_registrations(registered)
    return _predict_chunk(*arguments)


def _predict_chunk(
    predictors: Sequence[Predictor],
    chunk: list[Any],
    model_type: str | None,
    input_shape: GivenShapes,
    apply_nni: bool,
    strict: bool,
    options: dict[str, Any],
) -> NDArray[np.float64]:
    alike = _alike(predictors)
    # Only what determines a latency is kept, each once: the readings of a thousand models would keep the
    # collector busy.
    known: list[dict[Hashable, int]] = [{} for _ in alike]
    found: list[list[list[int]]] = [[] for _ in alike]
    for model in chunk:
        readings: dict[Hashable, Any] = {}
        with own_errors(model):
            for group, numbers, models in zip(alike, known, found):
                first = group[0]
                if first.reader not in readings:
                    readings[first.reader] = first.read(model, model_type, input_shape, apply_nni, **options)
                kernels = first.kernels(readings[first.reader])
                if strict:
                    for predictor in group:
                        predictor.refuse_estimates(kernels)
                models.append([numbers.setdefault(kernel.spec, len(numbers)) for kernel in kernels])
    with own_errors():
        rows = {
            id(one): checked_ms(one.predict_kernels(list(numbers), models), one)
            for group, numbers, models in zip(alike, known, found)
            for one in group
        }
    return np.stack([rows[id(predictor)] for predictor in predictors])


def numbered(models: Iterable[Iterable[Hashable]]) -> tuple[list[Any], list[list[int]]]:
    """Return the distinct kernels of some models, and for each model the places of its kernels among them."""
    numbers: dict[Hashable, int] = {}
    found = [[numbers.setdefault(spec, len(numbers)) for spec in specs] for specs in models]
    return list(numbers), found


def cut_alike(one: Predictor, other: Predictor) -> bool:
    """Whether two predictors cut every model into the same kernels."""
    return one.reader == other.reader and one.rules == other.rules


def _alike(predictors: Sequence[Predictor]) -> list[list[Predictor]]:
    """Return groups of predictors that cut every model into the same kernels."""
    groups: list[list[Predictor]] = []
    for predictor in predictors:
        for group in groups:
            if cut_alike(group[0], predictor):
                group.append(predictor)
                break
        else:
            groups.append([predictor])
    return groups


def _chunks(models: Iterable[Any], size: int) -> Iterable[list[Any]]:
    left = iter(models)
    while chunk := list(islice(left, size)):
        yield chunk


def checked_ms(latencies_ms: NDArray[np.float64], predictor: Predictor) -> NDArray[np.float64]:
    """Return latencies as they are, or refuse any that is no finite number of ms above or at zero.

    Raises
    ------
    PackError
        The predictor's forests or constants are broken: a model that was read has a latency.
    """
    if not np.isfinite(latencies_ms).all() or (latencies_ms < 0).any():
        raise PackError(f"{predictor!r} predicts a latency that is not finite or below zero; it is damaged")
    return latencies_ms
