"""The space of the examples: MobileNet v1 with a width and a kernel size for each third of its blocks."""

from __future__ import annotations

import math

from predictor_core import load_latency_predictor, zoo

PREDICTOR = load_latency_predictor("cortexA76cpu_tflite21")
CHANNELS = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)


def latency_ms(width: float, kernels: tuple[int, int, int]) -> float:
    """Predicted latency of a candidate in ms."""
    sizes = (kernels[0],) * 4 + (kernels[1],) * 4 + (kernels[2],) * 5
    channels = tuple(8 * max(1, round(width * count / 8)) for count in CHANNELS)
    return PREDICTOR.predict(zoo.build("mobilenetv1", kernels=sizes, channels=channels))


def score(width: float, kernels: tuple[int, int, int]) -> float:
    """Stand for the accuracy of a trained candidate: put your own training here."""
    return 70.0 + 6.0 * math.log(1.0 + width) + 0.4 * sum(math.log(size) for size in kernels)
