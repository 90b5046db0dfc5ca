"""ONNX Runtime on the CPU."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from predictor_core.ir.inputs import GivenShapes
from predictor_core.measuring.runtimes.as_onnx import as_onnx
from predictor_core.measuring.runtimes.base import Runtime, Session, input_shapes, random_input, trying

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(bool)": np.bool_,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(int16)": np.int16,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


class OnnxRuntime(Runtime):
    """ONNX Runtime with its CPU execution provider, all graph optimisations on."""

    name = "onnxruntime"
    module = "onnxruntime"
    package = "onnxruntime"
    model_types = ("onnx", "torch", "torchvision", "graph")

    def open(self, model: Any, model_type: str, threads: int, input_shape: GivenShapes = None) -> Session:
        """Load an ONNX file or model, a torch module, or a Graph; parameters as for `Runtime.open`."""
        import onnxruntime

        content = as_onnx(model, model_type, input_shape)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        with trying(self.name):
            session = onnxruntime.InferenceSession(
                os.fspath(content) if isinstance(content, os.PathLike) else content,
                options,
                providers=["CPUExecutionProvider"],
            )
            inputs = session.get_inputs()
            stated = [
                (each.name, [dim if isinstance(dim, int) and dim > 0 else None for dim in each.shape])
                for each in inputs
            ]
            shapes = dict(
                input_shapes(stated, None if model_type in ("torch", "torchvision") else input_shape)
            )
            feed = {
                each.name: random_input(shapes[each.name], _DTYPES.get(each.type, np.float32))
                for each in inputs
            }
            wanted = [each.name for each in session.get_outputs()]
            session.run(wanted, feed)
        return Session(lambda: session.run(wanted, feed), _precision(content))


def _precision(model: Any) -> str:
    """Tell from the weights and ops of an ONNX model what it computes in."""
    import onnx

    if isinstance(model, bytes):
        graph = onnx.load_model_from_string(model).graph
    else:
        graph = onnx.load(os.fspath(model), load_external_data=False).graph
    quantised = {"QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "QuantizeLinear"}
    if any(node.op_type in quantised for node in graph.node):
        return "int8"
    halves = sum(each.data_type == onnx.TensorProto.FLOAT16 for each in graph.initializer)
    return "fp16" if 2 * halves > len(graph.initializer) else "fp32"
