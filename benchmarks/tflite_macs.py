"""Multiply-accumulates of a TFLite model by the shapes that its tensors have in LiteRT's interpreter."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from math import prod
from typing import Any, NamedTuple

Shape = Sequence[int]


class RanOp(NamedTuple):
    """An op as the interpreter lists it, with the shapes of what it reads and writes."""

    name: str
    reads: Sequence[Shape]
    writes: Sequence[Shape]


def ops_macs(ops: Iterable[RanOp]) -> int:
    """Multiply-accumulates of the convolutions, products and recurrent layers among ops."""
    ops = list(ops)
    total = 0
    for (name, reads, writes), following in zip(ops, [*ops[1:], RanOp("", (), ())]):
        if following.name == "BATCH_TO_SPACE_ND":
            # A conv with dilation, spelled: its shifted images are padded to one size.
            writes = following.writes
        if name == "CONV_2D":
            total += prod(writes[0]) * prod(reads[1][1:])
        elif name == "DEPTHWISE_CONV_2D":
            total += prod(writes[0]) * prod(reads[1][1:3])
        elif name == "TRANSPOSE_CONV":
            total += prod(reads[2]) * prod(reads[1][:3])
        elif name == "Convolution2DTransposeBias":
            total += prod(reads[0]) * prod(reads[1][:3])
        elif name == "CONV_3D":
            total += prod(writes[0]) * prod(reads[1][:4])
        elif name == "FULLY_CONNECTED":
            total += prod(writes[0]) * reads[1][1]
        elif name == "BATCH_MATMUL":
            total += prod(writes[0]) * (prod(reads[0]) // prod(writes[0][:-1]))
        elif name == "SVDF":
            batch, filters = reads[0][0], reads[1][0]
            total += batch * filters * (reads[1][1] + reads[2][1])
        elif name == "UNIDIRECTIONAL_SEQUENCE_LSTM":
            steps = prod(reads[0][:-1])
            total += 4 * steps * reads[2][0] * (reads[2][1] + writes[0][-1])
    return total


def interpreter(path: str | os.PathLike[str]) -> Any:
    """Open a model in LiteRT's interpreter, without delegates, which rewrite it."""
    from ai_edge_litert import interpreter as litert

    return litert.Interpreter(
        model_path=os.fspath(path),
        num_threads=1,
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )


def runtime_ops(path: str | os.PathLike[str], shapes: Sequence[Shape] = ()) -> list[RanOp]:
    """Ops of a model's first subgraph with the shapes that their tensors have after a run.

    The interpreter can't run the custom ops of others; their shapes are those that the file states.

    Parameters
    ----------
    path : path
        A ``.tflite`` file.
    shapes : sequence of shapes
        Of its inputs, in their order; default: as the file states them.
    """
    model = interpreter(path)
    for entry, shape in zip(model.get_input_details(), shapes):
        model.resize_tensor_input(entry["index"], list(shape))
    try:
        model.allocate_tensors()
        model.invoke()
    except RuntimeError as error:
        if "unresolved custom op" not in str(error):
            raise
    sizes = {entry["index"]: entry["shape"].tolist() for entry in model.get_tensor_details()}

    def found(places: Any) -> list[Shape]:
        return [sizes.get(int(place), []) for place in places]

    return [
        RanOp(str(op["op_name"]), found(op["inputs"]), found(op["outputs"]))
        for op in model._get_ops_details()
    ]
