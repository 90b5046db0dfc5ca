"""The predictors of all environments: those of one runtime and precision are learned together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core.catalog.loading import load_shared
from predictor_core.kernels.traits import TRAITS
from predictor_core.learning.adapt import RATES, Prior, Problem, pose
from predictor_core.learning.corpus import Corpus
from predictor_core.learning.crossvalidation import HeldOut
from predictor_core.learning.joint import evidence_of
from predictor_core.learning.learn import Evidence, finish
from predictor_core.learning.leaveout import JointFit
from predictor_core.learning.phones.environments import PHONES, Environment, column
from predictor_core.learning.phones.transformers_models import TRANSFORMERS
from predictor_core.predictor.header import DeviceHeader

VERSION = "2.0"
#: Predictors that the environments start from; see `Prior`.
SOURCES = {False: "cortexA76cpu_tflite21", True: "adreno640gpu_tflite21"}
SOURCE_VERSION = "2.0"
#: Prior deviations that differ, by the start of a coefficient's name: what no forest of the source serves
#: (products of tokens, norms, softmax) follows the estimate only roughly.
DEVIATIONS: Mapping[str, float] = {"near:product/": 0.6, "near:map/": 0.6}
#: Groups of which traits of kernels predict families left out better, and what the others keep of them.
WITH_TRAITS = frozenset({"tflite_gpu", "torch_fp32", "torch_gpu"})
_TRAITS_LEFT = {f"{trait}:": 1e-6 for trait in TRAITS if f"{trait}:" not in RATES}

_DATA = (
    "A Benchmark for ML Inference Latency on Mobile Devices (Li, Paolieri, Golubchik; EdgeSys 2024, MIT "
    "licence): {cnns} convolutional networks{transformers}, whole-model latencies"
)


@dataclass(frozen=True)
class Learned:
    """A header and the predictions that its accuracy comes from.

    Parameters
    ----------
    environment : Environment
    header : DeviceHeader
    names : list of str
        Models that were measured.
    evidence : Evidence
        Their predictions when left out.
    """

    environment: Environment
    header: DeviceHeader
    names: list[str]
    evidence: Evidence


def pose_group(corpus: Corpus, group: str, gpu: bool) -> Problem:
    """Set up the fit of a group; one design serves all CPUs, or all GPUs."""
    source = load_shared(SOURCES[gpu], SOURCE_VERSION)
    problem = pose(Prior.of(source), corpus.cut(source.rules))
    starts = {**DEVIATIONS, **({} if group in WITH_TRAITS else _TRAITS_LEFT)}
    own = {
        name: deviation
        for name in problem.names
        for start, deviation in starts.items()
        if name.startswith(start)
    }
    return replace(problem, prior=replace(problem.prior, deviations=own))


def learn_group(
    corpus: Corpus, latencies: Mapping[Environment, Mapping[str, float]], seed: int = 0
) -> list[Learned]:
    """Learn the environments of one group.

    Parameters
    ----------
    corpus : Corpus
        Every model that was measured anywhere.
    latencies : mapping
        Environment -> model -> latency in ms.
    seed : int
        Of the folds.
    """
    environments = {environment.key: environment for environment in latencies}
    ((group, gpu),) = {(environment.group, environment.gpu) for environment in latencies}
    problem = pose_group(corpus, group, gpu)
    columns = {one.key: column(corpus.names, measured) for one, measured in latencies.items()}
    fit = JointFit(problem, columns)
    learned = []
    for key, evidence in evidence_of(fit, corpus, seed).items():
        environment = environments[key]
        names = [corpus.names[i] for i in np.flatnonzero(np.isfinite(columns[key]))]
        predictor = finish(
            fit.problems[key],
            corpus,
            columns[key],
            name=environment.name,
            seed=seed,
            category="gpu" if gpu else "cpu",
            description=_description(environment),
            facts={**_facts(environment, names), "environments": len(environments)},
            evidence=evidence,
        )
        header = replace(
            predictor.device_header,
            version=VERSION,
            accuracy={**predictor.accuracy, **_tables(names, evidence)},
        )
        learned.append(Learned(environment, header, names, evidence))
    return learned


def _description(environment: Environment) -> str:
    phone = PHONES[environment.phone]
    return f"{phone.hardware}, {environment.cores}, {environment.precision}, {environment.runtime.title}"


def _facts(environment: Environment, names: Sequence[str]) -> dict[str, Any]:
    transformers = sum(name in TRANSFORMERS for name in names)
    release = environment.runtime.transformers
    of_transformers = f" and {transformers} vision transformers (release {release})" if transformers else ""
    facts = {
        "runtime": environment.runtime.title,
        "training_data": _DATA.format(cnns=len(names) - transformers, transformers=of_transformers),
    }
    if environment.precision == "int8":
        facts["measured"] = environment.runtime.int8
    return facts


def _tables(names: Sequence[str], evidence: Evidence) -> dict[str, Any]:
    """Tables of the transformers, apart."""
    of_transformers = np.array([name in TRANSFORMERS for name in names])
    if not of_transformers.any():
        return {}
    tables = {"transformers": table_of(evidence.held_out, of_transformers)}
    if evidence.left_out is not None:
        tables["transformer_families_left_out"] = table_of(evidence.left_out, of_transformers)
    return tables


def table_of(held_out: HeldOut, chosen: NDArray[np.bool_]) -> dict[str, float]:
    """Accuracy on some of the models, with the share within ±20 %."""
    some = HeldOut(held_out.measured_ms[chosen], held_out.predicted_ms[chosen], held_out.deviation[chosen])
    return {**some.table(), "within_20": round(100.0 * float((np.abs(some.error) <= 0.2).mean()), 1)}
