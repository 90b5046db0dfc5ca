"""Converters for convolutions, pools and matrix products."""

from __future__ import annotations

from typing import Any

from predictor_core.errors import GraphError, ModelFormatError
from predictor_core.frontends.nnmeter_ir.generic import stated
from predictor_core.frontends.nnmeter_ir.source import Converted, Source, pair
from predictor_core.ir import ops, shapes


def conv(op: str, source: Source) -> Converted:
    """Convert a convolution of one or two dimensions in space, grouped and depthwise ones included."""
    shape = source.image()
    if shape is None:
        return stated("conv3d" if len(source.inputs[0]) == 5 else source.type, source)
    attrs = source.attrs
    batch, height, width, channels = shape
    weight = attrs.get("weight_shape")
    kernel = _kernel(source, weight)
    strides = pair(attrs.get("strides", 1))
    dilations = pair(attrs["dilations"] if "dilations" in attrs else attrs.get("dilation", 1))
    depthwise = op == "dwconv"
    groups = channels if depthwise else attrs.get("group") or attrs.get("groups") or 1
    if weight:
        expected, filters = weight[-2], weight[-1]
        if depthwise:
            filters *= expected
        else:
            if groups == 1 and expected != channels and expected > 0 and channels % expected == 0:
                groups = channels // expected
            expected *= groups
        if expected != channels:
            raise GraphError(
                f"its weights {list(weight)} take {expected} channels, "
                f"but its input is {list(shape)} (channels last)"
            )
    else:
        filters = source.first("out_channels", "filters", "cout") or source.stated_channels()
        if filters is None:
            if not depthwise:
                raise ModelFormatError(
                    "it states neither weight_shape nor output_shape, so its channels are unknown"
                )
            filters = channels
    if groups < 1 or channels % groups or filters % groups:
        raise GraphError(f"{groups} groups do not divide {channels} input and {filters} output channels")
    pads, out = shapes.slide((height, width), kernel, strides, dilations, source.window())
    converted = _attributes(source, kernel, strides, pads, dilations, groups)
    op = "dwconv" if groups == channels > 1 else "conv"
    return op, converted, (source.ordered((batch, *out, filters)),)


def _attributes(
    source: Source,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    pads: tuple[int, ...],
    dilations: tuple[int, int],
    groups: int,
) -> dict[str, Any]:
    # Documents of ONNX models do not tell; next to all of their convs have a bias or a folded batch norm.
    bias = bool(source.attrs.get("bias", source.type in ("Conv", "ConvTranspose")))
    return {
        "kernel": kernel,
        "strides": strides,
        "pads": pads,
        "dilations": dilations,
        "groups": groups,
        "bias": bias,
    }


def _kernel(source: Source, weight: Any) -> tuple[int, int]:
    value = source.attrs.get("kernel_shape")
    if value is None:
        value = source.first("ksize", "ks", "kernel_size", "kernel")
    if value is None:
        if not weight:
            raise ModelFormatError("it has no kernel size (kernel_shape, ksize, ks or weight_shape)")
        return weight[0], weight[1]
    return pair(value)


def conv_transpose(op: str, source: Source) -> Converted:
    """Convert a transposed convolution."""
    shape = source.image()
    if shape is None:
        return stated(source.type, source)
    attrs = source.attrs
    weight = attrs.get("weight_shape")
    kernel = _kernel(source, weight)
    strides = pair(attrs.get("strides", 1))
    dilations = pair(attrs.get("dilations", 1))
    groups = source.first("group", "groups") or 1
    filters = (weight[2] * groups if weight else None) or source.first("out_channels", "filters")
    filters = filters or source.stated_channels()
    if filters is None:
        raise ModelFormatError("it states neither weight_shape nor output_shape, so its channels are unknown")
    padding = source.window()
    if isinstance(padding, str):
        size = tuple(n * s for n, s in zip(shape[1:3], strides))
        span = [max((k - 1) * d + 1 - s, 0) for k, d, s in zip(kernel, dilations, strides)]
        pads = (
            (0, 0, 0, 0)
            if padding == "VALID"
            else (span[0] // 2, span[1] // 2, -(-span[0] // 2), -(-span[1] // 2))
        )
        if padding == "VALID":
            size = (size[0] + span[0], size[1] + span[1])
    else:
        pads = (padding[0], padding[1], padding[2], padding[3])
        bare = {
            "kernel": kernel,
            "strides": strides,
            "pads": pads,
            "dilations": dilations,
            "filters": filters,
        }
        bare["output_padding"] = pair(attrs.get("output_padding", 0))
        shape_out = ops.infer("convtranspose", bare, (shape,))
        assert shape_out is not None
        size = shape_out[0][1:3]
        if "output_padding" not in attrs and source.stated:
            shown = tuple(source.stated[0])
            if len(shown) == 4 and all(0 <= s - n < step for s, n, step in zip(shown[1:3], size, strides)):
                size = shown[1:3]
    converted = _attributes(source, kernel, strides, pads, dilations, groups)
    if "output_padding" in attrs:
        converted["output_padding"] = pair(attrs["output_padding"])
    return op, converted, (source.ordered((shape[0], *size, filters)),)


def pool(op: str, source: Source) -> Converted:
    """Convert a pool with a window."""
    shape = source.image()
    if shape is None:
        return stated(source.type, source)
    attrs = source.attrs
    kernel = _kernel(source, None)
    strides = pair(source.first("strides", "stride") or 1)
    padding = source.window()
    size = (shape[1], shape[2])
    ceil_mode = bool(attrs.get("ceil_mode"))
    pads, out = shapes.slide(size, kernel, strides, (1, 1), padding, ceil_mode)
    if not ceil_mode and not isinstance(padding, str) and source.stated:
        # Documents lose ceil_mode; the stated size tells it.
        upper = shapes.slide(size, kernel, strides, (1, 1), padding, True)[1]
        if upper != out and tuple(source.stated[0][1:3]) == upper:
            out = upper
    converted = {"kernel": kernel, "strides": strides, "pads": pads}
    # The second output of a max pool are the indices of the maxima.
    several = op == "maxpool" and isinstance(source.stated, (list, tuple)) and len(source.stated) == 2
    return op, converted, (source.ordered((shape[0], *out, shape[3])),) * (2 if several else 1)


def global_pool(op: str, source: Source) -> Converted:
    """Convert a pool over the whole feature map."""
    rank = len(source.inputs[0])
    axes = tuple(range(2, rank)) if source.channels_first else tuple(range(1, rank - 1))
    out = tuple([1 if axis in axes else dim for axis, dim in enumerate(source.inputs[0])])
    return op, {"axes": axes, "keepdims": True}, (out,)


def fc(op: str, source: Source) -> Converted:
    """Convert a product with constant weights, or of two activations where both are."""
    inputs = source.inputs
    if len(inputs) > 1 and source.type == "MatMul":
        return matmul("matmul", source)
    attrs = source.attrs
    weight = attrs.get("weight_shape")
    filters = source.first("out_features", "filters", "cout") or (weight[-1] if weight else None)
    if not filters and not source.stated:
        raise ModelFormatError("it states neither weight_shape nor output_shape, so its width is unknown")
    filters = filters or source.stated_shapes()[0][-1]
    shape = inputs[0]
    if weight and len(weight) == 2 and weight[0] != shape[-1]:
        raise GraphError(
            f"its weights {list(weight)} take {weight[0]} features, but its input is {list(shape)}"
        )
    bias = bool(attrs.get("bias", source.type in ("Gemm", "Linear", "fc")))
    return op, {"bias": bias}, ((*shape[:-1], filters),)


def matmul(op: str, source: Source) -> Converted:
    """Convert a product of two activations, or of one and a constant that is no plain matrix."""
    operands = list(source.inputs[:2])
    converted: dict[str, Any] = {}
    if len(operands) == 1 and source.constants:
        converted["const_shape"] = source.constants[0][0]
        if source.constant_first:
            converted["const_first"] = True
        operands.insert(0 if source.constant_first else 1, source.constants[0][0])
    left, right = operands
    if source.first("transpose_a", "adj_x"):
        converted["transpose_a"] = True
        left = (*left[:-2], left[-1], left[-2])
    if source.first("transpose_b", "adj_y"):
        converted["transpose_b"] = True
        right = (*right[:-2], right[-1], right[-2])
    try:
        out = ops.infer("matmul", {}, (left, right))
    except GraphError:
        # Products over other dimensions than the last (einsum) state their shape.
        if not source.stated:
            raise
        out = source.stated_shapes()
    assert out is not None
    return op, converted, out
