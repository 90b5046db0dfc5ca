"""Latency-aware strategies, for the NNI that is installed."""

from nnmeter_nni.strategies.evolution import LatencyEvolution
from nnmeter_nni.strategies.random import LatencyRandom
from nnmeter_nni.strategies.sorted import LatencySorted

__all__ = ["LatencyEvolution", "LatencyRandom", "LatencySorted"]
