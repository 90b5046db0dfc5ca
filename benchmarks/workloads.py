"""Models that the benchmarks run on."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from predictor_core import zoo
from predictor_core.ir.graph import Graph

DEVICES = (
    "cortexA76cpu_tflite21",
    "adreno640gpu_tflite21",
    "adreno630gpu_tflite21",
    "myriadvpu_openvino2019r2",
)


def torchvision_models() -> Any:
    """Return ``torchvision.models``, or None where torch or torchvision is not installed."""
    import pytest

    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.torchvision_shim import import_torchvision

    try:
        return import_torchvision().models
    except pytest.skip.Exception as skipped:
        print(f"rows with torch are left out: {skipped}", file=sys.stderr)
        return None


def varied_mobilenets(count: int, seed: int = 0) -> Iterator[Graph]:
    """MobileNet v2 graphs with random widths and kernels, all different."""
    draw = random.Random(seed)
    channels = (16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320)
    for _ in range(count):
        widths = [max(4, int(width * draw.choice((0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6)))) for width in channels]
        kernels = [draw.choice((3, 5, 7)) for _ in channels]
        mid = [width * draw.randint(1, 6) for width in (32, *widths[:-1])]
        yield zoo.build("mobilenetv2", kernels=kernels, channels=widths, mid=mid)
