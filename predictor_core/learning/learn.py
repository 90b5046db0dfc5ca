"""Learn a device from whole-model latencies: the source, the fit, how good it is, the header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core.catalog.lookup import list_latency_predictors
from predictor_core.errors import LearningError
from predictor_core.frontends.reading import DEFAULT_INPUT_SHAPE
from predictor_core.ir.inputs import GivenShapes
from predictor_core.kernels import KernelSpec
from predictor_core.kernels.coordinates import NAMES, coordinates, group, sort
from predictor_core.learning.adapt import Problem
from predictor_core.learning.choice import candidates, choose, priors_of
from predictor_core.learning.corpus import Corpus
from predictor_core.learning.crossvalidation import (
    FOLDS,
    HeldOut,
    calibrate,
    covered,
    cross_validate,
    verdict,
    worst,
)
from predictor_core.learning.models import read_models, refuse_contradictions
from predictor_core.learning.posterior import Floats, Posterior
from predictor_core.learning.units import check_units, in_ms
from predictor_core.measuring.measurements import Measured
from predictor_core.predictor.header import DeviceHeader, Source
from predictor_core.predictor.latency import LatencyPredictor
from predictor_core.predictor.learned import LearnedPredictor

LEAST_MODELS = 3
VERSION = "1.0"
#: A sort of kernel with less than this share of every model's latency was too little to learn.
_LITTLE_SHARE, _LITTLE_MODELS = 0.02, 2


def learn_predictor(
    models: Sequence[Any],
    latencies_ms: Sequence[float],
    model_type: str | None = None,
    *,
    name: str,
    like: str | LatencyPredictor | Sequence[str | LatencyPredictor] | None = None,
    input_shape: GivenShapes = DEFAULT_INPUT_SHAPE,
    seed: int = 0,
    unit: str | None = None,
) -> LearnedPredictor:
    """Learn a device from the measured latencies of some models.

    Parameters
    ----------
    models : sequence of paths, objects or Graphs
        At least three; see `LatencyPredictor.predict` for what can be read.
    latencies_ms : sequence of float
        Measured, in ms, one a model.
    model_type : str, optional
        Of all models; left out for Graphs and for paths with a known suffix.
    name : str
        Name of the device.
    like : str, LatencyPredictor, or several, optional
        Predictor to start from; the best of several is chosen by cross-validation. Default: of all.
    input_shape : tuple of int, or several
        As for `LatencyPredictor.predict`.
    seed : int
        Of the folds. The same data and seed give the same predictor.
    unit : {"ms", "us", "s"}, optional
        Unit that the latencies are in after all. Default: ms, and a mistake is noticed against the source.

    Returns
    -------
    LearnedPredictor
        ``.accuracy`` is its cross-validated table, ``.save(folder)`` writes what ``nn-meter register`` takes.

    Raises
    ------
    PredictorError
        Fewer than three models, a latency that is not a positive number, a model that can't be read.

    Examples
    --------
    >>> from predictor_core import learn_predictor, load_latency_predictor, zoo
    >>> graphs = [zoo.build(family) for family in ("mobilenetv1", "mobilenetv2", "squeezenet", "resnet")]
    >>> phone = load_latency_predictor("cortexA76cpu_tflite21")
    >>> device = learn_predictor(graphs, [1.5 * phone.predict(g) for g in graphs], name="slow", like=phone)
    >>> 1.4 < device.predict(graphs[0]) / phone.predict(graphs[0]) < 1.6
    True
    """
    if len(models) != len(latencies_ms):
        raise LearningError(
            f"{len(models)} models but {len(latencies_ms)} latencies; expected one latency a model"
        )
    measurements = [
        Measured(model, float(latency_ms), model_type, input_shape, row=i)
        for i, (model, latency_ms) in enumerate(zip(models, latencies_ms), 1)
    ]
    read = read_models(measurements, strict=True)
    refuse_contradictions(read, candidates(like)[0].rules)
    return learn_device(read.corpus, read.latency_ms[""], name=name, like=like, seed=seed, unit=unit)


@dataclass(frozen=True)
class Evidence:
    """Predictions for models that the fit has not seen.

    Parameters
    ----------
    held_out : HeldOut
        Models left out at random.
    left_out : HeldOut or None
        Whole families left out, where there are enough.
    """

    held_out: HeldOut
    left_out: HeldOut | None = None


def learn_device(
    corpus: Corpus,
    latency_ms: Floats,
    *,
    name: str,
    like: str | LatencyPredictor | Sequence[str | LatencyPredictor] | None = None,
    seed: int = 0,
    facts: Mapping[str, Any] | None = None,
    unit: str | None = None,
) -> LearnedPredictor:
    """Learn a device from a corpus; parameters as for `learn_predictor`.

    Parameters
    ----------
    corpus : Corpus
    latency_ms : (n,) float64
        Measured, one a model of the corpus.
    facts : mapping, optional
        Provenance, kept in the header.
    """
    latency_ms = in_ms(latency_ms, unit)
    check_latencies(corpus, latency_ms)
    chosen = choose(corpus, latency_ms, priors_of(candidates(like)), seed)
    if unit is None:
        check_against_source(chosen.problem, corpus, latency_ms)
    return finish(
        chosen.problem,
        corpus,
        latency_ms,
        name=name,
        seed=seed,
        facts={
            **(facts or {}),
            "starts from": chosen.problem.prior.label,
            "sources_compared": dict(chosen.compared),
        },
    )


def check_latencies(corpus: Corpus, latency_ms: Floats) -> None:
    """Refuse what can't be learned from.

    Raises
    ------
    LearningError
        The message names the model.
    """
    if len(corpus) < LEAST_MODELS:
        raise LearningError(
            f"{len(corpus)} models were measured; at least {LEAST_MODELS} are needed to learn"
        )
    for name, value in zip(corpus.names, latency_ms):
        if not (np.isfinite(value) and value > 0.0):
            raise LearningError(f"the latency of {name} is {value}; expected a positive number of ms")


def check_against_source(problem: Problem, corpus: Corpus, latency_ms: Floats) -> None:
    """Notice wrong units; see `predictor_core.learning.units.check_units`."""
    source = problem.prior.sources[0]
    known = np.flatnonzero(np.isfinite(latency_ms))
    names = [corpus.names[i] for i in known]
    check_units(names, latency_ms[known], _source_ms(source, corpus)[known], source.name)


def finish(
    problem: Problem,
    corpus: Corpus,
    latency_ms: Floats,
    *,
    name: str,
    seed: int = 0,
    category: str | None = None,
    description: str | None = None,
    facts: Mapping[str, Any] | None = None,
    evidence: Evidence | None = None,
) -> LearnedPredictor:
    """Fit, cross-validate, and make the predictor; other parameters as for `learn_device`.

    Parameters
    ----------
    problem : Problem
        Of the models of the corpus, in its order.
    latency_ms : (n,) float64
        NaN where a model was not measured.
    category, description : str, optional
        For the list of predictors. Default: the category of the source.
    evidence : Evidence, optional
        Of the models that were measured, in their order. Default: by cross-validation of this fit.
    """
    known = np.flatnonzero(np.isfinite(latency_ms))
    found = problem.fit(latency_ms, known)
    if evidence is None:
        evidence = _cross_validate(problem, corpus, latency_ms, known, seed, found.mean)
    held_out = evidence.held_out
    interval = calibrate(held_out)
    measured = [problem.specs[i] for i in np.unique(problem.counts[known].indices)]
    header = DeviceHeader(
        name=name,
        version=VERSION,
        category=category or _category(problem.prior.sources[0]),
        description=description or f"{name}, learned from {len(known)} measured models",
        sources=tuple(Source(one.name, one.version, one.sha256) for one in problem.prior.sources),
        scale_ms=problem.prior.scale_ms,
        centers=problem.prior.centers,
        length=problem.prior.length,
        coefficients=_rounded(problem.names, found.mean),
        variances=_variances(problem, found),
        ranges=_ranges(measured),
        measured=tuple(sorted({sort(spec) for spec in measured})),
        interval=interval,
        accuracy=_accuracy(problem, found, [corpus.names[i] for i in known], evidence, interval),
        facts={**(facts or {}), "models": len(known), "seed": seed},
    )
    # From its written form, so that what is returned is what is loaded later.
    return LearnedPredictor(DeviceHeader.from_dict(header.to_dict()), problem.prior.sources)


def _cross_validate(
    problem: Problem,
    corpus: Corpus,
    latency_ms: Floats,
    known: NDArray[np.intp],
    seed: int,
    start: Floats,
) -> Evidence:
    def left_out(labels: NDArray[Any]) -> HeldOut:
        return cross_validate(problem, latency_ms, labels, models=known, folds=FOLDS, seed=seed, start=start)

    families = corpus.families
    enough = LEAST_MODELS <= len(np.unique(families[known])) < len(known)
    same = corpus.cut(problem.prior.sources[0].rules).same()
    return Evidence(left_out(same), left_out(families) if enough else None)


def _source_ms(source: LatencyPredictor, corpus: Corpus) -> Floats:
    """Latency of each model by the source."""
    cut = corpus.cut(source.rules)
    answers = source.kernel_latencies(cut.specs)
    kernels_ms = np.array([answers[spec].latency_ms for spec in cut.specs])
    return np.asarray(cut.counts @ kernels_ms + source.overhead_ms)


def _accuracy(
    problem: Problem,
    found: Posterior,
    names: Sequence[str],
    evidence: Evidence,
    interval: Mapping[str, float],
) -> dict[str, Any]:
    held_out, left_out = evidence.held_out, evidence.left_out
    table = held_out.table()
    accuracy = {
        "cross_validated": {**table, "covered": round(covered(held_out, interval), 1)},
        "verdict": verdict(table),
        "worst": worst(held_out, names),
        "too_little": _too_little(problem, found),
    }
    if left_out is not None:
        accuracy["families_left_out"] = left_out.table()
    return accuracy


def _too_little(problem: Problem, found: Posterior) -> list[str]:
    """Sorts of kernels of which the measurements hold too little to learn their rates."""
    kernels_ms = problem.kernels_ms(found.mean)
    shares = problem.counts.multiply(kernels_ms[None, :] / problem.predict(found.mean)[:, None]).tocsc()
    sorts = np.array([sort(spec) for spec in problem.specs])
    little = []
    for name in np.unique(sorts):
        of_models = np.asarray(shares[:, np.flatnonzero(sorts == name)].sum(axis=1)).ravel()
        if (of_models >= _LITTLE_SHARE).sum() < _LITTLE_MODELS:
            little.append(str(name))
    return little


def _ranges(specs: Sequence[KernelSpec]) -> dict[str, tuple[tuple[float, float], ...]]:
    """Lowest and highest coordinates of the measured kernels, by group."""
    found = np.round(coordinates(specs), 4)
    groups = np.array([group(spec) for spec in specs])
    return {
        str(name): tuple(
            (float(found[groups == name, i].min()), float(found[groups == name, i].max()))
            for i in range(len(NAMES))
        )
        for name in np.unique(groups)
    }


def _rounded(names: Sequence[str], values: Floats) -> dict[str, float]:
    # Four digits are more than the fit is worth, and the same whatever order sums were taken in.
    return {name: round(float(value), 4) + 0.0 for name, value in zip(names, values)}


def _variances(problem: Problem, found: Posterior) -> dict[str, float]:
    own = found.variance[problem.terms[0].columns]
    return {problem.names[i]: float(f"{value:.2g}") for i, value in zip(problem.terms[0].columns, own)}


def _category(source: LatencyPredictor) -> str:
    for entry in list_latency_predictors():
        if entry["name"] == source.name:
            return str(entry["category"])
    return str(source.header.get("category", "custom"))
