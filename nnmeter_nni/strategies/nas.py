"""What the strategies rest on under NNI 3.0 (``nni.nas``): its spaces, its engine, its base class."""

from __future__ import annotations

from collections.abc import Hashable
from random import Random
from typing import Any

from nni.mutable import MutableAnnotation, SampleValidationError
from nni.nas.strategy.base import Strategy
from numpy.random import RandomState

from nnmeter_nni.candidates.candidate import freeze


class MutableSpace:
    """An ``ExecutableModelSpace``; a sample maps labels to choices."""

    def __init__(self, model_space: Any) -> None:
        self.model_space = model_space
        self.mutables: dict[str, Any] = dict(model_space.simplify())

    def random(self, rng: Random) -> Any:
        """Choose everything at random; None when the draw breaks a constraint of the space."""
        sample: dict[str, Any] = {}
        try:
            self.model_space.random(memo=sample, random_state=_numpy(rng))
        except SampleValidationError:
            return None
        return sample

    def mutate(self, sample: Any, probability: float, rng: Random) -> Any:
        """Redraw each choice with a probability."""
        changed = dict(sample)
        for label, mutable in self.mutables.items():
            if not isinstance(mutable, MutableAnnotation) and rng.random() < probability:
                changed[label] = mutable.random(random_state=_numpy(rng))
        return changed

    def key(self, sample: Any) -> Hashable:
        """Return the choices by label."""
        return freeze(sample)

    def model(self, sample: Any) -> Any | None:
        """Freeze the space."""
        if sample is None:
            return None
        try:
            return self.model_space.freeze(sample)
        except SampleValidationError:
            return None


class NasEngine:
    """The execution engine that NNI gives a strategy, through its middlewares."""

    def __init__(self, strategy: Any) -> None:
        self.strategy = strategy

    def ready(self) -> bool:
        """Wait for a free worker."""
        return bool(self.strategy.wait_for_resource())

    def submit(self, model: Any) -> None:
        """Send a model to the engine."""
        self.strategy.engine.submit_models(model)

    def metric(self, model: Any) -> tuple[bool, float | None]:
        """Look at the status of a model."""
        metric = model.metric
        return model.status.completed(), None if metric is None else float(metric)

    def finish(self, submitted: int) -> None:
        """NNI 3.0 ends when the strategy returns."""

    def wait(self, models: list[Any]) -> None:
        """Wait for the models; those submitted after the last trial of the budget are never run."""
        if not all(self.metric(model)[0] for model in models):
            self.strategy.engine.wait_models()


class NasStrategy(Strategy):
    """Base of the strategies under NNI 3.0."""

    def _run(self) -> None:
        self.search(MutableSpace(self.model_space), NasEngine(self))

    def state_dict(self) -> dict[str, Any]:
        """State to resume from: the random stream and what was trained."""
        return {"rng": self.rng.getstate(), "history": list(getattr(self, "history", ()))}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from a state."""
        self.rng.setstate(state_dict["rng"])
        if hasattr(self, "history"):
            self.history = list(state_dict["history"])
            self.population = self.history[-self.population_size :]


def _numpy(rng: Random) -> RandomState:
    return RandomState(rng.getrandbits(32))
