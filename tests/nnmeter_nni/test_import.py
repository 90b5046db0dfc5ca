"""The package without NNI, without torch, and without both: it imports, and says what to install."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

#: Hides packages as if they were not installed.
HIDE = """
import sys
from importlib import metadata, machinery
HIDDEN = {hidden!r}
found = metadata.version
def version(name):
    if name in HIDDEN:
        raise metadata.PackageNotFoundError(name)
    return found(name)
metadata.version = version
class Hidden:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hidden)
"""
NEITHER = ("nni", "torch")


def run(code: str, *hidden: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", HIDE.format(hidden=set(hidden)) + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_package_imports_without_nni_and_torch() -> None:
    out = run("import nnmeter_nni; print(sorted({'nni', 'torch'} & set(sys.modules)))", *NEITHER)
    assert out == "[]"


@pytest.mark.parametrize("hidden", [NEITHER, ("nni",)])
def test_every_name_can_be_looked_at(hidden: tuple[str, ...]) -> None:
    out = run(
        """
        import inspect, pydoc
        import nnmeter_nni
        from nnmeter_nni import *
        members = dict(inspect.getmembers(nnmeter_nni))
        print(set(nnmeter_nni.__all__) <= set(members))
        text = pydoc.render_doc(nnmeter_nni, renderer=pydoc.plaintext)
        print(all(name in text for name in nnmeter_nni.__all__))
        """,
        *hidden,
    )
    assert out.split() == ["True", "True"]


NEEDS_NNI = """
        LatencyRandom(latency_filter)
        LatencySorted(latency_filter)
        LatencyEvolution(latency_filter)
        LatencyProfiler(None, "cortexA76cpu_tflite21")
        SpaceLatency(None, "cortexA76cpu_tflite21")
        retiarii_config()
"""
NEEDS_TORCH = """
        latency_filter(object())
        LatencyFilter(100, "cortexA76cpu_tflite21", on_error="reject")(object())
        CandidateLatency(["cortexA76cpu_tflite21"])(object())
        candidate_to_graph({})
        latency_filter.latency.predictors["cortexA76cpu_tflite21"].predict({}, "nni-ir")
"""


@pytest.mark.parametrize(
    ("calls", "hidden", "hint"),
    [
        (NEEDS_NNI, ("nni",), "pip install '.[nni]'"),
        (NEEDS_NNI, NEITHER, "pip install '.[nni]'"),
        (NEEDS_TORCH, NEITHER, "pip install '.[torch]'"),
        (NEEDS_TORCH, ("torch",), "pip install '.[torch]'"),
    ],
)
def test_what_is_missing_is_named_with_the_extra(calls: str, hidden: tuple[str, ...], hint: str) -> None:
    lines = [line.strip() for line in calls.strip().splitlines()]
    out = run(
        f"""
        from nnmeter_nni import *
        latency_filter = LatencyFilter(100, "cortexA76cpu_tflite21")
        for line in {lines!r}:
            try:
                eval(line)
            except ImportError as error:
                print(type(error).__name__, error)
        """,
        *hidden,
    )
    found = out.splitlines()
    assert len(found) == len(lines)
    assert all(line.startswith("MissingDependencyError") and hint in line for line in found), out


def test_the_filter_works_on_modules_without_nni() -> None:
    out = run(
        """
        import torch
        from nnmeter_nni import LatencyFilter
        print(LatencyFilter(1e6, "cortexA76cpu_tflite21", input_shape=(1, 3, 8, 8))(torch.nn.Conv2d(3, 4, 3)))
        """,
        "nni",
    )
    assert out == "True"


def test_unknown_names_are_attribute_errors() -> None:
    import nnmeter_nni

    assert not hasattr(nnmeter_nni, "NoSuchThing")
    assert set(nnmeter_nni.__all__) <= set(dir(nnmeter_nni))
