"""What a type checker tells users about the names of the package."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import nnmeter_nni

api = pytest.importorskip("mypy.api")

CODE = """
import nnmeter_nni as n
latency_filter = n.LatencyFilter(100, "cortexA76cpu_tflite21")
reveal_type(latency_filter)
reveal_type(latency_filter(object()))
reveal_type(latency_filter.stats)
reveal_type(n.CandidateLatency(["cortexA76cpu_tflite21"])(object()))
reveal_type(n.LatencyRandom(latency_filter))
reveal_type(n.LatencySorted(latency_filter, target_ms=3.0))
reveal_type(n.LatencyEvolution(latency_filter, objective="pareto").front)
reveal_type(n.SpaceLatency(object(), "cortexA76cpu_tflite21").latency({}))
reveal_type(n.SpaceLatency(object(), "cortexA76cpu_tflite21").bounds())
reveal_type(n.LatencyProfiler(object(), "cortexA76cpu_tflite21").profile({}))
reveal_type(n.candidate_to_graph(object()))
n.LatencyRandom(latency_filter, pool_size=3)
n.LatencyFilter("cortexA76cpu_tflite21", 10)
"""

TYPES = [
    "LatencyFilter",
    "bool",
    "FilterStats",
    "dict[str, float]",
    "LatencyRandom",
    "LatencySorted",
    "list[Individual]",
    "float",
    "tuple[Bound, Bound]",
    "float",
    "Graph",
]


@pytest.mark.slow
def test_names_are_typed_for_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "script.py"
    script.write_text(CODE)
    root = Path(nnmeter_nni.__file__).parents[1]
    monkeypatch.setenv("MYPYPATH", str(root))
    monkeypatch.chdir(root)
    out, _, _ = api.run([f"--cache-dir={os.devnull}", "--no-error-summary", str(script)])
    revealed = [re.sub(r"[a-z_0-9]+\.(?=\w)", "", one) for one in re.findall(r'type is "(.*)"', out)]
    assert revealed == TYPES, out
    # Wrong arguments are found before anything runs.
    assert 'Unexpected keyword argument "pool_size" for "LatencyRandom"' in out
    assert 'Argument 1 to "LatencyFilter" has incompatible type "str"' in out
