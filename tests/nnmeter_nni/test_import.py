from __future__ import annotations

import subprocess
import sys
import textwrap

BLOCK_NNI = """
import sys
from importlib import metadata
found = metadata.version
def version(name):
    if name == "nni":
        raise metadata.PackageNotFoundError(name)
    return found(name)
metadata.version = version
sys.modules["nni"] = None
"""


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", BLOCK_NNI + textwrap.dedent(code)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_package_imports_without_nni_and_torch() -> None:
    out = run(
        "import nnmeter_nni; print(sorted({'nni', 'torch'} & {m for m in sys.modules if sys.modules[m]}))"
    )
    assert out == "[]"


def test_what_needs_nni_names_the_extra() -> None:
    out = run(
        """
        import nnmeter_nni
        for name in ("LatencyRandom", "LatencySorted", "LatencyEvolution", "LatencyProfiler"):
            try:
                getattr(nnmeter_nni, name)
            except ImportError as error:
                print(error)
        try:
            nnmeter_nni.retiarii_config()
        except ImportError as error:
            print(error)
        """
    )
    lines = out.splitlines()
    assert len(lines) == 5
    assert all("pip install '.[nni]'" in line for line in lines)
    assert "LatencyRandom" in lines[0]


def test_the_filter_works_on_modules_without_nni() -> None:
    out = run(
        """
        import torch
        from nnmeter_nni import LatencyFilter
        print(LatencyFilter(1e6, "cortexA76cpu_tflite21", input_shape=(1, 3, 8, 8))(torch.nn.Conv2d(3, 4, 3)))
        """
    )
    assert out == "True"


def test_unknown_names_are_attribute_errors() -> None:
    import nnmeter_nni

    assert not hasattr(nnmeter_nni, "NoSuchThing")
    assert set(nnmeter_nni.__all__) <= set(dir(nnmeter_nni))
