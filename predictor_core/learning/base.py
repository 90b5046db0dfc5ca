"""Fit of the analytic base: log-linear coefficients with priors, on the models' latencies.

Most kernels occur in few families, so least squares alone would shift cost freely between kernels that always
occur together, and a new family would pay for it. Therefore the logarithm of a coefficient is a sum: what it
is for all kernels of a group (computing ones, moving ones), a deviation of the forest, and a deviation of
the window size, each with a Gaussian prior around zero. Deviations are as large as the measurements demand,
and no larger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from predictor_core import kernels
from predictor_core.errors import requires
from predictor_core.kernels.base import AnalyticBase
from predictor_core.kernels.work import WORK
from predictor_core.learning.dataset import Dataset, Floats
from predictor_core.learning.posterior import Gaussian, Noise, Term, maximum_posterior

with requires("scipy", "train", "Training"):
    from scipy import sparse

#: Prior standard deviations of the logarithm: of a group, of forests that are alike, of those that stream
#: from memory, of a window.
_GROUP, _ALIKE, _STREAM, _WINDOW = 1.5, 0.1, 0.15, 0.3
#: Prior of the constant once per model: median in ms, standard deviation of the logarithm.
_CONSTANT = (0.5, 1.5)
#: Independent models that a family is worth: what the base can't say is alike in all models of a family.
_INDEPENDENT = 150.0
_DONE = 1e-7


@dataclass(frozen=True)
class Plan:
    """Which work the base of a device counts.

    Parameters
    ----------
    terms : mapping of str to tuple of str
        Forest -> names of `predictor_core.kernels.work.WORK`; of all other forests under ``""``.
    alike : frozenset of str
        Forests that move data more than they compute, and cost much the same per byte.
    streams : frozenset of str
        Forests that cost much the same per byte because memory bounds what they move.
    one_window : frozenset of str
        Forests whose coefficients are the same for all window sizes.
    one_launch : bool
        Whether a launch costs the same whatever the window.
    uncorrected : frozenset of str
        Forests that leave the base as it is: what else the teacher says of their kernels holds in no other
        family.
    forest, launch : float
        Prior standard deviations of the logarithm of all other forests' coefficients, and of their launches.
    """

    terms: Mapping[str, tuple[str, ...]]
    alike: frozenset[str] = frozenset()
    streams: frozenset[str] = frozenset()
    one_window: frozenset[str] = frozenset()
    one_launch: bool = False
    uncorrected: frozenset[str] = frozenset()
    forest: float = 1.5
    launch: float = 1.5

    def of(self, forest: str) -> tuple[str, ...]:
        """Terms of a forest."""
        return self.terms.get(forest, self.terms[""])


@dataclass(frozen=True)
class Base:
    """Fitted base of a device.

    Parameters
    ----------
    forests : mapping of str to AnalyticBase
    device : (3,) array
        ms per MAC of kernels that compute; ms per byte and per launch of those that move data. For
        estimates of what no forest serves.
    constant_ms : float
        Added once per model.
    """

    forests: Mapping[str, AnalyticBase]
    device: Floats
    constant_ms: float

    def latency_ms(self, data: Dataset) -> Floats:
        """Return the base of every kernel of a data set in ms, shape (m,)."""
        out = np.full(len(data.specs), np.nan)
        for name, base in self.forests.items():
            members = np.flatnonzero(data.forests == name)
            specs = [data.specs[i] for i in members]
            out[members] = base.latency_ms(specs, [kernels.cost(spec) for spec in specs])
        return out


@dataclass(frozen=True)
class _Coefficient:
    forest: str
    window: int
    term: str

    @property
    def kind(self) -> str:
        if self.term.startswith("macs") or self.term == "engine_macs":
            return "macs"
        return "bytes" if self.term == "permuted" else self.term


def fit_base(data: Dataset, plan: Plan) -> Base:
    """Fit the base to models, in relative error.

    Parameters
    ----------
    data : Dataset
        Training models only. Forests whose kernels they don't hold get what their group has.
    plan : Plan
    """
    coefficients, columns = _columns(data, plan)
    place, effects, prior, deviation = _effects(coefficients, columns, data.latency_ms, plan)
    _, family, models = np.unique(data.families, return_inverse=True, return_counts=True)
    weight = np.minimum(1.0, _INDEPENDENT / models)[family]
    # Each column of work is an item, once a model.
    work = Term(columns, np.ones(len(columns.T)), effects.toarray(), np.arange(len(prior)))
    believed = Gaussian(prior, deviation)
    found = maximum_posterior([work], data.latency_ms, weight, believed, Noise(), done=_DONE).mean
    logs = effects @ found
    # Six digits are more than the fit is worth, and the same whatever order sums were taken in.
    values = [float(f"{value:.6g}") for value in np.exp(logs)]
    forests = {}
    for name in map(str, np.unique(data.forests)):
        terms = plan.of(name)
        windows = sorted({c.window for c in coefficients if c.forest == name})
        fitted = {(c.window, c.term): value for c, value in zip(coefficients, values) if c.forest == name}
        rows = tuple(tuple(fitted[window, term] for term in terms) for window in windows)
        forests[name] = AnalyticBase(terms, tuple(windows), rows)

    def group(term: str, alike: bool) -> float:
        at = place.get((alike, term), place.get((not alike, term)))
        assert at is not None
        return float(f"{np.exp(found[at]):.6g}")

    per_mac, per_byte, launch = group("macs", False), group("bytes", True), group("launch", True)
    # Traffic costs at least a tenth of arithmetic, a launch at least a microsecond.
    device = np.array([per_mac, max(per_byte, 0.1 * per_mac), max(launch, 1e-3)])
    return Base(forests, device, values[-1])


def _columns(data: Dataset, plan: Plan) -> tuple[list[_Coefficient], Floats]:
    """Return the coefficients, and the work of each model that multiplies them; last, the constant's."""
    costs = [kernels.cost(spec) for spec in data.specs]
    seen = data.seen()
    windows = np.array([spec.kernel[0] * spec.kernel[1] for spec in data.specs])
    coefficients = []
    columns = []
    for name in map(str, np.unique(data.forests)):
        members = data.forests == name
        sizes = windows * (members & seen)
        # Without kernels to tell windows apart, the coefficients are what the priors say.
        present = [1] if name in plan.one_window or not sizes.any() else np.unique(sizes[sizes > 0])
        for window in map(int, present):
            chosen = np.flatnonzero(members if len(present) == 1 else members & (windows == window))
            counts = data.counts[:, chosen]
            for term in plan.of(name):
                work = np.array([WORK[term](data.specs[i], costs[i]) for i in chosen])
                coefficients.append(_Coefficient(name, window, term))
                columns.append(counts @ work)
    columns.append(np.ones(len(data)))
    return coefficients, np.stack(columns, axis=1)


def _effects(
    coefficients: list[_Coefficient], columns: Floats, latency_ms: Floats, plan: Plan
) -> tuple[dict[object, int], sparse.csr_matrix, Floats, Floats]:
    """Places of the effects, which of them add up to the logarithm of which coefficient, and their priors."""
    main = sum(
        columns[:, i] for i, c in enumerate(coefficients) if c.kind == "macs" and c.forest not in plan.alike
    )
    per_mac = 0.7 * float(np.median(latency_ms / main))
    start = {
        "macs": per_mac,
        "bytes": 3.0 * per_mac,
        "unfolded": per_mac,
        "launch": 0.01,
        "reduction_depth": 1e-5,
    }
    forests = Counter((c.forest, c.term) for c in coefficients)
    place: dict[object, int] = {}
    prior, deviation = [], []
    entries = []

    def add(row: int, effect: object, mean: float, prior_deviation: float) -> None:
        if effect not in place:
            place[effect] = len(place)
            prior.append(mean)
            deviation.append(prior_deviation)
        entries.append((row, place[effect]))

    for row, c in enumerate(coefficients):
        alike = c.forest in plan.alike
        streams = c.term == "bytes" and c.forest in plan.streams
        group = ("stream", c.kind) if streams else (alike, c.kind)
        add(row, group, float(np.log(start.get(c.kind, 0.3 * per_mac))), _GROUP)
        own = _ALIKE if alike else plan.launch if c.term == "launch" else plan.forest
        add(row, (c.forest, c.term), 0.0, _STREAM if streams else own)
        if forests[c.forest, c.term] > 1 and not (plan.one_launch and c.term == "launch"):
            add(row, c, 0.0, _WINDOW)
    add(len(coefficients), "constant", float(np.log(_CONSTANT[0])), _CONSTANT[1])
    rows, places = np.array(entries).T
    shape = (len(coefficients) + 1, len(place))
    effects = sparse.csr_matrix((np.ones(len(rows)), (rows, places)), shape=shape)
    return place, effects, np.array(prior), np.array(deviation)
