"""The registry of kernels: which forest serves an op, with which features, at which analytic cost.

The engine knows no op; this table does. ``None`` means deliberately free; an op that is absent is not
known: it is estimated from the bytes it moves, and flagged.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt, log, prod
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from predictor_core.ir.graph import Shape
from predictor_core.kernels import costs
from predictor_core.kernels.costs import Cost, CostFunction
from predictor_core.kernels.feature_matrix import FeatureSet
from predictor_core.kernels.feature_sets import CHANNELWISE, CONCAT, CONV, FC, MAPPED, SE
from predictor_core.kernels.spec import KernelSpec


class KernelKind(NamedTuple):
    """How one op, as the main op of a kernel, is costed.

    Parameters
    ----------
    cost : callable
        KernelSpec -> Cost.
    forest : str or None
        Forest that serves it; None when only an estimate is possible.
    stand_in : bool
        The forest was trained on another op that works alike: its answer is an estimate.
    """

    cost: CostFunction
    forest: str | None = None
    stand_in: bool = False


#: Features of each forest that a pack may hold.
FORESTS: dict[str, FeatureSet] = {
    "conv": CONV,
    "dwconv": CHANNELWISE,
    "fc": FC,
    "maxpool": CHANNELWISE,
    "avgpool": CHANNELWISE,
    "global-avgpool": MAPPED,
    "se": SE,
    "hswish": MAPPED,
    "relu": MAPPED,
    "bn": MAPPED,
    "add": MAPPED,
    "mul": MAPPED,
    "concat": CONCAT,
    "split": MAPPED,
    "channelshuffle": MAPPED,
}

_CONTEXTUAL = frozenset(name for name, found in FORESTS.items() if "beside" in found.names)

#: Forests of ops that treat every element alike, wherever it stands.
ELEMENTWISE = frozenset({"hswish", "relu", "bn", "add", "mul"})

_light = costs.elementwise(1.0)
_heavy = costs.elementwise(8.0)

KINDS: dict[str, KernelKind | None] = {
    "input": None,
    "identity": None,
    "dropout": None,
    "cast": None,
    "stopgradient": None,
    "contiguous": None,
    "detach": None,
    "conv": KernelKind(costs.conv, "conv"),
    "dwconv": KernelKind(costs.conv, "dwconv"),
    # Has no forest: `serve` puts it between its neighbours.
    "groupconv": KernelKind(costs.conv),
    "convtranspose": KernelKind(costs.convtranspose),
    "conv3d": KernelKind(costs.conv3d),
    "convtranspose3d": KernelKind(costs.convtranspose3d),
    # Has no forest: `serve` makes it of what it does.
    "deformconv": KernelKind(costs.conv),
    "fc": KernelKind(costs.fc, "fc"),
    "matmul": KernelKind(costs.matmul),
    "lstm": KernelKind(costs.recurrent(4)),
    "gru": KernelKind(costs.recurrent(3)),
    "rnn": KernelKind(costs.recurrent(1)),
    "maxpool": KernelKind(costs.pool, "maxpool"),
    "avgpool": KernelKind(costs.pool, "avgpool"),
    "adaptivepool": KernelKind(costs.reduction),
    "maxpool3d": KernelKind(costs.reduction),
    "avgpool3d": KernelKind(costs.reduction),
    "global-avgpool": KernelKind(costs.reduction, "global-avgpool"),
    "global-maxpool": KernelKind(costs.reduction, "global-avgpool", stand_in=True),
    "reduce_mean": KernelKind(costs.reduction),
    "reduce_sum": KernelKind(costs.reduction),
    "reduce_max": KernelKind(costs.reduction),
    "reduce_min": KernelKind(costs.reduction),
    "argmax": KernelKind(costs.reduction),
    "topk": KernelKind(costs.reduction),
    "se": KernelKind(costs.se, "se"),
    "bn": KernelKind(_light, "bn"),
    "biasadd": KernelKind(_light, "bn", stand_in=True),
    "relu": KernelKind(_light, "relu"),
    "relu6": KernelKind(_light, "relu", stand_in=True),
    "clip": KernelKind(_light, "relu", stand_in=True),
    "leakyrelu": KernelKind(_light, "relu", stand_in=True),
    "prelu": KernelKind(_light, "relu", stand_in=True),
    "hswish": KernelKind(costs.elementwise(4.0), "hswish"),
    "hsigmoid": KernelKind(costs.elementwise(3.0), "hswish", stand_in=True),
    "sigmoid": KernelKind(_heavy),
    "swish": KernelKind(_heavy),
    "gelu": KernelKind(_heavy),
    "tanh": KernelKind(_heavy),
    "elu": KernelKind(_heavy),
    "selu": KernelKind(_heavy),
    "softplus": KernelKind(_heavy),
    "mish": KernelKind(_heavy),
    "add": KernelKind(_light, "add"),
    "sub": KernelKind(_light, "add", stand_in=True),
    "max": KernelKind(_light, "add", stand_in=True),
    "min": KernelKind(_light, "add", stand_in=True),
    "mul": KernelKind(_light, "mul"),
    "div": KernelKind(_light, "mul", stand_in=True),
    "pow": KernelKind(_heavy),
    "softmax": KernelKind(_heavy),
    "logsoftmax": KernelKind(_heavy),
    "layernorm": KernelKind(_heavy),
    "rmsnorm": KernelKind(_heavy),
    "groupnorm": KernelKind(_heavy),
    "instancenorm": KernelKind(_heavy),
    "lrn": KernelKind(_heavy),
    "l2norm": KernelKind(_heavy),
    "exp": KernelKind(_heavy),
    "log": KernelKind(_heavy),
    "erf": KernelKind(_heavy),
    "sin": KernelKind(_heavy),
    "cos": KernelKind(_heavy),
    "sqrt": KernelKind(_heavy),
    "rsqrt": KernelKind(_heavy),
    "reciprocal": KernelKind(_heavy),
    "abs": KernelKind(_light),
    "neg": KernelKind(_light),
    "floor": KernelKind(_light),
    "ceil": KernelKind(_light),
    "round": KernelKind(_light),
    "square": KernelKind(_light),
    "where": KernelKind(_light),
    "resize": KernelKind(costs.elementwise(4.0)),
    "concat": KernelKind(costs.copy, "concat"),
    "stack": KernelKind(costs.copy),
    "split": KernelKind(costs.distribute, "split"),
    "channelshuffle": KernelKind(costs.copy, "channelshuffle"),
    "slice": KernelKind(costs.copy),
    "pad": KernelKind(costs.copy),
    "reshape": KernelKind(costs.copy),
    "transpose": KernelKind(costs.copy),
    "gather": KernelKind(costs.copy),
    "embedding": KernelKind(costs.copy),
    "expand": KernelKind(costs.copy),
    "roll": KernelKind(costs.copy),
    "depthtospace": KernelKind(costs.copy),
    "spacetodepth": KernelKind(costs.copy),
}

_UNKNOWN = KernelKind(_light)


def kind(op: str) -> KernelKind:
    """Entry of an op that is not free; ops that are not known are costed by what they read and write."""
    return KINDS.get(op, _UNKNOWN) or _UNKNOWN


def is_free(op: str) -> bool:
    """Whether the table says that an op costs nothing."""
    return op in KINDS and KINDS[op] is None


def has_context(op: str) -> bool:
    """Whether the forest of an op looks at the context of a kernel."""
    return kind(op).forest in _CONTEXTUAL


def cost(spec: KernelSpec) -> Cost:
    """Analytic cost of a kernel: multiply-accumulates and bytes moved."""
    return kind(spec.op).cost(spec)


def features(forest: str, specs: Sequence[KernelSpec]) -> NDArray[np.float64]:
    """Feature matrix of kernels that one forest serves, shape (len(specs), number of features)."""
    return FORESTS[forest].matrix(specs, [cost(spec) for spec in specs])


_POOLS = frozenset({"avgpool", "maxpool"})
_CHANNEL_BLOCKS = (4, 8, 16)

#: Pixels of the smallest map that the benchmark's convolutions work on (7x7).
_SMALLEST_MAP = 49


Combination = Literal["mean", "sum", "least"]


class Serving(NamedTuple):
    """How a kernel gets its latency: ``scale`` times a combination of its parts.

    Parameters
    ----------
    parts : tuple of (float, KernelSpec)
        Weights, and kernels that a forest (or the analytic estimate) answers directly.
    scale : float
        Factor, e.g. the batch.
    measured : bool
        Whether the benchmark measured kernels of this sort; False is an estimate.
    combine : str
        ``"mean"``: the weights sum to 1 and the mean is geometric; ``"sum"``: the weighted latencies are
        added; ``"least"``: the least of them counts.
    """

    parts: tuple[tuple[float, KernelSpec], ...]
    scale: float = 1.0
    measured: bool = True
    combine: Combination = "mean"

    @property
    def spec(self) -> KernelSpec:
        """The one part of a kernel that is served directly."""
        return self.parts[0][1]


def serve(spec: KernelSpec) -> Serving:
    """Express a kernel by kernels of the sorts that were measured.

    - A batch of n costs n kernels of batch 1 (only batch 1 was measured); an elementwise op sees one map of n
      times the height.
    - A pool treats each channel by itself: a batch of n maps is one map of n times the channels, and unused
      channels can be added, so no pool costs more than one of whole blocks of 4, 8 or 16 channels.
    - A fully connected layer on n rows (a sequence, a batch, or both) costs one row, and on top of it a 1x1
      convolution over a map of n pixels, which is what it is to a matrix multiplication: more rows never
      cost less. With fewer rows than the smallest map that was measured has pixels, it costs the share
      (n - 1) / (pixels - 1) of that map.
    - A depthwise convolution with a channel multiplier is one on as many channels as it writes.
    - A deformable convolution samples its windows bilinearly, as a resize does, and multiplies them as the
      dense convolution of the same shape, one for each of its groups.
    - A grouped convolution lies between the dense convolution of the same shape and the depthwise one on its
      output channels. Its latency per multiply-accumulate is interpolated geometrically in log(groups),
      which makes the latency dense^(1-s) · depthwise^s with s = log(groups) / log(cin): exact at both ends,
      monotone between them, and careful about how much of the saved work becomes saved time.
    """
    entry = kind(spec.op)
    if spec.op == "fc":
        return _serve_fc(spec)
    if spec.op in _POOLS:
        return _serve_pool(spec)
    if spec.op == "deformconv":
        return _serve_deformable(spec)
    batch = spec.output[0] if len(spec.output) > 1 else 1
    measured = entry.forest is not None and not entry.stand_in
    if batch > 1 and (entry.forest is not None or spec.op == "groupconv"):
        reshaped = _stacked if entry.forest in ELEMENTWISE else _single
        inputs = tuple(
            reshaped(shape) if len(shape) > 1 and shape[0] == batch else shape for shape in spec.inputs
        )
        single = spec._replace(inputs=inputs, output=reshaped(spec.output))
        scale = 1.0 if entry.forest in ELEMENTWISE else float(batch)
        return serve(single)._replace(scale=scale, measured=False)
    if spec.op == "groupconv":
        channels, width = spec.inputs[0][-1], spec.output[-1]
        share = log(spec.groups) / log(channels)
        dense = spec._replace(op="conv", groups=1)
        depthwise = _depthwise(spec, width)
        return Serving(((1.0 - share, dense), (share, depthwise)), measured=False)
    if spec.op == "dwconv" and spec.inputs[0][-1] != spec.output[-1]:
        return Serving(((1.0, _depthwise(spec, spec.output[-1])),), measured=False)
    return Serving(((1.0, spec),), measured=measured)


def _single(shape: Shape) -> Shape:
    return (1, *shape[1:])


def _stacked(shape: Shape) -> Shape:
    return (1, shape[0] * shape[1], *shape[2:]) if len(shape) > 2 else (1, *shape)


def _depthwise(spec: KernelSpec, channels: int) -> KernelSpec:
    inputs = ((*spec.inputs[0][:-1], channels), *spec.inputs[1:])
    return spec._replace(op="dwconv", inputs=inputs, groups=channels)


def _serve_pool(spec: KernelSpec) -> Serving:
    batch, channels = spec.output[0], spec.output[-1]
    whole = batch * channels
    widths = dict.fromkeys((whole, *(-(-whole // block) * block for block in _CHANNEL_BLOCKS)))
    parts = tuple((1.0, _with_channels(spec, width)) for width in widths)
    return Serving(parts, measured=batch == 1, combine="least")


def _with_channels(spec: KernelSpec, channels: int) -> KernelSpec:
    inputs = tuple((1, *shape[1:-1], channels) for shape in spec.inputs)
    return spec._replace(inputs=inputs, output=(1, *spec.output[1:-1], channels))


def _serve_fc(spec: KernelSpec) -> Serving:
    rows = prod(spec.output[:-1])
    row = _on_map(spec, (1,))
    if rows == 1:
        return Serving(((1.0, row),))
    pixels = max(rows, _SMALLEST_MAP)
    height = max(divisor for divisor in range(1, isqrt(pixels) + 1) if pixels % divisor == 0)
    pointwise = _on_map(spec, (1, height, pixels // height))._replace(op="conv")
    return Serving(((1.0, row), ((rows - 1) / (pixels - 1), pointwise)), measured=False, combine="sum")


def _serve_deformable(spec: KernelSpec) -> Serving:
    batch, *size, channels = spec.inputs[0]
    groups, window = spec.groups, spec.kernel[0] * spec.kernel[1]
    sampled = (*spec.output[:-1], channels * window)
    sampling = KernelSpec("resize", "resize", spec.inputs, sampled)
    conv = KernelSpec(
        "conv",
        "conv",
        ((1, *size, channels // groups),),
        (1, *spec.output[1:-1], spec.output[-1] // groups),
        spec.kernel,
        spec.strides,
        spec.dilations,
    )
    return Serving(((1.0, sampling), (float(batch * groups), conv)), measured=False, combine="sum")


def _on_map(spec: KernelSpec, leading: Shape) -> KernelSpec:
    inputs = tuple((*leading, *shape[-1:]) for shape in spec.inputs)
    return spec._replace(inputs=inputs, output=(*leading, spec.output[-1]))
