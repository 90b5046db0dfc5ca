"""The node cases of ``onnx.backend.test``: each op that ONNX defines, with its inputs and outputs."""

from __future__ import annotations

import re
import warnings
from math import prod
from typing import Any

import pytest

from predictor_core import load_latency_predictor
from predictor_core.errors import GraphError, ModelFormatError, UnsupportedOpError
from predictor_core.frontends.onnx import load
from predictor_core.fusion import detect
from predictor_core.ir.graph import Graph, Shape
from predictor_core.ir.ops import CONV_OPS, DENSE_OPS
from predictor_core.kernels import cost

onnx = pytest.importorskip("onnx")
np = pytest.importorskip("numpy")

CPU = "cortexA76cpu_tflite21"
#: Ops whose outputs are as large as the data makes them, or that no fixed shape describes.
BOUNDED = {"Compress", "NonMaxSuppression", "NonZero", "Unique"}
DENSE = (CONV_OPS | DENSE_OPS | {"groupconv", "se"}) - {"embedding"}
#: Ops without arithmetic: what they do is free on every device, or is data movement.
FREE = {"Cast", "CastLike", "Dropout", "Identity", "Transpose"}
FREE |= {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"}
#: Why a case may be refused; each is the package's own, clear error.
REFUSED = (
    "has a subgraph",  # control flow
    "only tensors are supported",  # sequences, optional tensors
    "nothing to predict",  # shapes of inputs only
    "dimensions? must be|every dimension must",  # empty tensors
    "the oldest that can be read",
    "ai.onnx.ml alone",
    "not a known constant",  # a shape that is computed at run time
    "nothing tells the shape",
)


def cases() -> list[Any]:
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(collect_testcases(None))


def array_shapes(values: Any) -> list[Shape | None]:
    return [np.shape(value) if isinstance(value, (np.ndarray, np.generic)) else None for value in values]


def with_constants(case: Any) -> Any:
    """Return the model of a case with all inputs but the first as constants: axes, sizes, weights."""
    model = onnx.ModelProto.FromString(case.model.SerializeToString())
    inputs = list(model.graph.input)
    for info, value in list(zip(inputs, case.data_sets[0][0]))[1:]:
        if isinstance(value, onnx.TensorProto):
            tensor = onnx.TensorProto.FromString(value.SerializeToString())
            tensor.name = info.name
        elif isinstance(value, np.ndarray) and value.dtype != object:
            tensor = onnx.numpy_helper.from_array(value, info.name)
        else:
            continue
        model.graph.initializer.append(tensor)
        model.graph.input.remove(info)
    for info in model.graph.output:
        if info.type.HasField("tensor_type"):
            info.type.tensor_type.ClearField("shape")
    return model


def macs(graph: Graph, rules: Any) -> float:
    return sum(cost(kernel.spec).macs for kernel in detect(graph, rules) if kernel.spec.op in DENSE)


def counted(node: Any, shapes: list[Shape | None], out: Shape) -> float | None:
    """Return the multiply-accumulates of a node by its definition, None for an op without such."""
    attrs = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    places = {name: shape for name, shape in zip(node.input, shapes) if name}
    x, *rest = [places.get(name) for name in node.input]
    kind = node.op_type
    if x is None:
        return None
    if kind in ("Conv", "ConvInteger", "DeformConv"):
        return prod(out) * prod(rest[0][1:])  # type: ignore[index]
    if kind == "QLinearConv":
        return prod(out) * prod(rest[2][1:])  # type: ignore[index]
    if kind == "ConvTranspose":
        return prod(x) * prod(rest[0][1:])  # type: ignore[index]
    if kind in ("MatMul", "MatMulInteger", "QLinearMatMul"):
        return prod(out) * x[-1]
    if kind == "Gemm":
        return prod(out) * (x[0] if attrs.get("transA") else x[1])
    if kind in ("LSTM", "GRU", "RNN"):
        return x[0] * x[1] * (prod(rest[0]) + prod(rest[1]))  # type: ignore[arg-type]
    if kind == "Attention":
        return _attention(attrs, [x, *rest])
    return None


def _attention(attrs: dict[str, Any], shapes: list[Any]) -> float:
    query, key, value = [
        (shape[0], heads, shape[1], shape[2] // heads) if len(shape) == 3 else shape
        for shape, heads in zip(
            shapes, [attrs.get(name) for name in ("q_num_heads", "kv_num_heads", "kv_num_heads")]
        )
    ]
    length = key[2] + (shapes[4][2] if len(shapes) > 4 and shapes[4] else 0)
    return float(prod(query[:3]) * length * (query[3] + value[3]))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_case_is_costed_or_refused() -> None:
    predictor = load_latency_predictor(CPU)
    faults = []
    seen = 0
    for case in cases():
        nodes = case.model.graph.node
        alone = nodes[0].op_type if len(nodes) == 1 else ""
        for model in (case.model, with_constants(case)):
            try:
                graph = load(model)
                report = predictor.profile(graph)
            except (GraphError, ModelFormatError, UnsupportedOpError) as error:
                if not any(re.search(reason, str(error)) for reason in REFUSED):
                    faults.append(f"{case.name}: {error}")
                continue
            except Exception as error:  # noqa: BLE001 - any other is the fault that is looked for
                faults.append(f"{case.name}: {type(error).__name__}: {error}")
                continue
            seen += 1
            if alone and alone not in FREE and "noop" not in case.name and not report.kernels:
                faults.append(f"{case.name}: {alone} costs nothing")
            outputs = array_shapes(case.data_sets[0][1])
            if alone and alone not in BOUNDED and outputs[0] is not None and graph.outputs:
                if prod(graph.shape(graph.outputs[0])) != prod(outputs[0]):
                    faults.append(f"{case.name}: {graph.shape(graph.outputs[0])} instead of {outputs[0]}")
                inputs = dict(
                    zip([i.name for i in case.model.graph.input], array_shapes(case.data_sets[0][0]))
                )
                wanted = counted(nodes[0], [inputs.get(name) for name in nodes[0].input], outputs[0])
                if wanted is not None and macs(graph, predictor.rules) != pytest.approx(wanted, rel=1e-9):
                    faults.append(f"{case.name}: {macs(graph, predictor.rules)} MACs instead of {wanted}")
    assert not faults, "\n".join(faults)
    assert seen > 2000
