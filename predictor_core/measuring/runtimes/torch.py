"""PyTorch itself, eager, on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from predictor_core.ir.inputs import GivenShapes
from predictor_core.measuring.runtimes.as_onnx import evaluating, random_inputs, torch_module
from predictor_core.measuring.runtimes.base import Runtime, Session, trying


class Torch(Runtime):
    """A torch module as it is, in evaluation mode, without gradients."""

    name = "torch"
    module = "torch"
    package = "torch"
    model_types = ("torch", "torchvision")

    def open(self, model: Any, model_type: str, threads: int, input_shape: GivenShapes = None) -> Session:
        """Take a module, or build a torchvision model; parameters as for `Runtime.open`.

        The number of threads is set for the whole process while the module runs.
        """
        import torch

        module = torch_module(model, model_type)
        inputs = random_inputs(input_shape)

        @contextmanager
        def around() -> Iterator[None]:
            before = torch.get_num_threads()
            torch.set_num_threads(threads)
            try:
                with evaluating(module), torch.inference_mode():
                    yield
            finally:
                torch.set_num_threads(before)

        with trying(self.name), around():
            module(*inputs)
        parameter = next(iter(module.parameters()), None)
        kinds = {torch.float16: "fp16", torch.bfloat16: "bf16"}
        precision = "fp32" if parameter is None else kinds.get(parameter.dtype, "fp32")
        return Session(lambda: module(*inputs), precision, around)
