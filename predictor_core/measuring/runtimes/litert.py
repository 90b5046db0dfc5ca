"""LiteRT, formerly TensorFlow Lite, on the CPU."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from predictor_core.errors import ModelFormatError
from predictor_core.ir.inputs import GivenShapes
from predictor_core.measuring.runtimes.base import Runtime, Session, input_shapes, random_input, trying


class LiteRT(Runtime):
    """LiteRT's interpreter with the XNNPACK delegate, which it applies by itself."""

    name = "litert"
    module = "ai_edge_litert.interpreter"
    package = "ai-edge-litert"
    model_types = ("tflite", "graph")

    def open(self, model: Any, model_type: str, threads: int, input_shape: GivenShapes = None) -> Session:
        """Load a ``.tflite`` file, its content, or a Graph; parameters as for `Runtime.open`."""
        from ai_edge_litert.interpreter import Interpreter

        if model_type == "graph":
            from predictor_core.frontends.tflite.writing import graph_to_tflite

            model = graph_to_tflite(model)
        if isinstance(model, (str, os.PathLike)) and not Path(model).is_file():
            raise ModelFormatError(f"{model}: no such file")
        source = {"model_content": model} if isinstance(model, bytes) else {"model_path": os.fspath(model)}
        with trying(self.name):
            interpreter = Interpreter(**source, num_threads=threads)
            details = interpreter.get_input_details()
            stated = [
                (each["name"], [None if dim < 0 else int(dim) for dim in each["shape_signature"]])
                if len(each["shape_signature"])
                else (each["name"], [int(dim) for dim in each["shape"]])
                for each in details
            ]
            for each, (_, shape) in zip(details, input_shapes(stated, input_shape)):
                if tuple(each["shape"]) != shape:
                    interpreter.resize_tensor_input(each["index"], shape, strict=False)
            interpreter.allocate_tensors()
            for each in interpreter.get_input_details():
                value = random_input(tuple(int(dim) for dim in each["shape"]), each["dtype"])
                interpreter.set_tensor(each["index"], value)
            interpreter.invoke()
        return Session(interpreter.invoke, _precision(interpreter))


def _precision(interpreter: Any) -> str:
    kinds = Counter(np.dtype(each["dtype"]).name for each in interpreter.get_tensor_details())
    if kinds["int8"] + kinds["uint8"] > kinds["float32"]:
        return "int8"
    return "fp16" if kinds["float16"] > kinds["float32"] else "fp32"
