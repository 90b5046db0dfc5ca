"""How torch's products of tensors become Nodes: einsum, and what is an einsum under another name."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters
from typing import Any

import torch

from predictor_core.errors import GraphError
from predictor_core.frontends.torch.call import Call, Handler
from predictor_core.frontends.torch.math_ops import binary_node, constant_operand, product
from predictor_core.frontends.torch.view_ops import reshaped
from predictor_core.ir.einsum import contractions


def contracted(call: Call, equation: str, operands: Sequence[torch.Tensor]) -> Any:
    """Record an einsum as products of two operands, from left to right; constants meet for nothing."""
    tensors = list(operands)
    try:
        planned = contractions(equation, [tuple(one.shape) for one in tensors])
    except GraphError:
        # Torch's own error is better.
        return call.run()
    for part, places, shape in planned:
        reads = [tensors[place] for place in places]
        attrs: dict[str, Any] = {"equation": part}
        if len(reads) == 2:
            attrs.update(constant_operand(call, *reads))
        tensors.append(call.emit_unless_constant("Einsum", reads, shape, attrs))
    return tensors[-1]


def _einsum(call: Call, equation: Any, *operands: Any) -> Any:
    if not isinstance(equation, str):
        equation, operands = _lettered((equation, *operands))
    if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
        operands = tuple(operands[0])
    return contracted(call, equation, operands)


def _lettered(args: Sequence[Any]) -> tuple[str, tuple[Any, ...]]:
    """Return the equation of operands that alternate with lists of numbers, the output's last."""
    out = args[-1] if len(args) % 2 else None
    pairs = args[: len(args) // 2 * 2]

    def term(numbers: Sequence[Any]) -> str:
        return "".join("..." if number is Ellipsis else ascii_letters[number] for number in numbers)

    equation = ",".join(term(numbers) for numbers in pairs[1::2])
    return equation if out is None else f"{equation}->{term(out)}", tuple(pairs[::2])


def _tensordot(call: Call, a: torch.Tensor, b: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    dims: Any = args or (kwargs.get("dims", kwargs.get("dims_self", 2)), *_given(kwargs, "dims_other"))
    dims = dims if len(dims) == 2 else dims[0]
    if isinstance(dims, torch.Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        dims = (range(a.dim() - dims, a.dim()), range(dims))
    left, right = list(ascii_letters[: a.dim()]), list(ascii_letters[a.dim() : a.dim() + b.dim()])
    for first, second in zip(*dims):
        right[second] = left[first]
    out = [letter for letter in (*left, *right) if (letter in left) != (letter in right)]
    return contracted(call, f"{''.join(left)},{''.join(right)}->{''.join(out)}", (a, b))


def _given(kwargs: dict[str, Any], name: str) -> tuple[Any, ...]:
    return (kwargs[name],) if name in kwargs else ()


def _fixed(equation: str) -> Handler:
    def fixed(call: Call, input: torch.Tensor, other: torch.Tensor, **_: Any) -> Any:
        return contracted(call, equation, (input, other))

    return fixed


def _inner(call: Call, input: torch.Tensor, other: torch.Tensor) -> Any:
    if 0 in (input.dim(), other.dim()):
        return NotImplemented
    return _tensordot(call, input, other, ([-1], [-1]))


def _added(equation: str) -> Handler:
    """``beta * input + alpha * product``; the factors are part of what follows."""

    def added(call: Call, input: torch.Tensor, a: torch.Tensor, b: torch.Tensor, **_: Any) -> Any:
        if not (call.tracked(a) or call.tracked(b)):
            return NotImplemented
        part = contracted(call, equation, (a, b))
        return binary_node(call, "add", part, input, tuple(part.shape))

    return added


def _chain(call: Call, *matrices: Any, **_: Any) -> Any:
    operands = matrices[0] if len(matrices) == 1 and isinstance(matrices[0], (tuple, list)) else matrices
    terms = [ascii_letters[index : index + 2] for index in range(len(operands))]
    terms[0] = terms[0][2 - operands[0].dim() :]
    terms[-1] = terms[-1][: operands[-1].dim()]
    return contracted(call, ",".join(terms), operands)


def _bilinear(
    call: Call,
    input1: torch.Tensor,
    input2: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
) -> Any:
    """x1·W·x2 for each output: a matrix product with all weights, and one of what it makes with x2."""
    if not call.tracked(input1):
        input1, input2, weight = input2, input1, weight.transpose(1, 2)
    outputs, _, second = weight.shape
    lead = tuple(input1.shape[:-1])
    made = call.emit("fc", (input1,), (*lead, outputs * second), {"bias": False})
    made = reshaped(call, made, (*lead, outputs, second))
    column = (*lead, second, 1)
    other = reshaped(call, input2, column) if call.tracked(input2) else input2.reshape(column)
    made = product(call, made, other, (*lead, outputs, 1))
    made = reshaped(call, made, (*lead, outputs))
    return made if bias is None else binary_node(call, "add", made, bias, (*lead, outputs))


def _grouped(
    call: Call, left: torch.Tensor, right: torch.Tensor, *, offs: Any = None, bias: Any = None, **_: Any
) -> Any:
    """Rows in groups, each times a matrix of its own (experts); every group is taken to have as many rows."""
    if left.dim() == right.dim() == 3:
        return product(call, left, right, (*left.shape[:2], right.shape[2]))
    if left.dim() != 2 or right.dim() != 3:
        return NotImplemented
    rows, columns = left.shape[0], right.shape[2]
    groups = max(size for size in range(1, right.shape[0] + 1) if rows % size == 0)
    made = reshaped(call, left, (groups, rows // groups, left.shape[1]))
    made = product(call, made, right[:groups], (groups, rows // groups, columns))
    made = reshaped(call, made, (rows, columns))
    return made if bias is None else binary_node(call, "add", made, bias, (rows, columns))


PRODUCT_HANDLERS: dict[str, Handler] = {
    "einsum": _einsum,
    "tensordot": _tensordot,
    "inner": _inner,
    **dict.fromkeys(("dot", "vdot"), _fixed("i,i->")),
    **dict.fromkeys(("linalg_vecdot", "vecdot"), _fixed("...i,...i->...")),
    **dict.fromkeys(("outer", "ger"), _fixed("i,j->ij")),
    "mv": _fixed("ij,j->i"),
    "addmv": _added("ij,j->i"),
    "addr": _added("i,j->ij"),
    "addbmm": _added("bij,bjk->ik"),
    **dict.fromkeys(("chain_matmul", "linalg_multi_dot", "multi_dot"), _chain),
    "bilinear": _bilinear,
    **dict.fromkeys(("grouped_mm", "_grouped_mm", "grouped_mm_fallback"), _grouped),
}
