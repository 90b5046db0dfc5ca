"""Import torchvision where its compiled ops do not fit the installed torch; no classifier needs them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

#: Ops that torchvision registers shapes for while it is imported.
_SCHEMAS = ("nms", "qnms")


def import_torchvision() -> Any:
    """Return the module ``torchvision``, or skip the test where torch or torchvision is not installed."""
    torch = pytest.importorskip("torch")
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        pytest.skip("torchvision is not installed")
    for library in Path(spec.origin).parent.glob("_C*.so"):
        try:
            torch.ops.load_library(str(library))
        except OSError:
            for name in _SCHEMAS:
                if not hasattr(torch.ops.torchvision, name):
                    torch.library.define(
                        f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
                    )
    return importlib.import_module("torchvision")
