"""What the strategies share: the space to draw from, the engine to submit to, the filter and the draws."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

from nnmeter_nni._nni import base_class
from nnmeter_nni.errors import ArgumentTypeError, NoCandidateError
from nnmeter_nni.filter import LatencyFilter

_logger = logging.getLogger(__name__)

#: Draws in a row that repeat known samples before a space counts as exhausted.
_REPEATS = 500


class Space(Protocol):
    """What a strategy draws from."""

    def random(self, rng: Random) -> Any:
        """Return a random sample."""

    def mutate(self, sample: Any, probability: float, rng: Random) -> Any:
        """Return a copy of a sample, each choice redrawn with a probability."""

    def key(self, sample: Any) -> Hashable:
        """Return what is equal for equal samples."""

    def model(self, sample: Any) -> Any | None:
        """Return the candidate, or None when the sample is not valid."""


class Engine(Protocol):
    """What a strategy submits to."""

    def ready(self) -> bool:
        """Wait until a candidate can be submitted; False when the budget is spent."""

    def submit(self, model: Any) -> None:
        """Have a candidate trained."""

    def metric(self, model: Any) -> tuple[bool, float | None]:
        """Return whether a submitted candidate is finished, and its metric."""

    def finish(self, submitted: int) -> None:
        """Tell that nothing will be submitted after the `submitted` candidates so far."""

    def wait(self, models: list[Any]) -> None:
        """Wait until submitted candidates are finished, or the engine gives them up."""


if TYPE_CHECKING:
    NniStrategy = object
else:
    NniStrategy = base_class(
        retiarii="nnmeter_nni.strategies.retiarii:RetiariiStrategy",
        nas="nnmeter_nni.strategies.nas:NasStrategy",
    )


class LatencyStrategy(NniStrategy):
    """A strategy of the NNI that is installed; a subclass says how to search.

    NNI 2.10 refuses to save strategies above 4 KB, and saves them only before they run: a pickle keeps the
    seed of the random stream alone.

    Parameters
    ----------
    latency_filter : LatencyFilter
        What must pass.
    seed : int, optional
        Seed of the draws.

    Raises
    ------
    ArgumentTypeError
        When `latency_filter` is not a LatencyFilter.
    MissingDependencyError
        When NNI or torch is not installed.
    """

    def __init__(self, latency_filter: LatencyFilter, *, seed: int | None = None) -> None:
        super().__init__()
        if not isinstance(latency_filter, LatencyFilter):
            raise ArgumentTypeError(
                "expected a LatencyFilter, e.g. LatencyFilter(100, 'cortexA76cpu_tflite21'), "
                f"but got {latency_filter!r}"
            )
        self.latency_filter = latency_filter
        self.seed = seed
        self.rng = Random(seed)

    def search(self, space: Space, engine: Engine) -> None:
        """Submit candidates of a space to an engine, until its budget is spent.

        Raises
        ------
        NoCandidateError
            When nothing passes the filter.
        """
        raise NotImplementedError

    def draw(self, space: Space, seen: set[Hashable] | None) -> Any | None:
        """Return a random valid candidate, new where `seen` is given; None when the space has no more."""
        for _ in range(_REPEATS):
            model = new_model(space, space.random(self.rng), seen)
            if model is not None:
                return model
        return None

    def conclude(self, engine: Engine, submitted: int) -> None:
        """Tell the engine that nothing more comes.

        Raises
        ------
        NoCandidateError
            When nothing was submitted because nothing passed the filter.
        """
        stats = self.latency_filter.stats
        engine.finish(submitted)
        _logger.info("search ends with %d candidates submitted; %s", submitted, stats)
        if submitted == 0 and stats.seen:
            raise NoCandidateError(
                f"no candidate passed the latency filter ({self.latency_filter!r}); {stats}. "
                "Raise the threshold, or search a space with smaller models."
            )

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "rng"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.rng = Random(self.seed)


def new_model(space: Space, sample: Any, seen: set[Hashable] | None) -> Any | None:
    """Return the candidate of a sample; None when that is not valid, or where `seen` has it already."""
    if seen is not None:
        key = space.key(sample)
        if key in seen:
            return None
        seen.add(key)
    return space.model(sample)


def first_latency(latency_ms: Mapping[str, float]) -> float:
    """Latency in ms on the first device; infinite for a candidate that was accepted unpredicted."""
    return next(iter(latency_ms.values()), float("inf"))
