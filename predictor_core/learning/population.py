"""What a device of a kind is likely to be: means, deviations and correlations over devices that are known.

Devices that run the same code differ in few ways. A core is slower at arithmetic than at moving data, or many
threads make launches dear: then the rates of all kernels move together. The covariance of the coefficients
over known devices says along which directions, so a few measurements of a new one move all that goes together
(empirical Bayes; Morris, "Parametric empirical Bayes inference", 1983). A population is estimated from as
many devices as there are, some dozen; so its sample correlations are shrunk towards none (Schaefer and
Strimmer, "A shrinkage approach to large-scale covariance matrix estimation", 2005).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from predictor_core.catalog.embedded import PACKAGE
from predictor_core.catalog.loading import load_from_collection
from predictor_core.catalog.lookup import list_latency_predictors
from predictor_core.learning.adapt import RATES, Prior
from predictor_core.learning.posterior import Floats, Gaussian
from predictor_core.predictor.learned import LearnedPredictor

#: The common factor is the device's own.
_COMMON = "all:"
#: Least standard deviation of a coefficient over devices.
_LEAST_DEVIATION = 0.02
#: Directions kept: what they leave is counted as independent.
_MOST_DIRECTIONS = 12
#: Devices that the shrinkage of correlations counts against those that were seen.
_SHRINKAGE = 6.0
#: Fewest devices that make a population.
LEAST_DEVICES = 3
#: Logarithms of the odds of a population, and of how it varies about the source: five measurements must not
#: choose one for a detail.
_ODDS, _VARYING_ODDS = -2.0, -1.0


@dataclass(frozen=True)
class Members:
    """Fitted coefficients of the devices of a population.

    Parameters
    ----------
    names : tuple of str
        Of the d coefficients.
    means, variances : (n, d) float64
        Posterior means and variances of each device.
    """

    names: tuple[str, ...]
    means: Floats
    variances: Floats

    def without(self, place: int) -> Members:
        """Return the population without one of its devices."""
        return Members(self.names, *(np.delete(a, place, axis=0) for a in (self.means, self.variances)))

    def gaussian(self, prior: Prior) -> Gaussian:
        """Estimate the population.

        Parameters
        ----------
        prior : Prior
            Of a device of which nothing is known: the mean over few devices is drawn towards its mean, and
            no coefficient varies more than it says.
        """
        base = np.array([prior.deviation(name) for name in self.names])
        common = np.array([name == _COMMON for name in self.names])
        mean, deviation = moments(self.means, self.variances, base, common)
        n = len(self.means)
        centred = self.means - self.means.mean(axis=0)
        # Of correlations, so that no coefficient counts for more because it varies more.
        scaled = np.where(common, 0.0, centred / deviation) / np.sqrt(n)
        _, size, axes = np.linalg.svd(scaled, full_matrices=False)
        kept = min(_MOST_DIRECTIONS, n - 1)
        share = n / (n + _SHRINKAGE)
        directions = np.sqrt(share) * size[:kept, None] * axes[:kept] * deviation
        along = (directions**2).sum(axis=0)
        own = np.sqrt(np.maximum(deviation**2 - along, _LEAST_DEVIATION**2))
        return Gaussian(mean, np.where(common, deviation, own), directions)

    def priors(self, prior: Prior, label: str) -> tuple[Prior, Prior]:
        """Return what a device of the population is believed to be, and one that varies as they do.

        Parameters
        ----------
        prior : Prior
            As for `gaussian`; gives sources, rates and centers.
        label : str
            Name of the population.
        """
        found = self.gaussian(prior)
        assert found.directions is not None
        # Devices that were learned without a rate have it in their other coefficients.
        lacking = dict.fromkeys((rate for rate in RATES if rate not in self.names), _LEAST_DEVIATION)
        alike = replace(
            prior,
            means=dict(zip(self.names, found.mean.tolist())),
            deviations={**lacking, **dict(zip(self.names, found.deviation.tolist()))},
            directions=dict(zip(self.names, map(tuple, found.directions.T.tolist()))),
            odds=_ODDS,
            label=f"{prior.label}, as {label}",
        )
        sibling = replace(
            alike,
            means=dict.fromkeys(self.names, 0.0),
            odds=_VARYING_ODDS,
            label=f"{prior.label}, varying as {label}",
        )
        return alike, sibling


def moments(means: Floats, variances: Floats, base: Floats, own: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return means and deviations of coefficients over devices, each by itself.

    Parameters
    ----------
    means, variances : (n, d) float64
        Posterior means and variances of each device.
    base : (d,) float64
        Deviations of devices of which nothing is known.
    own : (d,) bool
        Coefficients that are not shared: for them it stays at zero and `base`.
    """
    n = len(means)
    within = ((means - means.mean(axis=0)) ** 2 + variances).mean(axis=0)
    # The mean itself is uncertain: what few devices say is drawn towards the source.
    mean = means.mean(axis=0) / (1.0 + within / n / base**2)
    total = ((means - mean) ** 2 + variances).mean(axis=0) * (n + 1.0) / n
    deviation = np.clip(np.sqrt(total), _LEAST_DEVIATION, base)
    return np.where(own, 0.0, mean), np.where(own, base, deviation)


def members_of(devices: Sequence[LearnedPredictor]) -> Members:
    """Return the coefficients of devices that were learned together."""
    headers = [device.device_header for device in devices]
    names = tuple(headers[0].coefficients)
    return Members(
        names,
        np.array([[header.coefficients[name] for name in names] for header in headers]),
        np.array([[header.variances.get(name, 0.0) for name in names] for header in headers]),
    )


def population_of(devices: Sequence[LearnedPredictor], label: str) -> tuple[Prior, Prior]:
    """Return the priors of devices that were learned together; see `Members.priors`."""
    header = devices[0].device_header
    prior = replace(Prior.of(devices[0].sources[0]), centers=header.centers, length=header.length)
    return members_of(devices).priors(prior, label)


@cache
def known_populations() -> Mapping[str, tuple[Prior, Prior]]:
    """Return the populations of the devices that come with the package, by runtime and precision.

    Devices whose entry in the list of predictors names a population are grouped by it instead.
    """
    groups: dict[str, list[LearnedPredictor]] = {}
    for entry in list_latency_predictors():
        if "headers" in entry:
            device = load_from_collection(PACKAGE / entry["headers"], entry["name"], entry["sha256"])
            label = entry.get("population") or f"{entry['runtime']} {entry['precision']}"
            groups.setdefault(label, []).append(device)
    return {
        label: population_of(devices, label)
        for label, devices in groups.items()
        if len(devices) >= LEAST_DEVICES
    }
