"""TensorFlow Lite ops that are read as the TensorFlow op that they were converted from."""

from __future__ import annotations

from collections.abc import Sequence

from predictor_core.frontends.common.call import same_shape
from predictor_core.frontends.common.values import NotInferableError, Value, constant
from predictor_core.frontends.tensorflow.data_ops import HANDLERS as TENSORFLOW
from predictor_core.frontends.tflite.call import Call, Handler, Step, activated
from predictor_core.frontends.tflite.model import Operator
from predictor_core.ir.shapes import broadcast

#: Ops that TensorFlow has with the same inputs, attributes and name, written in CamelCase.
_ALIKE = """
ABS ADD_N ARG_MAX ARG_MIN BROADCAST_TO CEIL COS ELU EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD
GREATER GREATER_EQUAL LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOG_SOFTMAX MAXIMUM
MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD POW RANGE RELU RELU6 RESHAPE ROUND RSQRT SELECT SELECT_V2
SIGN SIN SLICE SOFTMAX SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM TANH TILE
TRANSPOSE UNPACK ZEROS_LIKE
"""
#: Name of an op -> name of TensorFlow's op.
NAMES = {
    **{op: "".join(map(str.capitalize, op.split("_"))) for op in _ALIKE.split()},
    **{f"REDUCE_{op.upper()}": op for op in ("All", "Any", "Max", "Min", "Prod")},
    **{
        f"STABLEHLO_{op.upper()}": op
        for op in ("Abs", "Floor", "Log", "Maximum", "Minimum", "Rsqrt", "Select", "Tanh")
    },
    "ADD": "AddV2",
    "BATCH_MATMUL": "BatchMatMulV2",
    "CONCATENATION": "ConcatV2",
    "DIV": "RealDiv",
    "GATHER": "GatherV2",
    "LOGISTIC": "Sigmoid",
    "PADV2": "PadV2",
    "STABLEHLO_ADD": "AddV2",
    "STABLEHLO_AND": "LogicalAnd",
    "STABLEHLO_COSINE": "Cos",
    "STABLEHLO_DIVIDE": "RealDiv",
    "STABLEHLO_EXPONENTIAL": "Exp",
    "STABLEHLO_LOGISTIC": "Sigmoid",
    "STABLEHLO_MULTIPLY": "Mul",
    "STABLEHLO_NEGATE": "Neg",
    "STABLEHLO_OR": "LogicalOr",
    "STABLEHLO_POWER": "Pow",
    "STABLEHLO_SUBTRACT": "Sub",
    "TOPK_V2": "TopKV2",
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


def _fill(call: Call) -> Step:
    shape = call.ints(0)
    return Step("expand", (call.value(1),), {}, (shape,))


def _suppression(call: Call) -> Step:
    """Give as many boxes as are kept at most, which is an input."""
    (count,) = call.ints(2)
    scores = ((count,),) if call.op == "NON_MAX_SUPPRESSION_V5" else ()
    return Step("NonMaxSuppression", (call.value(0), call.value(1)), {}, ((count,), *scores, ()))


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
    **dict.fromkeys(("NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5"), _suppression),
    **dict.fromkeys(
        ("RANDOM_STANDARD_NORMAL", "RANDOM_UNIFORM"), lambda call: call.step("RandomUniform", call.ints(0))
    ),
    **dict.fromkeys(("SEGMENT_SUM", "UNSORTED_SEGMENT_MAX", "UNSORTED_SEGMENT_MIN"), _segment_sum),
    **dict.fromkeys(("UNSORTED_SEGMENT_PROD", "UNSORTED_SEGMENT_SUM"), _segment_sum),
    **dict.fromkeys(("UNIQUE", "WHERE"), _of_data),
    "ATAN2": _broadcasting("Atan2"),
    "BITWISE_XOR": _broadcasting("BitwiseXor"),
    "BUCKETIZE": same_shape("Bucketize"),
    "COMPLEX_ABS": same_shape("ComplexAbs"),
    "CUMSUM": same_shape("CumSum"),
    "DYNAMIC_UPDATE_SLICE": same_shape("ScatterND"),
    "FILL": _fill,
    "GATHER": _gather,
    "GATHER_ND": _gather_nd,
    "GELU": same_shape("gelu"),
    "HARD_SWISH": same_shape("hswish"),
    "IMAG": same_shape("Imag"),
    "MATRIX_DIAG": lambda call: call.step("MatrixDiag", (*call.shape(), call.shape()[-1])),
    "MATRIX_SET_DIAG": same_shape("MatrixSetDiag"),
    "ONE_HOT": _one_hot,
    "PRELU": same_shape("prelu"),
    "REAL": same_shape("Real"),
    "RELU_0_TO_1": same_shape("clip", min=0.0, max=1.0),
    "RELU_N1_TO_1": same_shape("clip", min=-1.0, max=1.0),
    "REVERSE_SEQUENCE": same_shape("ReverseSequence"),
    "REDUCE_PROD": TENSORFLOW["Sum"],
    "REVERSE_V2": same_shape("Reverse"),
    "RFFT2D": _rfft,
    "RIGHT_SHIFT": _broadcasting("RightShift"),
    "SCATTER_ND": _scatter_nd,
    "STABLEHLO_CBRT": same_shape("Cbrt"),
    "STABLEHLO_CLAMP": lambda call: call.step("clip", call.shape(1), 1),
}
