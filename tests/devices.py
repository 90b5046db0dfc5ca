"""nn-Meter's four devices, which tests of several packages go through."""

from __future__ import annotations

DEVICES = (
    "cortexA76cpu_tflite21",
    "adreno640gpu_tflite21",
    "adreno630gpu_tflite21",
    "myriadvpu_openvino2019r2",
)
