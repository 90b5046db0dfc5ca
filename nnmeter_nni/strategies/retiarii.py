"""What the strategies rest on under NNI 2.10 (``nni.retiarii``): its spaces, its engine, its base class."""

from __future__ import annotations

import time
from collections.abc import Hashable
from random import Random
from typing import Any

from nni.experiment import rest
from nni.nas.execution import (
    budget_exhausted,
    get_execution_engine,
    query_available_resources,
    submit_models,
)
from nni.nas.execution.common import ModelStatus
from nni.nas.mutable import InvalidMutation
from nni.nas.strategy import BaseStrategy
from nni.nas.strategy.utils import dry_run_for_search_space, get_targeted_model

from nnmeter_nni.candidates.candidate import freeze

#: Seconds between two looks at the engine.
_POLL_S = 0.5


class MutatorSpace:
    """A base model and its mutators as a space; a sample maps (mutator, index) to a choice."""

    def __init__(self, base_model: Any, mutators: list[Any]) -> None:
        self.base_model = base_model
        self.mutators = mutators
        self.choices: dict[Any, list[Any]] = dry_run_for_search_space(base_model, mutators)

    def random(self, rng: Random) -> Any:
        """Choose everything at random."""
        return {key: rng.choice(values) for key, values in self.choices.items()}

    def mutate(self, sample: Any, probability: float, rng: Random) -> Any:
        """Redraw each choice with a probability."""
        return {
            key: rng.choice(self.choices[key]) if rng.random() < probability else value
            for key, value in sample.items()
        }

    def key(self, sample: Any) -> Hashable:
        """Return the choices in order."""
        return freeze(list(sample.values()))

    def model(self, sample: Any) -> Any | None:
        """Apply the mutators."""
        try:
            return get_targeted_model(self.base_model, self.mutators, sample)
        except InvalidMutation:
            return None


class RetiariiEngine:
    """NNI's global execution engine."""

    def ready(self) -> bool:
        """Wait for a free slot."""
        while query_available_resources() <= 0:
            if budget_exhausted():
                return False
            time.sleep(_POLL_S)
        return True

    def submit(self, model: Any) -> None:
        """Send a model to the manager."""
        submit_models(model)

    def metric(self, model: Any) -> tuple[bool, float | None]:
        """Look at the status of a model."""
        if model.status is ModelStatus.Trained:
            metric = model.metric
            found = metric.get("default") if isinstance(metric, dict) else metric
            return True, None if found is None else float(found)
        return model.status is ModelStatus.Failed, None

    def finish(self, submitted: int) -> None:
        """Lower the budget to what was submitted, or the experiment would wait for the rest for ever."""
        if submitted == 0 or budget_exhausted():
            return
        engine = get_execution_engine()
        profile = rest.get(engine.port, "/experiment", engine.url_prefix)
        profile["params"]["maxTrialNumber"] = submitted
        rest.put(engine.port, "/experiment?update_type=MAX_TRIAL_NUM", profile, engine.url_prefix)

    def wait(self, models: list[Any]) -> None:
        """Wait for the models; those submitted after the last trial of the budget are never run."""
        while not all(self.metric(model)[0] for model in models) and not budget_exhausted():
            time.sleep(_POLL_S)


class RetiariiStrategy(BaseStrategy):
    """Base of the strategies under NNI 2.10."""

    def run(self, base_model: Any, applied_mutators: list[Any]) -> None:
        """Search; called by the experiment."""
        self.search(MutatorSpace(base_model, applied_mutators), RetiariiEngine())
