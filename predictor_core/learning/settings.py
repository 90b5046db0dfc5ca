"""What is fitted for each device: chosen on validation models and on families left out."""

from __future__ import annotations

from predictor_core.kernels.registry import ELEMENTWISE
from predictor_core.learning import distil, teacher
from predictor_core.learning.base import Plan
from predictor_core.predictor.interval import Sides

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

#: The VPU has an engine for dense convolutions; vector processors do all else, permutations element by
#: element. What the engine and the copying of data move streams from memory: a fully connected layer moves
#: its weights once.
_VPU = Plan(
    {
        **_COMMON,
        "conv": ("engine_macs", "bytes", "launch", "row_spill"),
        "fc": _MOVES,
        "channelshuffle": ("permuted", "launch"),
    },
    alike=ELEMENTWISE,
    streams=_POOLS | {"concat", "conv", "fc"},
    one_window=frozenset({"conv"}),
    one_launch=True,
    uncorrected=frozenset({"fc"}),
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

#: Devices whose corrections fade above the sizes that were measured: chosen on families left out.
FADING = frozenset({"myriadvpu_openvino2019r2"})

#: Where no error of an estimate was seen: a factor of two.
_UNSEEN = Sides(0.69, 0.69)
#: What models of nothing but estimates add to the half widths of an interval, by kind of estimate: what
#: `benchmarks/estimates.py` found on a Pixel 4, where such kernels were measured. Vision transformers took up
#: to 2.5 times as long as estimated and never much less; grouped convolutions hardly ever longer.
_TRANSFORMERS = Sides(0.1, 0.91)
_ON_CPU = {"grouped": Sides(0.2, 0.1)}
_ON_GPU = {"grouped": Sides(0.83, 0.1)}
_COMMON_ESTIMATES = {
    "attention": _TRANSFORMERS,
    "shuffle": _UNSEEN,
    "other": Sides(0.69, 0.91),
    "bounded": Sides(0.1, 0.69),
}
ESTIMATES = {
    "cortexA76cpu_tflite21": {**_ON_CPU, **_COMMON_ESTIMATES},
    "adreno640gpu_tflite21": {**_ON_GPU, **_COMMON_ESTIMATES},
    "adreno630gpu_tflite21": {**_ON_GPU, **_COMMON_ESTIMATES},
    # Nothing like it was measured: the larger of both.
    "myriadvpu_openvino2019r2": {"grouped": Sides(0.83, 0.83), **_COMMON_ESTIMATES},
}

FORESTS = distil.Settings()
#: Families are left out 11 times a device, so these fits are shorter and see a share of the other models.
LEFT_OUT_ROUNDS = 0.15
LEFT_OUT_SHARE = 0.35
