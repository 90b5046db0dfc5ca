"""Latency as a filter, a strategy and a profiler inside NNI searches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from predictor_core.lazy import lazy_names

if TYPE_CHECKING:
    from nnmeter_nni.as_nn_meter import install_as_nn_meter
    from nnmeter_nni.candidates import candidate_to_graph
    from nnmeter_nni.errors import ArgumentError, CandidateError, NniVersionError, NoCandidateError
    from nnmeter_nni.experiment import retiarii_config, run_experiment
    from nnmeter_nni.filter import LatencyFilter
    from nnmeter_nni.latency import CandidateLatency
    from nnmeter_nni.profiler import LatencyProfiler
    from nnmeter_nni.space import SpaceLatency
    from nnmeter_nni.stats import FilterStats
    from nnmeter_nni.strategies import LatencyEvolution, LatencyRandom, LatencySorted

__all__ = [
    "ArgumentError",
    "CandidateError",
    "CandidateLatency",
    "FilterStats",
    "LatencyEvolution",
    "LatencyFilter",
    "LatencyProfiler",
    "LatencyRandom",
    "LatencySorted",
    "NniVersionError",
    "NoCandidateError",
    "SpaceLatency",
    "candidate_to_graph",
    "install_as_nn_meter",
    "retiarii_config",
    "run_experiment",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "as_nn_meter": ["install_as_nn_meter"],
        "candidates": ["candidate_to_graph"],
        "errors": ["ArgumentError", "CandidateError", "NniVersionError", "NoCandidateError"],
        "experiment": ["retiarii_config", "run_experiment"],
        "filter": ["LatencyFilter"],
        "latency": ["CandidateLatency"],
        "profiler": ["LatencyProfiler"],
        "space": ["SpaceLatency"],
        "stats": ["FilterStats"],
        "strategies": ["LatencyEvolution", "LatencyRandom", "LatencySorted"],
    },
)
