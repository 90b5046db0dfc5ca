"""OpenVINO on the CPU."""

from __future__ import annotations

import os
from typing import Any

from predictor_core.errors import ModelFormatError
from predictor_core.ir.inputs import GivenShapes
from predictor_core.measuring.runtimes.as_onnx import as_onnx
from predictor_core.measuring.runtimes.base import Runtime, Session, input_shapes, random_input, trying

_PRECISIONS = {"f32": "fp32", "f16": "fp16", "bf16": "bf16"}


class OpenVINO(Runtime):
    """OpenVINO's CPU device: one stream, latency mode, computing in single precision."""

    name = "openvino"
    module = "openvino"
    package = "openvino"
    model_types = ("onnx", "openvino", "tflite", "pb", "torch", "torchvision", "graph")

    def open(self, model: Any, model_type: str, threads: int, input_shape: GivenShapes = None) -> Session:
        """Load an IR, ONNX, TFLite or TensorFlow file, a torch module or a Graph, as `Runtime.open`."""
        import openvino

        if model_type in ("onnx", "torch", "torchvision", "graph"):
            content = as_onnx(model, model_type, input_shape)
        elif os.path.exists(model):
            content = model
        else:
            raise ModelFormatError(f"{model}: no such file")
        with trying(self.name):
            core = openvino.Core()
            read = core.read_model(content, b"") if isinstance(content, bytes) else core.read_model(content)
            stated = []
            for index, each in enumerate(read.inputs):
                dims = [None if dim.is_dynamic else dim.get_length() for dim in each.get_partial_shape()]
                stated.append((next(iter(each.get_names()), f"input {index}"), dims))
            exported = model_type in ("torch", "torchvision")
            shapes = [shape for _, shape in input_shapes(stated, None if exported else input_shape)]
            if read.is_dynamic():
                read.reshape({each: list(shape) for each, shape in zip(read.inputs, shapes)})
            settings = {
                "PERFORMANCE_HINT": "LATENCY",
                "NUM_STREAMS": 1,
                "INFERENCE_NUM_THREADS": threads,
                # Some processors would compute in bf16 otherwise.
                "INFERENCE_PRECISION_HINT": "f32",
                # `predictor_core.measuring.machine.pinned` has bound the process already.
                "ENABLE_CPU_PINNING": False,
            }
            compiled = core.compile_model(read, "CPU", settings)
            request = compiled.create_infer_request()
            for index, (each, shape) in enumerate(zip(compiled.inputs, shapes)):
                value = random_input(shape, each.get_element_type().to_dtype())
                request.set_input_tensor(index, openvino.Tensor(value))
            request.infer()
        return Session(request.infer, _precision(read, compiled))


def _precision(read: Any, compiled: Any) -> str:
    if any(op.get_type_name() == "FakeQuantize" for op in read.get_ops()):
        return "int8"
    stated = compiled.get_property("INFERENCE_PRECISION_HINT")
    name = stated.get_type_name() if hasattr(stated, "get_type_name") else str(stated)
    return _PRECISIONS.get(name, name)
