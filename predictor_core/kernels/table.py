"""The table of kernels: one row an op, as the main op of a kernel.

Everything that is known of an op when its cost is asked for stands in its row. The engine around the table
(fusion, evaluation, reports) looks it up and knows no op; `predictor_core.kernels.registry` does so.
"""

from __future__ import annotations

from typing import Callable, NamedTuple

from predictor_core.kernels import costs, decomposition
from predictor_core.kernels import fields as fields_of
from predictor_core.kernels.costs import CostFunction
from predictor_core.kernels.decomposition import DecomposeFunction
from predictor_core.kernels.fields import FieldsFunction, VariantFunction
from predictor_core.kernels.spec import KernelSpec


class KernelOp(NamedTuple):
    """How one op, as the main op of a kernel, is described and costed.

    Parameters
    ----------
    cost : callable
        KernelSpec -> Cost.
    forest : str or None
        Forest that answers for it; None when only an estimate is possible.
    alike : bool
        The forest was trained on another op that works alike: its answer is an estimate.
    weights : callable
        KernelSpec -> elements of the constant weights.
    fields : callable
        Nodes of a kernel and their graph -> fields of its `KernelSpec`.
    variant : callable, optional
        Node and graph -> name of the row that a node of this op takes; default: its own.
    decompose : callable
        KernelSpec -> `Decomposition` into kernels of the sorts that were measured.
    windowed, channelwise : bool
        Whether reports show the window even of one pixel, and whether each channel is treated by itself.
    """

    cost: CostFunction
    forest: str | None = None
    alike: bool = False
    weights: Callable[[KernelSpec], int] = costs.no_weights
    fields: FieldsFunction = fields_of.plain
    variant: VariantFunction | None = None
    decompose: DecomposeFunction = decomposition.direct
    windowed: bool = False
    channelwise: bool = False

    @property
    def measured(self) -> bool:
        """Whether a forest was trained on kernels of this op or on those that it is decomposed into."""
        return self.forest is not None and not self.alike


#: Work of an elementwise op in multiply-accumulates or their like: simple arithmetic, and functions.
LIGHT = costs.elementwise(1.0)
HEAVY = costs.elementwise(8.0)

#: Op -> row. Ops that cost nothing have none (`predictor_core.ir.ops`).
KERNEL_OPS: dict[str, KernelOp] = {
    "conv": KernelOp(
        costs.conv,
        "conv",
        weights=costs.conv_weights,
        fields=fields_of.window,
        variant=fields_of.grouped("groupconv"),
        decompose=decomposition.per_image(decomposition.direct),
        windowed=True,
    ),
    "dwconv": KernelOp(
        costs.conv,
        "dwconv",
        weights=costs.conv_weights,
        fields=fields_of.depthwise,
        decompose=decomposition.per_image(decomposition.depthwise),
        windowed=True,
        channelwise=True,
    ),
    "groupconv": KernelOp(
        costs.conv,
        weights=costs.conv_weights,
        fields=fields_of.window,
        decompose=decomposition.per_image(decomposition.grouped),
        windowed=True,
    ),
    "convtranspose": KernelOp(
        costs.convtranspose, weights=costs.conv_weights, fields=fields_of.window, windowed=True
    ),
    "conv3d": KernelOp(costs.conv3d, weights=costs.conv3d_weights, fields=fields_of.conv3d),
    "convtranspose3d": KernelOp(costs.convtranspose3d, weights=costs.conv3d_weights, fields=fields_of.conv3d),
    "deformconv": KernelOp(
        costs.conv, weights=costs.conv_weights, fields=fields_of.window, decompose=decomposition.deformable
    ),
    "fc": KernelOp(costs.fc, "fc", weights=costs.fc_weights, decompose=decomposition.fully_connected),
    "matmul": KernelOp(costs.matmul),
    "lstm": KernelOp(costs.recurrent(4), fields=fields_of.recurrent),
    "gru": KernelOp(costs.recurrent(3), fields=fields_of.recurrent),
    "rnn": KernelOp(costs.recurrent(1), fields=fields_of.recurrent),
    "maxpool": KernelOp(costs.pool, "maxpool", fields=fields_of.window, decompose=decomposition.pool),
    "avgpool": KernelOp(costs.pool, "avgpool", fields=fields_of.window, decompose=decomposition.pool),
    "adaptivepool": KernelOp(costs.reduction),
    "maxpool3d": KernelOp(costs.reduction),
    "avgpool3d": KernelOp(costs.reduction),
    "global-avgpool": KernelOp(
        costs.reduction,
        "global-avgpool",
        fields=fields_of.pooled,
        decompose=decomposition.per_image(decomposition.direct),
    ),
    "global-maxpool": KernelOp(
        costs.reduction,
        "global-avgpool",
        alike=True,
        fields=fields_of.pooled,
        decompose=decomposition.per_image(decomposition.direct),
    ),
    "reduce_mean": KernelOp(costs.reduction, variant=fields_of.over_map("global-avgpool")),
    "reduce_sum": KernelOp(costs.reduction),
    "reduce_max": KernelOp(costs.reduction, variant=fields_of.over_map("global-maxpool")),
    "reduce_min": KernelOp(costs.reduction),
    "argmax": KernelOp(costs.reduction),
    "topk": KernelOp(costs.reduction),
    "se": KernelOp(
        costs.se,
        "se",
        weights=costs.se_weights,
        fields=fields_of.se,
        decompose=decomposition.per_image(decomposition.direct),
    ),
    "bn": KernelOp(LIGHT, "bn", decompose=decomposition.stacked),
    "biasadd": KernelOp(LIGHT, "bn", alike=True, decompose=decomposition.stacked),
    "relu": KernelOp(LIGHT, "relu", decompose=decomposition.stacked),
    "relu6": KernelOp(LIGHT, "relu", alike=True, decompose=decomposition.stacked),
    "clip": KernelOp(LIGHT, "relu", alike=True, decompose=decomposition.stacked),
    "leakyrelu": KernelOp(LIGHT, "relu", alike=True, decompose=decomposition.stacked),
    "prelu": KernelOp(LIGHT, "relu", alike=True, decompose=decomposition.stacked),
    "hswish": KernelOp(costs.elementwise(4.0), "hswish", decompose=decomposition.stacked),
    "hsigmoid": KernelOp(costs.elementwise(3.0), "hswish", alike=True, decompose=decomposition.stacked),
    "sigmoid": KernelOp(HEAVY),
    "swish": KernelOp(HEAVY),
    "gelu": KernelOp(HEAVY),
    "tanh": KernelOp(HEAVY),
    "elu": KernelOp(HEAVY),
    "selu": KernelOp(HEAVY),
    "softplus": KernelOp(HEAVY),
    "mish": KernelOp(HEAVY),
    "add": KernelOp(LIGHT, "add", decompose=decomposition.stacked),
    "sub": KernelOp(LIGHT, "add", alike=True, decompose=decomposition.stacked),
    "max": KernelOp(LIGHT, "add", alike=True, decompose=decomposition.stacked),
    "min": KernelOp(LIGHT, "add", alike=True, decompose=decomposition.stacked),
    "mul": KernelOp(LIGHT, "mul", decompose=decomposition.stacked),
    "div": KernelOp(LIGHT, "mul", alike=True, decompose=decomposition.stacked),
    "pow": KernelOp(HEAVY),
    "softmax": KernelOp(HEAVY),
    "logsoftmax": KernelOp(HEAVY),
    "layernorm": KernelOp(HEAVY),
    "rmsnorm": KernelOp(HEAVY),
    "groupnorm": KernelOp(HEAVY),
    "instancenorm": KernelOp(HEAVY),
    "lrn": KernelOp(HEAVY),
    "l2norm": KernelOp(HEAVY),
    "exp": KernelOp(HEAVY),
    "log": KernelOp(HEAVY),
    "erf": KernelOp(HEAVY),
    "sin": KernelOp(HEAVY),
    "cos": KernelOp(HEAVY),
    "sqrt": KernelOp(HEAVY),
    "rsqrt": KernelOp(HEAVY),
    "reciprocal": KernelOp(HEAVY),
    "abs": KernelOp(LIGHT),
    "neg": KernelOp(LIGHT),
    "floor": KernelOp(LIGHT),
    "ceil": KernelOp(LIGHT),
    "round": KernelOp(LIGHT),
    "square": KernelOp(LIGHT),
    "where": KernelOp(LIGHT),
    "resize": KernelOp(costs.elementwise(4.0)),
    "concat": KernelOp(
        costs.copy, "concat", fields=fields_of.axis, decompose=decomposition.per_image(decomposition.direct)
    ),
    "stack": KernelOp(costs.copy),
    "split": KernelOp(
        costs.distribute,
        "split",
        fields=fields_of.split,
        decompose=decomposition.per_image(decomposition.direct),
    ),
    "channelshuffle": KernelOp(
        costs.copy,
        "channelshuffle",
        fields=fields_of.shuffle,
        decompose=decomposition.per_image(decomposition.direct),
    ),
    "slice": KernelOp(costs.copy),
    "pad": KernelOp(costs.copy),
    "reshape": KernelOp(costs.copy),
    "transpose": KernelOp(costs.copy),
    "gather": KernelOp(costs.copy),
    "embedding": KernelOp(costs.copy),
    "expand": KernelOp(costs.copy),
    "roll": KernelOp(costs.copy),
    "depthtospace": KernelOp(costs.copy),
    "spacetodepth": KernelOp(costs.copy),
}
