"""SpaceLatency: the latency of every candidate of a model space."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, product
from math import inf, prod
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from nnmeter_nni._nni import for_major
from nnmeter_nni.candidates import DEFAULT_INPUT_SHAPE, freeze, record_to_graph
from nnmeter_nni.device import Predictor, load_device
from nnmeter_nni.limits import checked_shape
from predictor_core.errors import PredictorError
from predictor_core.ir.graph import Graph, Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nnmeter_nni.candidates.candidate import Candidate

Sample = Mapping[str, Any]

#: Spaces up to this many candidates are searched whole.
_EXHAUSTIVE = 256

#: Restarts of the climb where the bounds can't be found exactly, and draws for a valid sample to start from.
_RESTARTS = 3
_DRAWS = 200


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
        Label -> value -> ms above the cheapest value of that label; infinite where the reference with that
        value can't be predicted. A value that is a list, as that of a choice of several inputs, is listed as
        a tuple.

    Notes
    -----
    Values are differences to one reference candidate: choices inside of what it leaves out, as a deeper block
    or another layer, add nothing. Their sum is the latency of a candidate up to what
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

    The space is built once, without weights. Where its choices only pick among modules, candidates are
    assembled from these, and the latency of each neighbourhood of choices is computed once. Assembled
    candidates are compared with built ones until every value of every choice is covered; where one differs,
    and in other spaces, each candidate is built, traced and remembered. Either way the answer equals that of
    a full trace.

    Parameters
    ----------
    space : torch.nn.Module or ExecutableModelSpace
        An NNI 2.10 module under ``model_wrapper``, or an NNI 3.0 ``ModelSpace`` or executable space. It is
        not changed.
    predictor : str or predictor
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
        When the space has no choices, or no candidate of it can be built.
    MissingDependencyError
        When NNI or torch is not installed.
    """

    def __init__(
        self,
        space: Any,
        predictor: Predictor,
        predictor_version: str | float | None = None,
        *,
        input_shape: Shape = DEFAULT_INPUT_SHAPE,
    ) -> None:
        source = for_major(
            "nnmeter_nni.SpaceLatency",
            retiarii="nnmeter_nni.space.retiarii:RetiariiSource",
            nas="nnmeter_nni.space.nas:NasSource",
        )
        from nnmeter_nni.space.memo import SpaceMemo

        self.input_shape = checked_shape(input_shape)
        self.predictor = load_device(predictor, predictor_version)
        self._source: Any = source(space)
        # The candidate of first values is the reference: it should have inputs wherever it can choose some.
        self.choices: dict[str, list[Any]] = {
            label: sorted(values, key=lambda value: freeze(value) == ())
            for label, values in self._source.values.items()
        }
        if not self.choices:
            raise PredictorError("the space has no choices; predict the model itself")
        self._memo = SpaceMemo(self._any_record(), self.input_shape, [self.predictor])
        self._memo.check(self._built)

    def latency(self, sample: Sample) -> float:
        """Return the latency of a sample in ms; it equals that of a full trace.

        Parameters
        ----------
        sample : mapping
            Label -> choice, for every label of `choices`.

        Raises
        ------
        PredictorError
            When the sample does not fit the space, or can't be predicted.
        """
        chosen = self._checked(sample)
        return float(self._memo.latencies(chosen, lambda: self._built(chosen))[0])

    def graph(self, sample: Sample) -> Graph:
        """Return the Graph of a sample."""
        chosen = self._checked(sample)
        return self._memo.graph(chosen, lambda: self._built(chosen))

    def sample(self, seed: int | Random | None = None) -> dict[str, Any]:
        """Draw a sample, each choice uniformly.

        It may break a constraint of the space, where it has constraints; `latency` then raises.
        """
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
        """Return what each value of each choice adds, others at their first value.

        Where that candidate can't be predicted, others at the values of a random one.
        """
        reference = dict(self._reference)
        base_ms = self.latency(reference)
        choices: dict[str, dict[Any, float]] = {}
        for label, values in self.choices.items():
            found = {freeze(value): self._latency_or({**reference, label: value}, inf) for value in values}
            least = min(found.values())
            choices[label] = {value: ms - least for value, ms in found.items()}
            base_ms -= found[freeze(reference[label])] - least
        return LatencyTable(base_ms, choices)

    def _any_record(self) -> Candidate:
        """Describe a candidate that keeps the constraints of the space, of first values if these do."""
        return self._first(self._source.record)[1]  # type: ignore[no-any-return]

    @cached_property
    def _reference(self) -> dict[str, Any]:
        """A sample that can be predicted, of first values if that one can."""
        return self._first(self.latency)[0]

    def _first(self, attempt: Callable[[Sample], Any]) -> tuple[dict[str, Any], Any]:
        """Return the first sample of first values, else drawn, that does not fail, and what came of it."""
        rng = Random(0)
        first = {label: values[0] for label, values in self.choices.items()}
        failure: PredictorError | None = None
        for sample in chain([first], (self.sample(rng) for _ in range(_DRAWS))):
            try:
                return sample, attempt(sample)
            except PredictorError as error:
                failure = failure or error
        raise PredictorError(f"none of {_DRAWS} random samples of the space works: {failure}") from failure

    def _built(self, sample: Sample) -> Graph:
        return record_to_graph(self._source.record(sample), self.input_shape)

    def _checked(self, sample: Sample) -> dict[str, Any]:
        """Return a sample with the values as the space lists them."""
        chosen = {}
        for label in sorted(set(self.choices) | set(sample)):
            listed = [
                one for one in self.choices.get(label, ()) if label in sample and _equal(sample[label], one)
            ]
            if not listed:
                raise PredictorError(
                    f"the sample does not fit the space at {label!r}: got {sample.get(label, 'nothing')!r}, "
                    f"expected one of {self.choices.get(label, 'no such label')}"
                )
            chosen[label] = listed[0]
        return {label: chosen[label] for label in self.choices}

    def _latency_or(self, sample: Sample, otherwise: float) -> float:
        """Latency of a sample, or what is given where it breaks a constraint of the space."""
        try:
            return self.latency(sample)
        except PredictorError:
            return otherwise

    def _bound(self, sign: float) -> Bound:
        from nnmeter_nni.space.bounds import extreme_sample

        sample = extreme_sample(self._memo, 0, sign)
        if sample is None and prod(len(values) for values in self.choices.values()) <= _EXHAUSTIVE:
            every = (dict(zip(self.choices, chosen)) for chosen in product(*self.choices.values()))
            sample = min(every, key=lambda one: sign * self._latency_or(one, sign * inf))
        if sample is not None:
            return Bound(sample, self.latency(sample), exact=True)
        starts = [dict(self._reference), *(self._start(Random(seed)) for seed in range(_RESTARTS - 1))]
        sample = min((self._climb(one, sign) for one in starts), key=lambda one: sign * self.latency(one))
        return Bound(sample, self.latency(sample), exact=False)

    def _start(self, rng: Random) -> dict[str, Any]:
        """Draw a sample that keeps the constraints of the space."""
        for _ in range(_DRAWS):
            sample = self.sample(rng)
            if self._latency_or(sample, inf) < inf:
                return sample
        return dict(self._reference)

    def _climb(self, sample: dict[str, Any], sign: float) -> dict[str, Any]:
        """Change one choice at a time for the better, until none helps."""
        best = sign * self.latency(sample)
        improved = True
        while improved:
            improved = False
            for label, values in self.choices.items():
                for value in values:
                    other = {**sample, label: value}
                    found = sign * self._latency_or(other, sign * inf)
                    if found < best - 1e-12:
                        sample, best, improved = other, found, True
        return sample


def _equal(given: Any, listed: Any) -> bool:
    """Whether a value is the listed one; one chosen input may be given with or without a list around it."""
    return bool(freeze(given) == freeze(listed) or only(given) == only(listed))


def only(value: Any) -> Any:
    """Return a hashable value, that of a list of one alone."""
    return value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else freeze(value)
