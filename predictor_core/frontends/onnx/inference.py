"""Shape inference of the onnx package, kept from ending or filling this process.

It makes as many dimensions as a vector that is taken for a shape is long, and before onnx 1.22 it crashes on
control flow whose body is absent. What may come to that is inferred in a process of its own, under limits.
"""

from __future__ import annotations

from typing import Any

from predictor_core.budget import current, meter
from predictor_core.errors import ModelFormatError
from predictor_core.frontends.common.values import MAX_KNOWN_ELEMENTS
from predictor_core.frontends.onnx.file import import_onnx
from predictor_core.frontends.onnx.workers import ask

_CONTROL_FLOW = frozenset({"If", "Loop", "Scan", "SequenceMap"})

#: Types of attributes that hold graphs.
_SUBGRAPHS = (5, 10)

#: Ops that read nothing but data: the shape of what they make follows from the shapes of what they read.
_BY_DATA = frozenset(
    {
        *("Add", "AveragePool", "BatchNormalization", "Cast", "Clip", "Concat", "Constant", "Conv"),
        *("ConvTranspose", "Div", "Dropout", "Elu", "Erf", "Exp", "Flatten", "Gemm", "GlobalAveragePool"),
        *("GlobalMaxPool", "HardSigmoid", "HardSwish", "Identity", "LRN", "LayerNormalization", "LeakyRelu"),
        *("LogSoftmax", "MatMul", "MaxPool", "Mul", "Neg", "PRelu", "Pow", "Relu", "Sigmoid", "Softmax"),
        *("Softplus", "Split", "Sqrt", "Sub", "Sum", "Tanh", "Transpose"),
    }
)


def is_control_flow(node: Any) -> bool:
    """Whether a node has graphs of its own, or should have."""
    return node.op_type in _CONTROL_FLOW or any(attribute.type in _SUBGRAPHS for attribute in node.attribute)


def infer(model: Any, *, propagate: bool = False) -> Any:
    """Infer the shapes of a model.

    Parameters
    ----------
    model : ModelProto
        Not changed.
    propagate : bool
        Compute numbers, too, where shapes depend on them.

    Returns
    -------
    GraphProto
        With ``input``, ``output`` and ``value_info``.

    Raises
    ------
    ModelFormatError
        The model can't be inferred, or not within the budget.
    """
    if propagate or not _is_plain(model):
        return _apart(model, propagate)
    from onnx import shape_inference

    try:
        return shape_inference.infer_shapes(model).graph
    except (RuntimeError, ValueError, shape_inference.InferenceError) as error:
        raise ModelFormatError(f"the shapes of the ONNX model can't be inferred: {error}") from error


def _is_plain(model: Any) -> bool:
    """Whether every op reads data alone, or its shape from a short constant of the file."""
    graph = model.graph
    short = {t.name for t in graph.initializer if len(t.dims) == 1 and t.dims[0] <= MAX_KNOWN_ELEMENTS}
    made_short = {name for node in graph.node if node.op_type == "Constant" for name in node.output}
    return not model.functions and all(
        not is_control_flow(node)
        and (
            node.op_type in _BY_DATA
            or all(not name or name in short or name in made_short for name in node.input[1:])
        )
        for node in graph.node
    )


def _apart(model: Any, propagate: bool) -> Any:
    running = meter()
    running.look()
    budget = current()
    try:
        done = ask(model.SerializeToString(), propagate, 2 * budget.memory_bytes, budget.seconds / 4)
    except (OSError, ValueError) as error:
        raise ModelFormatError(f"the shapes of the ONNX model can't be inferred: {error}") from error
    running.spend_time(done.spent_s)
    if done.error:
        raise ModelFormatError(f"the shapes of the ONNX model can't be inferred: {done.error}")
    return import_onnx().GraphProto.FromString(done.graph)
