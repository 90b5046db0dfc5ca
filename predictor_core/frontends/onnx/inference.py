"""Shape inference of the onnx package, kept from ending or filling this process.

It makes as many dimensions as a vector that is taken for a shape is long, and before onnx 1.22 it crashes on
control flow whose body is absent. What may come to that is inferred in a process of its own, under limits.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from predictor_core.budget import current, meter
from predictor_core.errors import ModelFormatError
from predictor_core.frontends.common.values import MAX_KNOWN_ELEMENTS
from predictor_core.frontends.onnx.file import import_onnx

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

#: What the process runs: limits in bytes and seconds, whether to propagate data, where to import from; a
#: model in, a graph out.
_SCRIPT = """
import sys
sys.path[:] = sys.argv[4:]
import onnx
from onnx import shape_inference
try:
    import resource
    memory, seconds = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except (ImportError, ValueError):
    pass
model = onnx.ModelProto.FromString(sys.stdin.buffer.read())
try:
    graph = shape_inference.infer_shapes(model, data_prop=sys.argv[3] == "1").graph
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}"[:1000])
del graph.node[:], graph.initializer[:]
sys.stdout.buffer.write(graph.SerializeToString())
"""


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
    budget = current()
    meter().look()
    limits = (str(2 * budget.memory_bytes), str(int(budget.seconds // 4) + 1), str(int(propagate)))
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", _SCRIPT, *limits, *filter(None, sys.path)],
            input=model.SerializeToString(),
            capture_output=True,
            timeout=10 * budget.seconds,
            check=False,
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise ModelFormatError(f"the shapes of the ONNX model can't be inferred: {error}") from error
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").split("\n")
        reason = next((line for line in reversed(lines) if line.strip()), "onnx crashed, or took too much")
        raise ModelFormatError(f"the shapes of the ONNX model can't be inferred: {reason}")
    return import_onnx().GraphProto.FromString(done.stdout)
