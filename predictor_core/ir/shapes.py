"""Shape inference, channels last: a pure function for each kind of op, and what they are made of.

The functions of ops have the signature ``(attrs, inputs) -> outputs`` where `inputs` and `outputs` are tuples
of shapes; rows of `predictor_core.ir.ops` name them, and `predictor_core.ir.ops.infer` looks them up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import prod
from typing import Any

from predictor_core.errors import GraphError
from predictor_core.ir.graph import Shape

Shapes = tuple[Shape, ...]
Attrs = Mapping[str, Any]


def same_pads(
    size: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int] = ()
) -> tuple[int, ...]:
    """Return the pads of TensorFlow's ``SAME``, all before, then all after: the odd one goes to the end."""
    totals = [
        max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        for n, k, s, d in zip(size, kernel, strides, dilations or (1,) * len(size))
    ]
    return (*[total // 2 for total in totals], *[total - total // 2 for total in totals])


def window(
    size: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int] = (),
    ceil_mode: bool = False,
) -> tuple[int, ...]:
    """Size after a sliding window, of any number of dimensions: floor((n + pads - (k-1)·d - 1) / s) + 1."""
    rank = len(size)
    out = []
    for i, dilation in enumerate(dilations or (1,) * rank):
        span = size[i] + pads[i] + pads[i + rank] - (kernel[i] - 1) * dilation - 1
        steps = -(-span // strides[i]) if ceil_mode else span // strides[i]
        # A window that would start in the padding at the end is not made.
        if ceil_mode and steps * strides[i] >= size[i] + pads[i]:
            steps -= 1
        out.append(steps + 1)
    return tuple(out)


@lru_cache(maxsize=4096)
def slide(
    size: tuple[int, ...],
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    dilations: tuple[int, ...],
    padding: str | tuple[int, ...],
    ceil_mode: bool = False,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Explicit pads, and the size after a sliding window, of any number of dimensions.

    Parameters
    ----------
    padding : str or tuple of int
        ``SAME``, ``SAME_LOWER``, ``VALID``, or the pads, all before and then all after.

    Raises
    ------
    GraphError
        When the window does not fit.
    """
    rank = len(size)
    if not rank == len(kernel) == len(strides) == len(dilations):
        raise GraphError(f"kernel {kernel}, strides {strides} and dilations {dilations} don't fit {size}")
    if min(strides) < 1 or min(kernel) < 1 or min(dilations) < 1:
        raise GraphError(f"kernel {kernel}, strides {strides} and dilations {dilations} must be positive")
    if padding == "VALID":
        pads: tuple[int, ...] = (0,) * (2 * rank)
    elif isinstance(padding, str):
        pads = same_pads(size, kernel, strides, dilations)
        if padding == "SAME_LOWER":
            pads = pads[rank:] + pads[:rank]
    else:
        pads = padding
        if len(pads) != 2 * rank or min(pads) < 0:
            raise GraphError(f"pads {pads} must be {2 * rank} numbers that are not negative")
    out = window(size, kernel, strides, pads, dilations, ceil_mode)
    if min(out) < 1:
        raise GraphError(f"kernel {kernel} with pads {pads} does not fit a feature map of {size}")
    return pads, out


def broadcast(a: Shape, b: Shape) -> Shape:
    """Numpy broadcasting of two shapes.

    Raises
    ------
    GraphError
        When they don't broadcast.
    """
    if a == b or not b:
        return a
    if not a:
        return b
    rank = max(len(a), len(b))
    left = (1,) * (rank - len(a)) + a
    right = (1,) * (rank - len(b)) + b
    out = []
    for m, n in zip(left, right):
        if m != n and m != 1 and n != 1:
            raise GraphError(f"shapes {list(a)} and {list(b)} do not broadcast")
        out.append(max(m, n))
    return tuple(out)


def resolve_reshape(shape: Sequence[int], elements: int) -> Shape:
    """Replace the one -1 of a reshape target by what makes the element count right.

    Raises
    ------
    GraphError
        When the counts can't agree.
    """
    known = prod(dim for dim in shape if dim != -1)
    unknown = sum(dim == -1 for dim in shape)
    if unknown > 1 or known <= 0 or elements % known or (not unknown and known != elements):
        raise GraphError(f"can't reshape {elements} elements to {list(shape)}")
    return tuple(elements // known if dim == -1 else dim for dim in shape)


def conv(attrs: Attrs, inputs: Shapes) -> Shapes:
    """Return the output shapes of a convolution or a window of the same form."""
    n, h, w, _ = inputs[0]
    out_h, out_w = window(
        (h, w), attrs["kernel"], attrs["strides"], attrs["pads"], attrs.get("dilations", ())
    )
    return ((n, out_h, out_w, attrs["filters"]),)


def dwconv(attrs: Attrs, inputs: Shapes) -> Shapes:
    """Return the output shapes of a depthwise convolution."""
    n, h, w, c = inputs[0]
    out_h, out_w = window(
        (h, w), attrs["kernel"], attrs["strides"], attrs["pads"], attrs.get("dilations", ())
    )
    return ((n, out_h, out_w, attrs.get("filters", c)),)


def convtranspose(attrs: Attrs, inputs: Shapes) -> Shapes:
    """Return the output shapes of a transposed convolution, of any number of dimensions."""
    n, *size, _ = inputs[0]
    rank = len(size)
    dilations, extra = attrs.get("dilations", (1,) * rank), attrs.get("output_padding", (0,) * rank)
    kernel, strides, pads = attrs["kernel"], attrs["strides"], attrs["pads"]
    out = [
        (size[i] - 1) * strides[i] - pads[i] - pads[i + rank] + (kernel[i] - 1) * dilations[i] + 1 + extra[i]
        for i in range(rank)
    ]
    return ((n, *out, attrs["filters"]),)


def pool(attrs: Attrs, inputs: Shapes) -> Shapes:
    """Return the output shapes of a pool."""
    n, h, w, c = inputs[0]
    out = window(
        (h, w), attrs["kernel"], attrs["strides"], attrs["pads"], ceil_mode=attrs.get("ceil_mode", False)
    )
    return ((n, *out, c),)


def fc(attrs: Attrs, inputs: Shapes) -> Shapes:
    """Return the output shapes of a fully connected layer."""
    return ((*inputs[0][:-1], attrs["filters"]),)


def matmul(attrs: Attrs, inputs: Shapes) -> Shapes:
    """Return the output shapes of a product of matrices."""
    a, b = inputs
    batch = broadcast(a[:-2], b[:-2])
    if a[-1] != b[-2]:
        raise GraphError(f"matmul of {list(a)} and {list(b)}: inner dimensions differ")
    return ((*batch, a[-2], b[-1]),)


def binary(attrs: Attrs, inputs: Shapes) -> Shapes:
    """Return the output shapes of an op on two broadcast operands, or one and a constant."""
    if len(inputs) == 1:
        return (broadcast(inputs[0], tuple(attrs.get("const_shape", ()))),)
    out = inputs[0]
    for other in inputs[1:]:
        out = broadcast(out, other)
    return (out,)


def concat(attrs: Attrs, inputs: Shapes) -> Shapes:
    """Return the output shapes of a concatenation."""
    first = inputs[0]
    axis = attrs["axis"] % len(first)
    for shape in inputs[1:]:
        if len(shape) != len(first) or shape[:axis] + shape[axis + 1 :] != first[:axis] + first[axis + 1 :]:
            raise GraphError(f"concat on axis {axis} of {[list(s) for s in inputs]}: other dimensions differ")
    return ((*first[:axis], sum(shape[axis] for shape in inputs), *first[axis + 1 :]),)


def split(attrs: Attrs, inputs: Shapes) -> Shapes:
    """Return the output shapes of a split."""
    shape = inputs[0]
    axis = attrs["axis"] % len(shape)
    if sum(attrs["sizes"]) != shape[axis]:
        raise GraphError(f"split of {shape[axis]} into {list(attrs['sizes'])}: the sum differs")
    return tuple((*shape[:axis], size, *shape[axis + 1 :]) for size in attrs["sizes"])


def reduced(shape: Shape, axes: Sequence[int], keepdims: bool) -> Shape:
    """Shape after a reduction over `axes`, counted from the front."""
    if keepdims:
        return tuple([1 if axis in axes else dim for axis, dim in enumerate(shape)])
    return tuple([dim for axis, dim in enumerate(shape) if axis not in axes])


def reduce(attrs: Attrs, inputs: Shapes) -> Shapes:
    """Return the output shapes of a reduction."""
    shape = inputs[0]
    axes = [axis % len(shape) for axis in attrs["axes"]]
    return (reduced(shape, axes, attrs.get("keepdims", True)),)


def reshape(attrs: Attrs, inputs: Shapes) -> Shapes:
    """Return the output shapes of a reshape."""
    return (resolve_reshape(attrs["shape"], prod(inputs[0])),)


def transpose(attrs: Attrs, inputs: Shapes) -> Shapes:
    """Return the output shapes of a transpose."""
    return (tuple(inputs[0][axis] for axis in attrs["perm"]),)


def pad(attrs: Attrs, inputs: Shapes) -> Shapes:
    """Return the output shapes of a pad."""
    return (tuple(dim + before + after for dim, (before, after) in zip(inputs[0], attrs["pads"])),)


def embedding(attrs: Attrs, inputs: Shapes) -> Shapes:
    """Return the output shapes of a table look-up."""
    return ((*inputs[0], attrs["width"]),)


def depth_to_space(attrs: Attrs, inputs: Shapes) -> Shapes:
    """Return the output shapes of a move of channels into pixels."""
    n, h, w, c = inputs[0]
    block = attrs["block"]
    return ((n, h * block, w * block, c // (block * block)),)


def space_to_depth(attrs: Attrs, inputs: Shapes) -> Shapes:
    """Return the output shapes of a move of pixels into channels."""
    n, h, w, c = inputs[0]
    block = attrs["block"]
    return ((n, h // block, w // block, c * block * block),)


def same(attrs: Attrs, inputs: Shapes) -> Shapes:
    """Return the output shapes of an op that keeps the shape of its first input."""
    return (inputs[0],)
