"""What the schema of TensorFlow Lite says: numbers of ops and types, places of an op's options.

Source: ``schema.fbs`` of LiteRT, version 3c. Options are named as TensorFlow names the attribute.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_NAMES = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC
LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX
SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD
UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE
UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE
BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL
LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT
RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT
UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR
LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK
ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4
NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL
PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS
HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE
READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL
GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2
UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE
STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE
STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE
STABLEHLO_ABS STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG
STABLEHLO_MINIMUM STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT
STABLEHLO_SELECT STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT
STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA STABLEHLO_DOT_GENERAL
STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE
STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT
"""
#: Builtin ops in the order of their numbers.
BUILTINS = tuple(_NAMES.split())

#: Types of tensors by number, where numpy has them.
DTYPES: dict[int, np.dtype[Any]] = {
    0: np.dtype("<f4"),
    1: np.dtype("<f2"),
    2: np.dtype("<i4"),
    3: np.dtype("u1"),
    4: np.dtype("<i8"),
    6: np.dtype("?"),
    7: np.dtype("<i2"),
    9: np.dtype("i1"),
    10: np.dtype("<f8"),
    12: np.dtype("<u8"),
    15: np.dtype("<u4"),
    16: np.dtype("<u2"),
}
#: Types of quantised activations and weights: uint8, int16, int8, int4.
QUANTISED = frozenset({3, 7, 9, 17})

ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
PADDINGS = ("SAME", "VALID")

_ACTIVATION = {"activation": 0}
_BLOCK = {"block_size": 0}
_CONV_3D = {
    **{"padding": 0, "stride_d": 1, "stride_w": 2, "stride_h": 3, "activation": 4},
    **{"dilation_d": 5, "dilation_w": 6, "dilation_h": 7},
}
_REDUCTION = {"keep_dims": 0}
_POOL = {"padding": 0, "stride_w": 1, "stride_h": 2, "filter_w": 3, "filter_h": 4, "activation": 5}

#: Op -> option that is read -> number of its field.
OPTIONS: dict[str, dict[str, int]] = {
    **dict.fromkeys(("ADD", "DIV", "L2_NORMALIZATION", "MUL", "SUB"), _ACTIVATION),
    **dict.fromkeys(("AVERAGE_POOL_2D", "L2_POOL_2D", "MAX_POOL_2D"), _POOL),
    **dict.fromkeys(("CONV_3D", "CONV_3D_TRANSPOSE"), _CONV_3D),
    **dict.fromkeys(("DEPTH_TO_SPACE", "SPACE_TO_DEPTH"), _BLOCK),
    **dict.fromkeys(("MEAN", "REDUCE_ALL", "REDUCE_ANY", "REDUCE_MAX"), _REDUCTION),
    **dict.fromkeys(("REDUCE_MIN", "REDUCE_PROD", "SUM"), _REDUCTION),
    "BATCH_MATMUL": {"adj_x": 0, "adj_y": 1},
    "BIDIRECTIONAL_SEQUENCE_LSTM": {"merge_outputs": 3},
    "BIDIRECTIONAL_SEQUENCE_RNN": {"merge_outputs": 2},
    "CALL": {"subgraph": 0},
    "CONCATENATION": {"axis": 0, "activation": 1},
    "CONV_2D": {
        **{"padding": 0, "stride_w": 1, "stride_h": 2, "activation": 3, "dilation_w": 4, "dilation_h": 5},
    },
    "DEPTHWISE_CONV_2D": {
        **{"padding": 0, "stride_w": 1, "stride_h": 2, "activation": 4, "dilation_w": 5, "dilation_h": 6},
    },
    "FULLY_CONNECTED": {"activation": 0, "keep_num_dims": 2},
    "GATHER": {"axis": 0, "batch_dims": 1},
    "IF": {"then_subgraph": 0, "else_subgraph": 1},
    "ONE_HOT": {"axis": 0},
    "PACK": {"axis": 1},
    "RESHAPE": {"new_shape": 0},
    "SPLIT": {"num_split": 0},
    "SQUEEZE": {"squeeze_dims": 0},
    "STABLEHLO_COMPOSITE": {"subgraph": 1},
    "STRIDED_SLICE": {
        **{"begin_mask": 0, "end_mask": 1, "ellipsis_mask": 2, "new_axis_mask": 3, "shrink_axis_mask": 4},
    },
    "SVDF": {"rank": 0, "activation": 1},
    "TRANSPOSE_CONV": {"padding": 0, "stride_w": 1, "stride_h": 2, "activation": 3},
    "UNPACK": {"axis": 1},
    "VAR_HANDLE": {"shared_name": 1},
    "WHILE": {"cond_subgraph": 0, "body_subgraph": 1},
}
#: Options that are one byte wide; the others are int32.
BYTES = frozenset({"activation", "padding"})
