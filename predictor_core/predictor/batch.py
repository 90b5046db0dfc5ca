"""Many models, many predictors, many processes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from predictor_core.frontends.reading import DEFAULT_INPUT_SHAPE

if TYPE_CHECKING:
    from predictor_core.predictor.base import Predictor

#: Models read and evaluated at a time: enough to fill the forests, few enough to keep memory flat.
CHUNK = 1000


def predict_many(
    predictors: Sequence[Predictor],
    models: Iterable[Any],
    model_type: str | None = None,
    input_shape: Any = DEFAULT_INPUT_SHAPE,
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
        Worker processes (joblib's meaning of the number). The backend is joblib's current one, so a
        ``joblib.parallel_backend("dask")`` around the call spreads the work over a cluster.
    strict, input_shape, apply_nni, **options
        As for `Predictor.predict`.

    Returns
    -------
    (number of predictors, number of models) float64
        Latencies in ms.
    """
    arguments = (model_type, input_shape, apply_nni, strict, options)
    if n_jobs is None or n_jobs == 1:
        parts = [_predict_chunk(predictors, chunk, *arguments) for chunk in _chunks(models, CHUNK)]
    else:
        import joblib

        task = joblib.delayed(_predict_chunk)
        chunks = _chunks(models, CHUNK // 4)
        parts = joblib.Parallel(n_jobs=n_jobs)(task(predictors, chunk, *arguments) for chunk in chunks)
    return np.concatenate(parts, axis=1) if parts else np.empty((len(predictors), 0))


def _predict_chunk(
    predictors: Sequence[Predictor],
    chunk: list[Any],
    model_type: str | None,
    input_shape: Any,
    apply_nni: bool,
    strict: bool,
    options: dict[str, Any],
) -> NDArray[np.float64]:
    alike = _alike(predictors)
    # Only what determines a latency is kept, each once: the readings of a thousand models would keep the
    # collector busy.
    known: dict[Hashable, Hashable] = {}
    found: list[list[list[Hashable]]] = [[] for _ in alike]
    for model in chunk:
        readings: dict[Hashable, Any] = {}
        for group, models in zip(alike, found):
            first = group[0]
            if first.reader not in readings:
                readings[first.reader] = first.read(model, model_type, input_shape, apply_nni, **options)
            kernels = first.kernels(readings[first.reader])
            if strict:
                for predictor in group:
                    predictor.refuse_estimates(kernels)
            models.append([known.setdefault(kernel.spec, kernel.spec) for kernel in kernels])
    rows = {id(one): one.predict_kernels(models) for group, models in zip(alike, found) for one in group}
    return np.stack([rows[id(predictor)] for predictor in predictors])


def _alike(predictors: Sequence[Predictor]) -> list[list[Predictor]]:
    """Return groups of predictors that cut every model into the same kernels."""
    groups: list[list[Predictor]] = []
    for predictor in predictors:
        for group in groups:
            if group[0].reader == predictor.reader and group[0].rules == predictor.rules:
                group.append(predictor)
                break
        else:
            groups.append([predictor])
    return groups


def _chunks(models: Iterable[Any], size: int) -> Iterable[list[Any]]:
    chunk: list[Any] = []
    for model in models:
        chunk.append(model)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
