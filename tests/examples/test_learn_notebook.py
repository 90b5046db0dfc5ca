"""The notebook on learning, executed from its first cell to its last."""

from __future__ import annotations

from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "learn_device.ipynb"


@pytest.mark.slow
def test_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("scipy")
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parents[1]))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, kernel_name="python3", timeout=1800).execute()
    output = str([cell.get("outputs") for cell in notebook.cells])
    assert "cortexA76cpu_tflite21" in output
    assert "'within_10':" in output
    assert "12 models:" in output
    assert "'text/plain': 'True'" in output
