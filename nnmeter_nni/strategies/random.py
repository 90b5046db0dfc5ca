"""LatencyRandom: random search under a latency constraint."""

from __future__ import annotations

import logging
from collections.abc import Hashable

from nnmeter_nni.filter import LatencyFilter
from nnmeter_nni.limits import positive
from nnmeter_nni.strategies.base import Engine, LatencyStrategy, Space

_logger = logging.getLogger(__name__)


class LatencyRandom(LatencyStrategy):
    """Draw candidates until one passes the filter, and submit it; again until the budget is spent.

    A strategy of the NNI that is installed: give it to ``RetiariiExperiment`` (2.10) or ``NasExperiment``
    (3.0).

    Parameters
    ----------
    latency_filter : LatencyFilter
        What must pass.
    patience : int
        Draws without a candidate that passes, after which the search stops.
    dedup : bool
        Whether to leave out samples that were drawn before.
    seed : int, optional
        Seed of the draws.

    Raises
    ------
    ArgumentError
        When an argument can't be used.
    MissingDependencyError
        When NNI or torch is not installed.

    Examples
    --------
    ::

        strategy = LatencyRandom(LatencyFilter(100, "cortexA76cpu_tflite21"), seed=0)
        experiment = RetiariiExperiment(space, evaluator, [], strategy)
    """

    def __init__(
        self,
        latency_filter: LatencyFilter,
        *,
        patience: int = 1000,
        dedup: bool = True,
        seed: int | None = None,
    ) -> None:
        super().__init__(latency_filter, seed=seed)
        self.patience = positive("patience", patience)
        self.dedup = dedup

    def search(self, space: Space, engine: Engine) -> None:
        """Run to the end of the budget, or of the patience."""
        seen: set[Hashable] | None = set() if self.dedup else None
        submitted = misses = 0
        while misses < self.patience and engine.ready():
            model = self.draw(space, seen)
            if model is None:
                _logger.info("every sample of the space has been drawn")
                break
            misses += 1
            if self.latency_filter(model):
                engine.submit(model)
                submitted += 1
                misses = 0
        if misses == self.patience:
            _logger.warning("nothing passed the latency filter in %d draws", misses)
        self.conclude(engine, submitted)
