"""The predictors of the environments, learned together from all models but those that are held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from predictor_core.catalog.loading import load_shared
from predictor_core.learning.adapt import Prior, pose
from predictor_core.learning.corpus import Corpus
from predictor_core.learning.joint import evidence_of
from predictor_core.learning.learn import finish
from predictor_core.learning.leaveout import JointFit
from predictor_core.learning.x86.environments import (
    ENVIRONMENTS,
    SOURCE,
    SOURCE_VERSION,
    Environment,
    Measured,
)
from predictor_core.predictor.header import DeviceHeader

VERSION = "2.0"
_DATA = (
    "{models} networks of the zoo, pytorchcv and torchvision with random weights, timed with "
    "`benchmarks/own_machine.py measure` (batch 1, the fastest of the passes); none of the held-out networks "
    "of that benchmark, and none with their kernels"
)
#: Packages that the names of models start with.
_PACKAGES = ("pytorchcv_", "torchvision_")


def learn(
    measured: Measured, environments: Sequence[Environment] = ENVIRONMENTS, seed: int = 0
) -> dict[Environment, DeviceHeader]:
    """Learn some environments, which share a prior that is estimated from them.

    Parameters
    ----------
    measured : Measured
    environments : sequence of Environment
    seed : int
        Of the folds. The same measurements and seed give the same headers.
    """
    latencies = {one.name: measured.latencies(one) for one in environments}
    models = unseen(measured, sorted({model for found in latencies.values() for model in found}))
    corpus = Corpus([(_title(model), measured.graph(model)) for model in models])
    columns = {
        name: np.array([found.get(model, np.nan) for model in models]) for name, found in latencies.items()
    }
    source = load_shared(SOURCE, SOURCE_VERSION)
    # Centers as a device by itself has them: as a prior of others these are better than many near ones.
    fit = JointFit(pose(Prior.of(source), corpus.cut(source.rules)), columns)
    evidence = evidence_of(fit, corpus, seed)
    headers = {}
    for one in environments:
        learned = finish(
            fit.problems[one.name],
            corpus,
            columns[one.name],
            name=one.name,
            seed=seed,
            category="cpu",
            description=one.description,
            facts={
                "runtime": one.entry()["runtime"],
                "training_data": _DATA.format(models=int(np.isfinite(columns[one.name]).sum())),
                "environments": len(environments),
            },
            evidence=evidence[one.name],
        )
        headers[one] = replace(learned.device_header, version=VERSION)
    return headers


def unseen(measured: Measured, models: Sequence[str]) -> list[str]:
    """Return the models that have the kernels of no held-out one."""
    held_out = measured.held_out()
    rules = load_shared(SOURCE, SOURCE_VERSION).rules
    names = [*held_out, *models]
    same = Corpus([(name, measured.graph(name)) for name in names]).cut(rules).same()
    first = len(held_out)
    return [name for name, twin in zip(names[first:], same[first:]) if twin >= first]


def _title(model: str) -> str:
    """Name of a model by which its family is known: the package apart."""
    for package in _PACKAGES:
        model = model.replace(f"/{package}", f"/{package[:-1]}/")
    return model
