"""Many models, many predictors, many processes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core.frontends.reading import DEFAULT_INPUT_SHAPE, to_graph
from predictor_core.fusion import Rules, detect
from predictor_core.kernels import KernelSpec
from predictor_core.predictor.latency import LatencyPredictor

#: Models read and evaluated at a time: enough to fill the forests, few enough to keep memory flat.
CHUNK = 1000


def predict_many(
    predictors: Sequence[LatencyPredictor],
    models: Iterable[Any],
    model_type: str | None = None,
    input_shape: Any = DEFAULT_INPUT_SHAPE,
    apply_nni: bool = False,
    *,
    strict: bool = False,
    n_jobs: int | None = None,
    **options: Any,
) -> NDArray[np.float64]:
    """Predict many models on several devices; each model is read once.

    Parameters
    ----------
    predictors : sequence of LatencyPredictor
        The devices.
    models : iterable
        Paths or objects of `model_type`; may be a generator.
    n_jobs : int, optional
        Worker processes (joblib's meaning of the number). The backend is joblib's current one, so a
        ``joblib.parallel_backend("dask")`` around the call spreads the work over a cluster.
    strict, input_shape, apply_nni, **options
        As for `LatencyPredictor.predict`.

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
    predictors: Sequence[LatencyPredictor],
    chunk: list[Any],
    model_type: str | None,
    input_shape: Any,
    apply_nni: bool,
    strict: bool,
    options: dict[str, Any],
) -> NDArray[np.float64]:
    graphs = (to_graph(model, model_type, input_shape, apply_nni, **options) for model in chunk)
    if strict or not all(isinstance(predictor, LatencyPredictor) for predictor in predictors):
        rows = [[one.predict_graphs([graph], strict=strict)[0] for one in predictors] for graph in graphs]
        return np.array(rows).T
    distinct: list[Rules] = []
    for predictor in predictors:
        if predictor.rules not in distinct:
            distinct.append(predictor.rules)
    # Only the kernels are kept, each once: the Graphs of a thousand models would keep the collector busy.
    known: dict[KernelSpec, KernelSpec] = {}
    found: list[list[list[KernelSpec]]] = [[] for _ in distinct]
    for graph in graphs:
        for rules, models in zip(distinct, found):
            models.append([known.setdefault(kernel.spec, kernel.spec) for kernel in detect(graph, rules)])
    return np.stack([one.predict_kernels(found[distinct.index(one.rules)]) for one in predictors])


def _chunks(models: Iterable[Any], size: int) -> Iterable[list[Any]]:
    chunk: list[Any] = []
    for model in models:
        chunk.append(model)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
