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
from predictor_core.ir.graph import Shape

onnx = pytest.importorskip("onnx")
np = pytest.importorskip("numpy")

from benchmarks.macs import graph_macs  # noqa: E402
from benchmarks.onnx_macs import node_macs  # noqa: E402 - it imports onnx

CPU = "cortexA76cpu_tflite21"
#: Ops whose outputs are as large as the data makes them, or that no fixed shape describes.
BOUNDED = {"Compress", "NonMaxSuppression", "NonZero", "Unique"}
#: Ops without arithmetic: what they do is free on every device, or is data movement.
FREE = {"Cast", "CastLike", "Dropout", "Identity", "Transpose"}
FREE |= {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"}
#: Why a case may be refused; each is the package's own, clear error.
REFUSED = (
    "has a subgraph|branch runs is decided|as often as its data say|Scan is read from opset 9",  # loops
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
                names = [info.name for info in (*case.model.graph.input, *case.model.graph.output)]
                known = array_shapes([*case.data_sets[0][0], *case.data_sets[0][1]])
                shapes = {name: shape for name, shape in zip(names, known) if shape is not None}
                wanted = node_macs(nodes[0], shapes)
                if wanted is not None and graph_macs(graph) != pytest.approx(wanted, rel=1e-9):
                    faults.append(f"{case.name}: {graph_macs(graph)} MACs instead of {wanted}")
    assert not faults, "\n".join(faults)
    assert seen > 2000
