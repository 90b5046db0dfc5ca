"""Latency of a whole model space: its candidates are evaluated without being built."""

from nnmeter_nni.space.latency import SpaceLatency

__all__ = ["SpaceLatency"]
