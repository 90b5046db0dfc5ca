"""What is fitted for each device: chosen on validation models and on families left out."""

from __future__ import annotations

from predictor_core.kernels.registry import ELEMENTWISE
from predictor_core.learning import distil, teacher
from predictor_core.learning.base import Plan

_POOLS = frozenset({"avgpool", "maxpool"})
_MOVING = ELEMENTWISE | _POOLS | {"channelshuffle", "concat", "global-avgpool", "split"}
_ANY, _MOVES = ("macs", "bytes", "launch"), ("bytes", "launch")
_COMMON = {"": _ANY, **dict.fromkeys(_MOVING - _POOLS, _MOVES)}

#: TFLite multiplies unfolded convolutions in blocks of 4 x 8 channels on the CPU.
_CPU = Plan({**_COMMON, "conv": ("macs_4x8", "bytes", "launch", "unfolded")}, alike=_MOVING)

#: The GPUs read channels in slices of four, and each of their many threads sums up one output alone.
_GPU = Plan(
    {
        **_COMMON,
        "conv": ("macs_4x4", "bytes", "launch", "unfolded", "reduction_depth"),
        "dwconv": (*_ANY, "reduction_depth"),
    },
    alike=_MOVING,
)

#: The VPU has an engine for dense convolutions; vector processors do all else, row by row.
_VPU = Plan(
    {
        **_COMMON,
        "conv": ("engine_macs", "bytes", "launch", "line_buffer_spill"),
        "dwconv": (*_ANY, "rows"),
    },
    alike=ELEMENTWISE,
    one_window=frozenset({"conv"}),
    forest=1.0,
    launch=1.0,
)

PLANS = {
    "cortexA76cpu_tflite21": _CPU,
    "adreno640gpu_tflite21": _GPU,
    "adreno630gpu_tflite21": _GPU,
    "myriadvpu_openvino2019r2": _VPU,
}

#: The CPU's measurements are noisy; the VPU's are not, but they jump.
TEACHERS = {
    "cortexA76cpu_tflite21": teacher.Settings(rounds=400, leaves=6, leaf=100),
    "adreno640gpu_tflite21": teacher.Settings(rounds=800, leaves=31, leaf=20),
    "adreno630gpu_tflite21": teacher.Settings(rounds=800, leaves=31, leaf=20),
    "myriadvpu_openvino2019r2": teacher.Settings(rounds=1500, leaves=63, leaf=3, columns=0.7),
}

FORESTS = distil.Settings()
#: Families are left out 11 times a device, so these fits are shorter.
LEFT_OUT_ROUNDS = 0.4
