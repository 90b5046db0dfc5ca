"""Fit of a device: the coefficients of a `predictor_core.predictor.design.Design` from whole-model latencies.

One method from three measurements to thousands. The priors say that a device is like its source: with a few
measurements only the common factor moves, with tens the rates of kernel types, with hundreds neighbourhoods
of kernels. What the measurements do not touch stays where the source has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core import kernels
from predictor_core.kernels import KernelSpec
from predictor_core.kernels.traits import TRAITS
from predictor_core.learning.centers import NEAREST, place_centers
from predictor_core.learning.corpus import Cut
from predictor_core.learning.posterior import (
    Floats,
    Gaussian,
    Noise,
    Posterior,
    Term,
    maximum_posterior,
    predict,
)
from predictor_core.predictor.design import PRIOR, TERMS, Design, Rows, effect_kind, effects, shared_design
from predictor_core.predictor.latency import LatencyPredictor
from predictor_core.predictor.learned import LearnedPredictor

#: Base rates over those of the source's estimates: launch in ms, share of the time per byte and per MAC.
_LAUNCH_MS, _BYTE_SHARE, _MAC_SHARE, _LEAST_CONSTANT_MS = 0.002, 0.05, 0.5, 0.1
#: A mixture needs more of a sign than a source alone.
_MIXED_ODDS = -0.5
#: Of measurements of which nothing else is known.
NOISE = Noise()
#: Rates of the device as a whole, in which even siblings differ.
RATES = ("all:", "arithmetic:")
#: Most centers of each group.
CENTERS = {"conv": 64, "dwconv": 32, "groupconv": 24, "product": 24, "map": 24}


@dataclass(frozen=True)
class Prior:
    """What is believed before the measurements.

    Parameters
    ----------
    sources : tuple of LatencyPredictor
        Plain ones: the first gives bases and rules.
    scale_ms : mapping of str to float
        See `predictor_core.predictor.header.DeviceHeader`.
    centers : mapping of str to tuple of points
    means, deviations : mapping of str to float
        Of coefficients that differ from zero and from `predictor_core.predictor.design.PRIOR`.
    directions : mapping of str to tuple of float
        Coefficient -> how far it moves along each direction in which many coefficients vary together.
    looseness : float
        Factor on the deviations of all coefficients but `RATES`, and on the directions.
    odds : float
        Logarithm of the odds that a device is like this one rather than like a source by itself.
    label : str
        Whom a device is believed to be like, for tables.
    length : float
        See `predictor_core.predictor.header.DeviceHeader`.
    """

    sources: tuple[LatencyPredictor, ...]
    scale_ms: Mapping[str, float]
    centers: Mapping[str, tuple[tuple[float, ...], ...]] = field(default_factory=dict)
    means: Mapping[str, float] = field(default_factory=dict)
    deviations: Mapping[str, float] = field(default_factory=dict)
    directions: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    looseness: float = 1.0
    odds: float = 0.0
    label: str = ""
    length: float = 1.0

    @classmethod
    def of(cls, source: LatencyPredictor, others: Sequence[LatencyPredictor] = ()) -> Prior:
        """Return the belief that a device is like `source`; a learned one lends its coefficients too.

        With `others` it may be like all of them in part: their ratios to `source` are effects, too.
        """
        if isinstance(source, LearnedPredictor):
            header = source.device_header
            means = dict(header.coefficients)
            return cls(
                source.sources,
                header.scale_ms,
                header.centers,
                means,
                label=source.name,
                length=header.length,
            )
        estimate = source.estimate
        scale_ms = {
            "launch": _LAUNCH_MS,
            "byte": _BYTE_SHARE / estimate["bytes_per_ms"],
            "mac": _MAC_SHARE / estimate["macs_per_ms"],
            "constant": max(source.overhead_ms, _LEAST_CONSTANT_MS),
        }
        rounded = {key: float(f"{value:.6g}") for key, value in scale_ms.items()}
        label = (
            f"{source.name}, mixed with {', '.join(one.name for one in others)}" if others else source.name
        )
        return cls((source, *others), rounded, odds=_MIXED_ODDS if others else 0.0, label=label)

    def deviation(self, name: str) -> float:
        """Prior standard deviation of a coefficient, but for what it moves with others."""
        deviation = self.deviations.get(name, PRIOR[effect_kind(name)])
        return deviation if name in RATES else deviation * self.looseness

    def gaussian(self, names: Sequence[str]) -> Gaussian:
        """Return the prior of coefficients, in the order of their names."""
        mean = np.array([self.means.get(name, 0.0) for name in names])
        deviation = np.array([self.deviation(name) for name in names])
        if not self.directions:
            return Gaussian(mean, deviation)
        still = (0.0,) * len(next(iter(self.directions.values())))
        moves = np.array([self.directions.get(name, still) for name in names])
        return Gaussian(mean, deviation, self.looseness * moves.T)


@dataclass(frozen=True)
class Problem:
    """Models of one device, ready to fit.

    Parameters
    ----------
    prior : Prior
        With centers for these models.
    names : tuple of str
        Of the d coefficients.
    specs : list of KernelSpec
        The k kernels.
    design : Design
    rows : Rows
        Bases and effects of the kernels.
    terms : list of Term
        Of all n models; the last is the constant.
    noise : Noise
        Of the measurements, and of what no coefficient can say.
    """

    prior: Prior
    names: tuple[str, ...]
    specs: list[KernelSpec]
    design: Design
    rows: Rows
    terms: list[Term]
    noise: Noise = NOISE

    @property
    def counts(self) -> Any:
        """How often each model runs each kernel, shape (n, k)."""
        return self.terms[0].counts

    def fit(
        self,
        latency_ms: Floats,
        models: NDArray[Any] | None = None,
        *,
        start: Floats | None = None,
    ) -> Posterior:
        """Fit the coefficients to some of the models.

        Parameters
        ----------
        latency_ms : (n,) float64
            Of all models; only those of `models` are looked at.
        models : (m,) integers, optional
            Default: all.
        start : (d,) float64, optional
            Where to begin; the result of a fit to nearly the same models is near.
        """
        chosen = np.arange(len(latency_ms)) if models is None else models
        measured = latency_ms[chosen]
        terms = [term.of_models(chosen) for term in self.terms]
        prior = self.prior_of(terms, measured)
        return maximum_posterior(terms, measured, np.ones(len(chosen)), prior, self.noise, start=start)

    def prior_of(self, terms: Sequence[Term], measured_ms: Floats) -> Gaussian:
        """Return the prior of the coefficients, with the common factor where the median model has it.

        It is not what the priors are about: a device may be any number of times faster than its source.
        """
        prior = self.prior.gaussian(self.names)
        mean = prior.mean.copy()
        common = self.names.index("all:")
        mean[common] += float(np.median(np.log(measured_ms / predict(terms, mean))))
        return replace(prior, mean=mean)

    def predict(self, at: Floats, models: NDArray[Any] | None = None) -> Floats:
        """Latency of models in ms by fitted coefficients, shape (m,)."""
        terms = self.terms if models is None else [term.of_models(models) for term in self.terms]
        return predict(terms, at)

    def kernels_ms(self, at: Floats) -> Floats:
        """Latency of each kernel in ms, shape (k,)."""
        return np.asarray(sum(term.items_ms(at) for term in self.terms[:-1]))

    def with_models(self, cut: Cut) -> Problem:
        """Return the fit with other models: what was fitted to these predicts them, too."""
        return replace(_posed(self.prior, self.names, self.design, cut), noise=self.noise)

    def deviation(self, posterior: Posterior, models: NDArray[Any] | None = None) -> Floats:
        """Mean standard deviation of the kernels' logarithms, by share of the latency, shape (m,)."""
        variances = posterior.variance[self.terms[0].columns]
        deviation = np.sqrt(self.rows.values[0] ** 2 @ variances + self.rows.unknown)
        kernels_ms = self.kernels_ms(posterior.mean)
        counts = self.counts if models is None else self.counts[models]
        return np.asarray(counts @ (kernels_ms * deviation) / self.predict(posterior.mean, models))


def pose(prior: Prior, cut: Cut, centers: Mapping[str, int] | None = None) -> Problem:
    """Set up the fit of a device: centers where the models' kernels are, and all effects that touch them.

    Parameters
    ----------
    prior : Prior
        Its centers stay; others are added where the models have kernels far from them.
    cut : Cut
        The models, by the rules of the first source.
    centers : mapping of str to int, optional
        Most centers that are added to each group. Default: `CENTERS`.
    """
    most = CENTERS if centers is None else centers
    limits = {name: len(prior.centers.get(name, ())) + limit for name, limit in most.items()}
    placed = place_centers(cut.specs, prior.centers, limits, NEAREST * prior.length)
    prior = replace(prior, centers=placed)
    names = _names(prior, cut.specs)
    design = shared_design(
        prior.sources,
        tuple(sorted(prior.scale_ms.items())),
        tuple(sorted(placed.items())),
        names,
        prior.length,
    )
    return _posed(prior, names, design, cut)


def _posed(prior: Prior, names: tuple[str, ...], design: Design, cut: Cut) -> Problem:
    rows = design.rows_unshared(cut.specs)
    terms = [
        Term(cut.counts, rows.base_ms[:, i], rows.values[i], design.columns[i]) for i in range(len(TERMS))
    ]
    constant = np.array([names.index("all:"), names.index("constant:")], dtype=np.intp)
    once = np.ones((cut.counts.shape[0], 1))
    terms.append(Term(once, np.array([prior.scale_ms["constant"]]), np.ones((1, 2)), constant))
    return Problem(prior, names, cut.specs, design, rows, terms)


def _names(prior: Prior, specs: Sequence[KernelSpec]) -> tuple[str, ...]:
    """Names of the coefficients: those of the source, then those that the kernels need besides."""
    answers = prior.sources[0].unbounded.kernel_latencies(specs)
    names = dict.fromkeys((*RATES, *prior.means, "constant:", "launch:", "byte:", "mac:"))
    costs = [kernels.cost(spec) for spec in specs]
    for name, trait in TRAITS.items():
        if any(trait(spec, cost) for spec, cost in zip(specs, costs)):
            names[f"{name}:"] = None
    for spec in specs:
        for of_term in effects(spec, answers[spec].measured):
            names.update(dict.fromkeys(of_term))
    names.update((f"mix:{source.name}", None) for source in prior.sources[1:])
    for name, points in prior.centers.items():
        names.update((f"near:{name}/{i}", None) for i in range(len(points)))
    return tuple(names)
