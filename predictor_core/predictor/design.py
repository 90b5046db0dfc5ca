"""What the coefficients of a learned device multiply: bases in ms, and the effects on their logarithms.

The latency of a kernel is a sum of terms: what the source says, a launch, the bytes that it moves and, where
the source has no forest, its multiply-accumulates. The logarithm of each term's factor is a sum of effects,
from coarse to fine: all kernels, their traits, the family, the sort, and the neighbourhood. The last is a
Gaussian process over `predictor_core.kernels.coordinates`, in the form of a Nystroem approximation (Williams
and Seeger, "Using the Nystroem method to speed up kernel machines", 2001): with C the covariances between
some centers and L their Cholesky factor, the features of a kernel are L^-1 times its covariances with the
centers. Because L is triangular, centers that are added later leave the features of the earlier ones alone.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from predictor_core import kernels
from predictor_core.kernels import KernelSpec
from predictor_core.kernels.coordinates import coordinates, family, group, sort
from predictor_core.kernels.spec import ONE
from predictor_core.kernels.traits import TRAITS
from predictor_core.predictor.latency import LatencyPredictor

Floats = NDArray[np.float64]

TERMS = ("kernel", "launch", "byte", "mac")
#: Prior standard deviations of the effects: how far a device may be from its source.
PRIOR = {
    "all": 4.0,
    "arithmetic": 0.5,
    "padded": 0.3,
    "unaligned": 0.15,
    "winograd": 0.3,
    "aliased": 0.15,
    "small": 0.5,
    "family": 0.5,
    # Convolutions keep their ratios from device to device; what else costs something differs by factors.
    "sort": 0.3,
    "op": 1.0,
    # Kernels that the source only estimates.
    "unserved": 1.0,
    "dilated": 0.7,
    "near": 0.3,
    "mix": 0.3,
    "launch": 2.0,
    "launch-family": 1.0,
    "byte": 1.5,
    "byte-family": 0.7,
    "mac": 1.5,
    "constant": 2.0,
}
_JITTER = 1e-4
#: Rows remembered by a design; past it all are forgotten.
_MEMO_ROWS = 2**13
#: Families and ops whose maps are images; leading dimensions of others can be those of attention.
_OF_IMAGES = frozenset(
    {"conv", "dwconv", "groupconv", "pool", "bn", "channelshuffle", "concat", "hswish", "relu", "se", "split"}
)
#: A ratio of two sources is taken seriously up to a factor of e^3.
_MOST_MIX = 3.0


def effect_kind(name: str) -> str:
    """Key of `PRIOR` for the name of an effect; sorts without a window are ops."""
    kind, _, of = name.partition(":")
    return "op" if kind == "sort" and "/" not in of else kind


@dataclass(frozen=True)
class Rows:
    """Bases and effects of some kernels.

    Parameters
    ----------
    base_ms : (n, number of terms) float64
    values : tuple of (n, columns of the term) float64
        What multiplies the coefficients ``Design.columns[term]``.
    unknown : (n,) float64
        Prior variance of effects that the design has no coefficient for.
    """

    base_ms: Floats
    values: tuple[Floats, ...]
    unknown: Floats


class Tally(NamedTuple):
    """Kernels of some models.

    Parameters
    ----------
    rows : Rows
        Of the distinct kernels.
    items, models : (m,) integers
        For each kernel of each model, its row and its model.
    """

    rows: Rows
    items: NDArray[np.intp]
    models: NDArray[np.intp]


class Design:
    """Bases and effects of any kernel, for all devices that share a source, rates and centers.

    Parameters
    ----------
    sources : sequence of LatencyPredictor
        The first gives the bases; each other one an effect, the logarithm of its ratio to the first.
    scale_ms : mapping of str to float
        Base rates: ``launch``, ``byte``, ``mac``.
    centers : mapping of str to (m, coordinates) array-like
    names : sequence of str
        Names of the coefficients, in their order.
    length : float
        Distance over which the corrections of neighbours fade, in units of the coordinates.
    """

    def __init__(
        self,
        sources: Sequence[LatencyPredictor],
        scale_ms: Mapping[str, float],
        centers: Mapping[str, Any],
        names: Sequence[str],
        length: float = 1.0,
    ) -> None:
        self.sources = tuple(source.unbounded for source in sources)
        self.names = tuple(names)
        self._scale_ms = dict(scale_ms)
        self._centers = {
            g: np.array(points, dtype=np.float64) / length for g, points in centers.items() if len(points)
        }
        self._length = length
        self._whiten = {g: _whitening(points) for g, points in self._centers.items()}
        place = {name: i for i, name in enumerate(self.names)}
        of_term: dict[str, list[str]] = {term: [] for term in TERMS}
        for name in self.names:
            for term in _terms_of(name):
                of_term[term].append(name)
        #: For each term, which coefficients act on it.
        self.columns = tuple(np.array([place[n] for n in of_term[t]], dtype=np.intp) for t in TERMS)
        self._local = [{name: i for i, name in enumerate(of_term[term])} for term in TERMS]
        self._ends = np.cumsum([len(TERMS), *map(len, self.columns)])
        self._memo: dict[KernelSpec, Floats] = {}
        self._last: tuple[list[KernelSpec], list[list[int]], Tally] | None = None
        self._lock = threading.Lock()

    def tally(self, specs: Sequence[KernelSpec], models: Sequence[Sequence[int]]) -> Tally:
        """Return the rows of some models' kernels; the last ones computed are remembered.

        Devices that share a design predict the same models one after the other.

        Parameters
        ----------
        specs : sequence of KernelSpec
        models : sequence of sequence of int
            For each model, the places of its kernels in `specs`.
        """
        last = self._last
        if last is not None and last[0] == specs and last[1] == models:
            return last[2]
        items = np.array([i for places in models for i in places], dtype=np.intp)
        model = np.repeat(np.arange(len(models)), [len(places) for places in models])
        tally = Tally(self.rows(specs), items, model)
        self._last = (list(specs), [list(places) for places in models], tally)
        return tally

    def rows(self, specs: Sequence[KernelSpec]) -> Rows:
        """Return the rows of kernels, in their order; each kernel is computed once."""
        memo = self._memo
        missing = [spec for spec in dict.fromkeys(specs) if spec not in memo]
        if missing:
            fresh = dict(zip(missing, self._compute(missing)))
            with self._lock:
                if len(memo) + len(fresh) > _MEMO_ROWS:
                    # A reader may hold the old one, which stays whole.
                    self._memo = memo = {**{spec: memo[spec] for spec in specs if spec in memo}, **fresh}
                else:
                    memo.update(fresh)
        return self._split(np.array([memo[spec] for spec in specs]))

    def rows_unshared(self, specs: Sequence[KernelSpec]) -> Rows:
        """As `rows`, for the many kernels of a data set, that need not be remembered."""
        return self._split(self._compute(specs))

    def _split(self, flat: Floats) -> Rows:
        terms, *parts = np.split(flat[:, :-1], self._ends[:-1], axis=1)
        return Rows(terms, tuple(np.ascontiguousarray(part) for part in parts), flat[:, -1])

    def _compute(self, specs: Sequence[KernelSpec]) -> Floats:
        """Bases, effects and unknown variance of each kernel, side by side.

        Batches of n images, which were not measured, take n times as long as one.
        """
        single = [
            kernels.one_image(spec) if {family(spec), spec.op} & _OF_IMAGES else (spec, 1) for spec in specs
        ]
        specs, images = [spec for spec, _ in single], np.array([n for _, n in single])
        answers = [source.kernel_latencies(specs) for source in self.sources]
        source_ms = [np.array([answer[spec].latency_ms for spec in specs]) for answer in answers]
        costs = [kernels.cost(spec) for spec in specs]
        measured = np.array([answers[0][spec].measured for spec in specs])
        base_ms = np.empty((len(specs), len(TERMS)))
        base_ms[:, 0] = source_ms[0]
        base_ms[:, 1] = self._scale_ms["launch"]
        base_ms[:, 2] = [self._scale_ms["byte"] * cost.bytes for cost in costs]
        base_ms[:, 3] = [self._scale_ms["mac"] * cost.macs for cost in costs]
        base_ms[measured, 3] = 0.0
        base_ms *= images[:, None]
        values = [np.zeros((len(specs), len(columns))) for columns in self.columns]
        unknown = np.zeros(len(specs))
        for row, spec in enumerate(specs):
            for term, names in enumerate(effects(spec, bool(measured[row]))):
                local = self._local[term]
                for name in names:
                    column = local.get(name)
                    if column is not None:
                        values[term][row, column] = 1.0
                    elif term == 0:
                        unknown[row] += PRIOR[effect_kind(name)] ** 2
        for source, other in zip(self.sources[1:], source_ms[1:]):
            column = self._local[0].get(f"mix:{source.name}")
            if column is not None:
                ratio = np.log(other / source_ms[0])
                values[0][:, column] = np.clip(ratio, -_MOST_MIX, _MOST_MIX)
        for name, trait in TRAITS.items():
            column = self._local[0].get(f"{name}:")
            if column is not None:
                values[0][:, column] = [trait(spec, cost) for spec, cost in zip(specs, costs)]
        self._fill_neighbourhoods(specs, values[0])
        return np.concatenate([base_ms, *values, unknown[:, None]], axis=1)

    def _fill_neighbourhoods(self, specs: Sequence[KernelSpec], values: Floats) -> None:
        groups = np.array([group(spec) for spec in specs])
        for name, points in self._centers.items():
            members = np.flatnonzero(groups == name)
            columns = {i: self._local[0].get(f"near:{name}/{i}") for i in range(len(points))}
            used = {i: column for i, column in columns.items() if column is not None}
            if len(members) and used:
                at = coordinates([spec for spec, own in zip(specs, groups == name) if own]) / self._length
                found = covariance(at, points) @ self._whiten[name].T
                values[np.ix_(members, np.array(list(used.values())))] = found[:, list(used)]


def effects(spec: KernelSpec, measured: bool) -> tuple[tuple[str, ...], ...]:
    """Names of the effects of a kernel on each term, but for mix, traits and neighbourhood.

    Parameters
    ----------
    spec : KernelSpec
    measured : bool
        Whether a forest of the source predicts it: the rate of what is only estimated is far less certain.
    """
    of, op = family(spec), sort(spec)
    own: tuple[str, ...] = ("all:", f"family:{of}", f"{'sort' if measured else 'unserved'}:{op}")
    if spec.dilations != ONE:
        own += (f"dilated:{of}",)
    launch = ("all:", "launch:", f"launch-family:{of}")
    byte = ("all:", "byte:", f"byte-family:{of}")
    return own, launch, byte, ("all:", "mac:")


def covariance(points: Floats, centers: Floats) -> Floats:
    """Squared exponential covariance of unit variance and length, shape (n, m)."""
    squares = ((points[:, None, :] - centers[None, :, :]) ** 2).sum(axis=2)
    return np.asarray(np.exp(-0.5 * squares))


@lru_cache(maxsize=16)
def shared_design(
    sources: tuple[LatencyPredictor, ...],
    scale_ms: tuple[tuple[str, float], ...],
    centers: tuple[tuple[str, tuple[tuple[float, ...], ...]], ...],
    names: tuple[str, ...],
    length: float,
) -> Design:
    """Return the one design of all devices that agree in these: what one computes, all know."""
    return Design(sources, dict(scale_ms), dict(centers), names, length)


def _terms_of(name: str) -> Iterable[str]:
    kind = effect_kind(name)
    if kind == "all":
        return TERMS
    if kind in ("launch", "byte"):
        return (kind,)
    if kind in ("launch-family", "byte-family"):
        return (kind.partition("-")[0],)
    return ("mac",) if kind == "mac" else ("kernel",) if kind != "constant" else ()


def _whitening(points: Floats) -> Floats:
    lower = np.linalg.cholesky(covariance(points, points) + _JITTER * np.eye(len(points)))
    return np.linalg.inv(lower)
