"""TensorFlow Lite ops that are read as the TensorFlow op that they were converted from."""

from __future__ import annotations

from collections.abc import Sequence

from predictor_core.frontends.common.call import same_shape
from predictor_core.frontends.common.values import NotInferableError, Value, constant
from predictor_core.frontends.tensorflow.data_ops import HANDLERS as TENSORFLOW
from predictor_core.frontends.tflite.call import Call, Handler, Step, activated
from predictor_core.frontends.tflite.model import Operator
from predictor_core.ir.shapes import broadcast

#: Ops of the same inputs and attributes.
NAMES = {
    "ABS": "Abs",
    "ADD": "AddV2",
    "ADD_N": "AddN",
    "ARG_MAX": "ArgMax",
    "ARG_MIN": "ArgMin",
    "BATCH_MATMUL": "BatchMatMulV2",
    "BROADCAST_TO": "BroadcastTo",
    "CEIL": "Ceil",
    "CONCATENATION": "ConcatV2",
    "COS": "Cos",
    "DIV": "RealDiv",
    "ELU": "Elu",
    "EQUAL": "Equal",
    "EXP": "Exp",
    "EXPAND_DIMS": "ExpandDims",
    "FILL": "Fill",
    "FLOOR": "Floor",
    "FLOOR_DIV": "FloorDiv",
    "FLOOR_MOD": "FloorMod",
    "GATHER": "GatherV2",
    "GREATER": "Greater",
    "GREATER_EQUAL": "GreaterEqual",
    "LEAKY_RELU": "LeakyRelu",
    "LESS": "Less",
    "LESS_EQUAL": "LessEqual",
    "LOG": "Log",
    "LOGICAL_AND": "LogicalAnd",
    "LOGICAL_NOT": "LogicalNot",
    "LOGICAL_OR": "LogicalOr",
    "LOGISTIC": "Sigmoid",
    "LOG_SOFTMAX": "LogSoftmax",
    "MAXIMUM": "Maximum",
    "MEAN": "Mean",
    "MINIMUM": "Minimum",
    "MIRROR_PAD": "MirrorPad",
    "MUL": "Mul",
    "NEG": "Neg",
    "NOT_EQUAL": "NotEqual",
    "PACK": "Pack",
    "PAD": "Pad",
    "PADV2": "PadV2",
    "POW": "Pow",
    "RANGE": "Range",
    "REDUCE_ALL": "All",
    "REDUCE_ANY": "Any",
    "REDUCE_MAX": "Max",
    "REDUCE_MIN": "Min",
    "REDUCE_PROD": "Prod",
    "RELU": "Relu",
    "RELU6": "Relu6",
    "RESHAPE": "Reshape",
    "ROUND": "Round",
    "RSQRT": "Rsqrt",
    "SELECT": "Select",
    "SELECT_V2": "SelectV2",
    "SIGN": "Sign",
    "SIN": "Sin",
    "SLICE": "Slice",
    "SOFTMAX": "Softmax",
    "SPLIT": "Split",
    "SPLIT_V": "SplitV",
    "SQRT": "Sqrt",
    "SQUARE": "Square",
    "SQUARED_DIFFERENCE": "SquaredDifference",
    "SQUEEZE": "Squeeze",
    "STABLEHLO_ABS": "Abs",
    "STABLEHLO_ADD": "AddV2",
    "STABLEHLO_AND": "LogicalAnd",
    "STABLEHLO_COSINE": "Cos",
    "STABLEHLO_DIVIDE": "RealDiv",
    "STABLEHLO_EXPONENTIAL": "Exp",
    "STABLEHLO_FLOOR": "Floor",
    "STABLEHLO_LOG": "Log",
    "STABLEHLO_LOGISTIC": "Sigmoid",
    "STABLEHLO_MAXIMUM": "Maximum",
    "STABLEHLO_MINIMUM": "Minimum",
    "STABLEHLO_MULTIPLY": "Mul",
    "STABLEHLO_NEGATE": "Neg",
    "STABLEHLO_OR": "LogicalOr",
    "STABLEHLO_POWER": "Pow",
    "STABLEHLO_RSQRT": "Rsqrt",
    "STABLEHLO_SELECT": "Select",
    "STABLEHLO_SUBTRACT": "Sub",
    "STABLEHLO_TANH": "Tanh",
    "STRIDED_SLICE": "StridedSlice",
    "SUB": "Sub",
    "SUM": "Sum",
    "TANH": "Tanh",
    "TILE": "Tile",
    "TOPK_V2": "TopKV2",
    "TRANSPOSE": "Transpose",
    "UNPACK": "Unpack",
    "ZEROS_LIKE": "ZerosLike",
}
_FUSED = ("ADD", "SUB", "MUL", "DIV", "CONCATENATION")


def arranged(operator: Operator, inputs: Sequence[Value | None]) -> list[Value | None]:
    """Return the inputs as TensorFlow's op has them: what is an option here is an input there."""
    found = list(inputs)
    if operator.op in ("CONCATENATION", "GATHER"):
        found.append(constant(operator.integer("axis")))
    elif operator.op == "RESHAPE" and (len(found) < 2 or (found[1] is not None and found[1].array is None)):
        target = operator.integers("new_shape")
        if target:
            found[1:] = [constant(target)]
    return found


def _gather(call: Call) -> Step | list[Step]:
    batch = call.option("batch_dims")
    if not batch:
        return TENSORFLOW["GatherV2"](call)
    data, indices = call.value(0), call.value(1)
    axis = call.checked_axis(call.option("axis"), len(data.shape))
    if not 0 < batch <= min(axis, len(indices.shape)):
        raise call.error(f"batch_dims {batch} does not fit axis {axis} and indices {list(indices.shape)}")
    out = (*data.shape[:axis], *indices.shape[batch:], *data.shape[axis + 1 :])
    return Step("gather", (data, indices), {"axis": axis}, (out,))


def _gather_nd(call: Call) -> Step:
    data, indices = call.shape(0), call.shape(1)
    return call.step("gather", indices[:-1] + data[indices[-1] :], 0, 1)


def _one_hot(call: Call) -> Step:
    x = call.shape()
    axis = call.checked_axis(call.option("axis", -1), len(x) + 1)
    return call.step("OneHot", (*x[:axis], call.ints(1)[0], *x[axis:]))


def _scatter_nd(call: Call) -> Step:
    return Step("ScatterND", tuple(filter(None, call.inputs[:2])), {}, (call.ints(2),))


def _segment_sum(call: Call) -> Step:
    count = call.array(1).max() + 1 if call.op == "SEGMENT_SUM" else call.ints(2)[0]
    return call.step(call.op, (int(count), *call.shape()[1:]))


def _matrix_diag(call: Call) -> Step:
    x = call.shape()
    return call.step("MatrixDiag", (*x, x[-1]))


def _fill(call: Call) -> Step:
    shape = call.ints(0)
    return Step("expand", (call.value(1),), {}, (shape,))


def _cast(call: Call) -> Step:
    return call.step("cast", call.shape())


def _suppression(call: Call) -> Step:
    """Give as many boxes as are kept at most, which is an input."""
    (count,) = call.ints(2)
    scores = ((count,),) if call.op == "NON_MAX_SUPPRESSION_V5" else ()
    return Step("NonMaxSuppression", (call.value(0), call.value(1)), {}, ((count,), *scores, ()))


def _random(call: Call) -> Step:
    return call.step("RandomUniform", call.ints(0))


def _rfft(call: Call) -> Step:
    x, sizes = call.shape(), call.ints(1)
    return call.step("Rfft2D", (*x[:-2], sizes[0], sizes[1] // 2 + 1))


def _broadcasting(op: str) -> Handler:
    def handler(call: Call) -> Step:
        return Step(op, tuple(call.inputs), {}, (broadcast(call.shape(0), call.shape(1)),))

    return handler


def _of_data(call: Call) -> Step:
    raise NotInferableError("how many elements it gives depends on data")


HANDLERS: dict[str, Handler] = {
    **{op: TENSORFLOW[name] for op, name in NAMES.items() if name in TENSORFLOW},
    **{op: activated(TENSORFLOW[NAMES[op]]) for op in _FUSED},
    "ATAN2": _broadcasting("Atan2"),
    "BITWISE_XOR": _broadcasting("BitwiseXor"),
    "BUCKETIZE": same_shape("Bucketize"),
    "CAST": _cast,
    "COMPLEX_ABS": same_shape("ComplexAbs"),
    "CUMSUM": same_shape("CumSum"),
    "DYNAMIC_UPDATE_SLICE": same_shape("ScatterND"),
    "FILL": _fill,
    "GATHER": _gather,
    "GATHER_ND": _gather_nd,
    "GELU": same_shape("gelu"),
    "HARD_SWISH": same_shape("hswish"),
    "IMAG": same_shape("Imag"),
    "MATRIX_DIAG": _matrix_diag,
    "MATRIX_SET_DIAG": same_shape("MatrixSetDiag"),
    "NON_MAX_SUPPRESSION_V4": _suppression,
    "NON_MAX_SUPPRESSION_V5": _suppression,
    "ONE_HOT": _one_hot,
    "PRELU": same_shape("prelu"),
    "RANDOM_STANDARD_NORMAL": _random,
    "RANDOM_UNIFORM": _random,
    "REAL": same_shape("Real"),
    "RELU_0_TO_1": same_shape("clip", min=0.0, max=1.0),
    "RELU_N1_TO_1": same_shape("clip", min=-1.0, max=1.0),
    "REVERSE_SEQUENCE": same_shape("ReverseSequence"),
    "REDUCE_PROD": TENSORFLOW["Sum"],
    "REVERSE_V2": same_shape("Reverse"),
    "RFFT2D": _rfft,
    "RIGHT_SHIFT": _broadcasting("RightShift"),
    "SCATTER_ND": _scatter_nd,
    "SEGMENT_SUM": _segment_sum,
    "STABLEHLO_CBRT": same_shape("Cbrt"),
    "STABLEHLO_CLAMP": lambda call: call.step("clip", call.shape(1), 1),
    "STABLEHLO_CONVERT": _cast,
    "UNIQUE": _of_data,
    "UNSORTED_SEGMENT_MAX": _segment_sum,
    "UNSORTED_SEGMENT_MIN": _segment_sum,
    "UNSORTED_SEGMENT_PROD": _segment_sum,
    "UNSORTED_SEGMENT_SUM": _segment_sum,
    "WHERE": _of_data,
}
