"""How torch functions that compute become Nodes: matrix products, activations, arithmetic."""

from __future__ import annotations

from typing import Any

import torch

from predictor_core.frontends.torch.call import Call, Handler, same_shape
from predictor_core.ir.graph import Shape
from predictor_core.ir.shapes import broadcast


def _linear(call: Call, input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> Any:
    if call.tracked(weight) or weight.dim() != 2 or input.shape[-1] != weight.shape[1]:
        return call.emit("matmul", (input, weight), call.run(), constant_operand(call, input, weight))
    return call.emit("fc", (input,), (*input.shape[:-1], weight.shape[0]), {"bias": bias is not None})


def _matmul(call: Call, input: torch.Tensor, other: torch.Tensor, **_: Any) -> Any:
    if call.name == "__rmatmul__":
        input, other = other, input
    return product(call, input, other, call.run())


def product(call: Call, left: torch.Tensor, right: torch.Tensor, result: Any, bias: bool = False) -> Any:
    """Record a matrix product: ``fc`` with a constant matrix on the right, else ``matmul``."""
    if not call.tracked(right) and right.dim() == 2:
        return call.emit("fc", (left,), result, {"bias": bias})
    return call.emit("matmul", (left, right), result, constant_operand(call, left, right))


def constant_operand(call: Call, left: torch.Tensor, right: torch.Tensor) -> dict[str, Any]:
    """Attributes that describe the one constant among two operands."""
    if not call.tracked(left):
        return {"const_shape": tuple(left.shape), "const_first": True}
    return {} if call.tracked(right) else {"const_shape": tuple(right.shape)}


def _addmm(
    call: Call,
    input: torch.Tensor,
    left: torch.Tensor,
    right: torch.Tensor,
    *,
    beta: float = 1,
    alpha: float = 1,
    **_: Any,
) -> Any:
    result = call.run()
    if not call.tracked(input) and not call.tracked(right) and beta == alpha == 1:
        return product(call, left, right, result, bias=True)
    part = product(call, left, right, tuple(result.shape))
    if alpha != 1:
        part = call.emit("mul", (part,), tuple(result.shape), {"const": float(alpha)})
    if beta == 0:
        return part
    if beta != 1 and call.tracked(input):
        input = call.emit("mul", (input,), tuple(input.shape), {"const": float(beta)})
    return binary_node(call, "add", part, input, tuple(result.shape))


def _clip(call: Call, input: torch.Tensor, min: Any = None, max: Any = None, **_: Any) -> Any:
    if isinstance(min, torch.Tensor) or isinstance(max, torch.Tensor):
        return NotImplemented
    bounds = {key: float(bound) for key, bound in (("min", min), ("max", max)) if bound is not None}
    return call.emit("clip", (input,), tuple(input.shape), bounds)


def _clip_max(call: Call, input: torch.Tensor, max: Any) -> Any:
    return _clip(call, input, None, max)


def _hardtanh(
    call: Call, input: torch.Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Any:
    return _clip(call, input, min_val, max_val)


def _glu(call: Call, input: torch.Tensor, dim: int = -1) -> Any:
    axis = dim % input.dim()
    shape = list(input.shape)
    shape[axis] //= 2
    half = tuple(shape)
    left, right = call.emit(
        "split", (input,), [half, half], {"axis": axis, "sizes": (half[axis], half[axis])}
    )
    return call.emit("mul", (left, call.emit("sigmoid", (right,), half)), half)


def _binary(op: str) -> Handler:
    def binary(call: Call, input: Any, other: Any, *, alpha: float = 1, **kwargs: Any) -> Any:
        if kwargs.get("rounding_mode"):
            return NotImplemented
        if call.name == "rsub" or call.name.startswith("__r"):
            input, other = other, input
        tensors = [value for value in (input, other) if isinstance(value, torch.Tensor)]
        shape: Shape = tuple(tensors[0].shape)
        if len(tensors) == 2:
            if tensors[0].dtype != tensors[1].dtype:
                shape = tuple(call.run().shape)
            else:
                shape = broadcast(shape, tuple(tensors[1].shape))
        if alpha != 1 and call.tracked(other):
            other = call.emit("mul", (other,), tuple(other.shape), {"const": float(alpha)})
        return binary_node(call, op, input, other, shape)

    return binary


def binary_node(call: Call, op: str, left: Any, right: Any, shape: Shape) -> Any:
    """Record an op with two operands, of which one may be a constant."""
    if call.tracked(left) and call.tracked(right):
        return call.emit(op, (left, right), shape)
    source, constant = (left, right) if call.tracked(left) else (right, left)
    attrs: dict[str, Any] = {}
    value = call.scalar(constant)
    if value is None:
        attrs["const_shape"] = tuple(constant.shape)
    else:
        attrs["const"] = value
    if source is right and op in ("sub", "div", "pow"):
        attrs["const_first"] = True
    return call.emit(op, (source,), shape, attrs)


def _other_binary(op: str) -> Handler:
    def other_binary(call: Call, input: Any, other: Any) -> Any:
        sources = [value for value in (input, other) if isinstance(value, torch.Tensor)]
        return call.emit(op, sources, call.run())

    return other_binary


def _masked_fill(call: Call, input: torch.Tensor, mask: torch.Tensor, value: Any) -> Any:
    sources = [part for part in (mask, value, input) if isinstance(part, torch.Tensor)]
    return call.emit(
        "where",
        sources,
        torch.empty(broadcast(tuple(input.shape), tuple(mask.shape)), dtype=input.dtype, device="meta"),
    )


def _where(call: Call, condition: torch.Tensor, input: Any = None, other: Any = None) -> Any:
    if input is None:
        return NotImplemented
    sources = [part for part in (condition, input, other) if isinstance(part, torch.Tensor)]
    return call.emit("where", sources, call.run())


_ACTIVATIONS = {
    "relu": "relu",
    "relu6": "relu6",
    "hardswish": "hswish",
    "hardsigmoid": "hsigmoid",
    "sigmoid": "sigmoid",
    "silu": "swish",
    "gelu": "gelu",
    "tanh": "tanh",
    "leaky_relu": "leakyrelu",
    "rrelu": "leakyrelu",
    "prelu": "prelu",
    "elu": "elu",
    "selu": "selu",
    "softplus": "softplus",
    "mish": "mish",
    "celu": "elu",
    "expit": "sigmoid",
    **{name: name for name in ("abs", "neg", "exp", "log", "sqrt", "rsqrt", "erf", "sin", "cos")},
    **{name: name for name in ("floor", "ceil", "round", "reciprocal", "square")},
    "negative": "neg",
    "absolute": "abs",
}


_BINARIES = {
    "add": "add",
    "sub": "sub",
    "subtract": "sub",
    "rsub": "sub",
    "mul": "mul",
    "multiply": "mul",
    "div": "div",
    "divide": "div",
    "truediv": "div",
    "true_divide": "div",
    "pow": "pow",
    "__rpow__": "pow",
    "maximum": "max",
    "minimum": "min",
}


#: Elementwise functions without a canonical op: estimated under the names that ONNX has for them.
_OTHER_UNARIES = {
    "cumsum": "CumSum",
    "isinf": "IsInf",
    "isnan": "IsNaN",
    "logical_not": "Not",
    "bitwise_not": "Not",
    "invert": "Not",
    "sign": "Sign",
    "softsign": "Softsign",
    "tan": "Tan",
    "tril": "Trilu",
    "triu": "Trilu",
}


_OTHER_BINARIES = {
    "eq": "Equal",
    "fmod": "Mod",
    "ge": "GreaterOrEqual",
    "gt": "Greater",
    "le": "LessOrEqual",
    "logical_and": "And",
    "logical_or": "Or",
    "logical_xor": "Xor",
    "lt": "Less",
    "mod": "Mod",
    "remainder": "Mod",
}


MATH_HANDLERS: dict[str, Handler] = {
    "linear": _linear,
    **dict.fromkeys(("matmul", "mm", "bmm", "__rmatmul__", "linalg_matmul"), _matmul),
    **dict.fromkeys(("addmm", "baddbmm"), _addmm),
    **{name: same_shape(op) for name, op in {**_ACTIVATIONS, **_OTHER_UNARIES}.items()},
    **{name: _other_binary(op) for name, op in _OTHER_BINARIES.items()},
    **dict.fromkeys(("clamp", "clip", "clamp_min"), _clip),
    "clamp_max": _clip_max,
    "hardtanh": _hardtanh,
    "glu": _glu,
    "masked_fill": _masked_fill,
    "where": _where,
    **{name: _binary(op) for name, op in _BINARIES.items()},
}
