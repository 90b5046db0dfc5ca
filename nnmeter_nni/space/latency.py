"""SpaceLatency: the latency of every candidate of a model space."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, product
from math import prod
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnmeter_nni._nni import nni_major
from nnmeter_nni.candidates import DEFAULT_INPUT_SHAPE, record_to_graph
from nnmeter_nni.candidates.candidate import Candidate
from nnmeter_nni.filter import Predictor
from nnmeter_nni.latency import CandidateLatency
from nnmeter_nni.space.memo import SpaceMemo
from predictor_core.errors import PredictorError
from predictor_core.ir.graph import Graph, Shape

Sample = Mapping[str, Any]

#: Entries of the largest table that the search for the bounds may make.
_MAX_TABLE = 2**20

#: Spaces up to this many candidates are searched whole.
_EXHAUSTIVE = 256

#: Restarts of the climb where the bounds can't be found exactly.
_RESTARTS = 3


@dataclass(frozen=True)
class Bound:
    """A fastest or slowest candidate.

    Parameters
    ----------
    sample : dict
        Label -> choice.
    latency_ms : float
        Its latency.
    exact : bool
        Whether it is proven; otherwise it is the best that a climb from several starts has found.
    """

    sample: dict[str, Any]
    latency_ms: float
    exact: bool


@dataclass(frozen=True)
class LatencyTable:
    """What each choice adds.

    Parameters
    ----------
    base_ms : float
        Latency with the cheapest value of every choice.
    choices : dict of str to dict
        Label -> value -> ms above the cheapest value of that label.

    Notes
    -----
    Values are differences to one reference candidate. Their sum is the latency of a candidate up to what
    kernels that span two choices add; `SpaceLatency.latency` is exact.
    """

    base_ms: float
    choices: dict[str, dict[Any, float]]

    def __repr__(self) -> str:
        lines = [f"{'base':<24} {'':<20} {self.base_ms:>10.4f} ms"]
        for label, values in self.choices.items():
            lines += [f"{label:<24} {value!s:<20} {ms:>10.4f} ms" for value, ms in values.items()]
        return "\n".join(lines)


class SpaceLatency:
    """Latency of the candidates of a model space on one device.

    The space is built once, without weights. Where its choices only pick among modules, candidates are put
    together from them and the latency of each neighbourhood of choices is computed once; the answer equals
    that of a full trace. Candidates of other spaces are traced one by one, and remembered.

    Parameters
    ----------
    space : torch.nn.Module or ExecutableModelSpace
        An NNI 2.10 module under ``model_wrapper``, or an NNI 3.0 ``ModelSpace`` or executable space. It is
        not changed.
    predictor : str or LatencyPredictor
        The device.
    predictor_version : str or float, optional
        Version of the predictor. Default: the latest.
    input_shape : tuple of int
        Input shape, batch first, channels second.

    Attributes
    ----------
    choices : dict of str to list
        Label of each choice -> what can be chosen.

    Raises
    ------
    PredictorError
        When the space has no choices, or its candidates can't be built or traced.
    """

    def __init__(
        self,
        space: Any,
        predictor: Predictor,
        predictor_version: str | float | None = None,
        *,
        input_shape: Shape = DEFAULT_INPUT_SHAPE,
    ) -> None:
        self.input_shape = tuple(input_shape)
        loaded = CandidateLatency([predictor], predictor_version).predictors
        (self.predictor,) = loaded.values()
        if nni_major("nnmeter_nni.SpaceLatency") == 2:
            from nnmeter_nni.space.retiarii import RetiariiSource

            self._source: Any = RetiariiSource(space)
        else:
            from nnmeter_nni.space.nas import NasSource

            self._source = NasSource(space)
        self.choices: dict[str, list[Any]] = self._source.values
        if not self.choices:
            raise PredictorError("the space has no choices; predict the model itself")
        first = {label: values[0] for label, values in self.choices.items()}
        self._memo = SpaceMemo(self._source.record(first), self.input_shape, [self.predictor])

    def latency(self, sample: Sample) -> float:
        """Return the latency of a sample in ms; it equals that of a full trace."""
        record = self._record(sample)
        return float(self._memo.latencies(sample, lambda: record_to_graph(record, self.input_shape))[0])

    def graph(self, sample: Sample) -> Graph:
        """Return the Graph of a sample."""
        record = self._record(sample)
        if self._memo.choices is not None:
            return self._memo.graph(sample)
        return record_to_graph(record, self.input_shape)

    def sample(self, seed: int | Random | None = None) -> dict[str, Any]:
        """Draw a sample, each choice uniformly."""
        rng = seed if isinstance(seed, Random) else Random(seed)
        return {label: rng.choice(values) for label, values in self.choices.items()}

    def sample_latencies(self, n: int, seed: int | None = None) -> NDArray[np.float64]:
        """Latencies in ms of `n` random candidates, shape (n,).

        Parameters
        ----------
        n : int
            Number of candidates.
        seed : int, optional
            Seed of the draws; `sample` with the same generator gives the same candidates.
        """
        rng = Random(seed)
        if n >= 100:
            self._memo.fill()
        return np.fromiter((self.latency(self.sample(rng)) for _ in range(n)), dtype=np.float64, count=n)

    def bounds(self) -> tuple[Bound, Bound]:
        """Return the fastest and the slowest candidate."""
        return self._bound(1.0), self._bound(-1.0)

    def latency_table(self) -> LatencyTable:
        """Return what each value of each choice adds, others at their first value."""
        reference = {label: values[0] for label, values in self.choices.items()}
        base_ms = self.latency(reference)
        choices: dict[str, dict[Any, float]] = {}
        for label, values in self.choices.items():
            found = {value: self.latency({**reference, label: value}) for value in values}
            least = min(found.values())
            choices[label] = {value: ms - least for value, ms in found.items()}
            base_ms -= found[values[0]] - least
        return LatencyTable(base_ms, choices)

    def _record(self, sample: Sample) -> Candidate:
        unknown = set(self.choices) ^ set(sample)
        wrong = [label for label in self.choices if label in sample and not self._valid(label, sample[label])]
        if unknown or wrong:
            label = sorted(unknown)[0] if unknown else wrong[0]
            raise PredictorError(
                f"the sample does not fit the space at {label!r}: got {sample.get(label, 'nothing')!r}, "
                f"expected one of {self.choices.get(label, 'no such label')}"
            )
        record: Candidate = self._source.record(sample)
        return record

    def _valid(self, label: str, value: Any) -> bool:
        return isinstance(value, (list, tuple)) or value in self.choices[label]

    def _bound(self, sign: float) -> Bound:
        windows = self._memo.windows
        sample = None
        if windows is not None and self._memo.fill():
            tables = [
                (labels, {key: sign * float(part[0]) for key, part in table.items()})
                for labels, table in windows.windows
            ]
            if all(len(t) == prod(len(self.choices[label]) for label in labels) for labels, t in tables):
                sample = _eliminate(tables, self.choices)
        if sample is None and prod(len(values) for values in self.choices.values()) <= _EXHAUSTIVE:
            every = (dict(zip(self.choices, chosen)) for chosen in product(*self.choices.values()))
            sample = min(every, key=lambda one: sign * self.latency(one))
        if sample is not None:
            return Bound(sample, self.latency(sample), exact=True)
        sample = min(
            (self._climb(self.sample(seed), sign) for seed in range(_RESTARTS)),
            key=lambda one: sign * self.latency(one),
        )
        return Bound(sample, self.latency(sample), exact=False)

    def _climb(self, sample: dict[str, Any], sign: float) -> dict[str, Any]:
        """Change one choice at a time for the better, until none helps."""
        best = sign * self.latency(sample)
        improved = True
        while improved:
            improved = False
            for label, values in self.choices.items():
                for value in values:
                    other = {**sample, label: value}
                    found = sign * self.latency(other)
                    if found < best - 1e-12:
                        sample, best, improved = other, found, True
        return sample


Table = tuple[tuple[str, ...], Mapping[tuple[Hashable, ...], float]]


def _eliminate(tables: Sequence[Table], values: Mapping[str, Sequence[Any]]) -> dict[str, Any] | None:
    """Return the sample with the least sum over tables, by eliminating one label after the other.

    None when that needs a table of more than `_MAX_TABLE` entries.
    """
    remaining = list(tables)
    decisions: list[tuple[str, tuple[str, ...], dict[tuple[Hashable, ...], Any]]] = []
    waiting = set(values)
    while waiting:
        scopes = {
            label: set(chain.from_iterable(labels for labels, _ in remaining if label in labels)) - {label}
            for label in waiting
        }
        label = min(waiting, key=lambda one: (prod(len(values[other]) for other in scopes[one]), one))
        others = tuple(sorted(scopes[label]))
        if prod(len(values[other]) for other in (*others, label)) > _MAX_TABLE:
            return None
        touching = [table for table in remaining if label in table[0]]
        remaining = [table for table in remaining if label not in table[0]]
        least: dict[tuple[Hashable, ...], float] = {}
        chosen: dict[tuple[Hashable, ...], Any] = {}
        for key in product(*(values[other] for other in others)):
            known = dict(zip(others, key))
            for value in values[label]:
                known[label] = value
                total = sum(table[tuple([known[one] for one in labels])] for labels, table in touching)
                if key not in least or total < least[key]:
                    least[key], chosen[key] = total, value
        remaining.append((others, least))
        decisions.append((label, others, chosen))
        waiting.discard(label)
    sample: dict[str, Any] = {}
    for label, others, chosen in reversed(decisions):
        sample[label] = chosen[tuple([sample[other] for other in others])]
    return {label: sample[label] for label in values}
