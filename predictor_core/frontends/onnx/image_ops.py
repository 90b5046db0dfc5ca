"""ONNX ops on images: convolutions, pools, resizing and the norms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from predictor_core.errors import GraphError
from predictor_core.frontends.common.call import same_shape
from predictor_core.frontends.onnx.call import Call, Handler, Step
from predictor_core.ir.graph import Shape
from predictor_core.ir.shapes import slide

_Ints = tuple[int, ...]


def _spatial(call: Call, rank: int) -> tuple[_Ints, _Ints, str | _Ints]:
    """Return strides, dilations and padding (see `slide`) of a window of `rank` dimensions."""
    strides = tuple(call.attrs.get("strides", (1,) * rank))
    dilations = tuple(call.attrs.get("dilations", (1,) * rank))
    auto = call.attrs.get("auto_pad", "NOTSET")
    if auto == "NOTSET":
        return strides, dilations, tuple(call.attrs.get("pads", ())) or "VALID"
    return strides, dilations, {"SAME_UPPER": "SAME", "SAME_LOWER": "SAME_LOWER"}.get(auto, "VALID")


def _slid(call: Call, size: _Ints, kernel: _Ints) -> tuple[dict[str, _Ints], _Ints]:
    """Return the attributes of a sliding window, and the size after it."""
    strides, dilations, padding = _spatial(call, len(size))
    try:
        pads, out = slide(size, kernel, strides, dilations, padding, bool(call.attrs.get("ceil_mode")))
    except GraphError as error:
        raise call.error(str(error)) from None
    return _window_attrs(kernel, strides, dilations, pads), out


def _as_2d(values: Sequence[int], filler: int) -> _Ints:
    return (values[0], filler) if len(values) == 1 else tuple(values)


def _window_attrs(kernel: _Ints, strides: _Ints, dilations: _Ints, pads: _Ints) -> dict[str, _Ints]:
    if len(kernel) == 1:
        pads = (pads[0], 0, pads[1], 0)
        kernel, strides, dilations = _as_2d(kernel, 1), _as_2d(strides, 1), _as_2d(dilations, 1)
    return {"kernel": kernel, "strides": strides, "pads": pads, "dilations": dilations}


def _conv(call: Call) -> Step:
    # A computed weight is an input too.
    reads = (call.value(0), call.value(1))
    x, weight = reads[0].shape, reads[1].shape
    groups = call.attrs.get("group", 1)
    fits = len(x) >= 3 and len(weight) == len(x) and min(*weight, groups) > 0
    if not fits or x[1] != weight[1] * groups or weight[0] % groups:
        raise call.error(f"weights {list(weight)} in {groups} groups don't fit the input {list(x)}")
    attrs, size = _slid(call, x[2:], weight[2:])
    out = (x[0], weight[0], *size)
    described = {**attrs, "groups": groups, "bias": call.has(2)}
    return Step("conv3d" if len(x) == 5 else "conv", reads, described, (out,))


def _conv_transpose(call: Call) -> Step:
    x, weight = call.shape(0), call.shape(1)
    groups = call.attrs.get("group", 1)
    if len(x) < 3 or len(weight) != len(x) or x[1] != weight[0] or min(*weight, groups) < 1:
        raise call.error(f"weights {list(weight)} don't fit the input {list(x)}")
    kernel, rank = weight[2:], len(x) - 2
    strides, dilations, padding = _spatial(call, rank)
    pads = (0,) * (2 * rank) if isinstance(padding, str) else padding
    if not len(strides) == len(dilations) == rank or len(pads) != 2 * rank or min(strides + dilations) < 1:
        raise call.error(
            f"strides {strides}, dilations {dilations} and pads {pads} don't fit {rank} dimensions"
        )
    extra = tuple(call.attrs.get("output_padding", (0,) * rank))
    whole = [(n - 1) * s + (k - 1) * d + 1 for n, s, k, d in zip(x[2:], strides, kernel, dilations)]
    auto = call.attrs.get("auto_pad", "NOTSET")
    if "output_shape" in call.attrs:
        size = tuple(call.attrs["output_shape"])[-rank:]
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        size = tuple([n * s for n, s in zip(x[2:], strides)])
    else:
        size = tuple([n + e - pads[i] - pads[i + rank] for i, (n, e) in enumerate(zip(whole, extra))])
    if "output_shape" in call.attrs or auto.startswith("SAME"):
        # The size is given; what is cut off or added to reach it follows from it.
        cut = [max(n + e - wanted, 0) for n, e, wanted in zip(whole, extra, size)]
        extra = tuple([wanted - n + c for n, c, wanted in zip(whole, cut, size)])
        small, large = [n // 2 for n in cut], [n - n // 2 for n in cut]
        pads = tuple(small + large if auto == "SAME_UPPER" else large + small)
    attrs: dict[str, Any] = _window_attrs(kernel, strides, dilations, pads)
    attrs.update(groups=groups, bias=call.has(2))
    if any(extra):
        attrs["output_padding"] = _as_2d(extra, 0)
    op = "convtranspose3d" if rank == 3 else "convtranspose"
    return Step(op, (call.value(0),), attrs, ((x[0], weight[1] * groups, *size),))


def _deform_conv(call: Call) -> Step:
    """Convolution whose window is read at computed offsets, and weighted by a mask where it has one."""
    plain = _conv(call.like([*call.inputs[:2], call.inputs[3] if call.has(3) else None], {}))
    reads = (call.value(0), call.value(2), *([call.value(4)] if call.has(4) else []))
    return plain._replace(op="deformconv", reads=reads)


def _pool(op: str) -> Handler:
    def handler(call: Call) -> Step:
        x = call.shape(0)
        kernel = tuple(call.attrs.get("kernel_shape", ()))
        if len(x) < 3 or not kernel:
            raise call.error(f"can't pool a tensor of shape {list(x)} with kernel {kernel}")
        attrs, size = _slid(call, x[2:], kernel)
        out: Shape = (*x[:2], *size)
        if max(attrs["dilations"]) == 1:
            del attrs["dilations"]
        return Step(op + "3d" if len(x) == 5 else op, (call.value(0),), attrs, (out,) * call.outputs)

    return handler


def _global_pool(op: str) -> Handler:
    def handler(call: Call) -> Step:
        x = call.shape(0)
        return call.step(op, x[:2] + (1,) * (len(x) - 2), axes=tuple(range(2, len(x))), keepdims=True)

    return handler


def _resize(call: Call) -> Step:
    x = call.shape(0)
    axes = tuple([axis % len(x) for axis in call.attrs.get("axes", range(len(x)))])
    if len(call.inputs) > 2 and call.op == "Resize" and call.has(3) and call.shape(3) != (0,):
        sizes = _within(call, [x[axis] for axis in axes], call.ints(3))
    else:
        index = 1 if call.op == "Upsample" or len(call.inputs) == 2 else 2
        scales = call.attrs["scales"] if "scales" in call.attrs else call.array(index).tolist()
        if call.attrs.get("coordinate_transformation_mode") == "tf_crop_and_resize":
            roi = call.array(1).tolist()
            scales = [scale * (roi[i + len(axes)] - roi[i]) for i, scale in enumerate(scales)]
        # A scale of 2 may be stored as 1.9999999.
        sizes = tuple([math.floor(x[axis] * scale + 1e-4) for axis, scale in zip(axes, scales)])
    out = list(x)
    for axis, size in zip(axes, sizes):
        out[axis] = size
    return call.step("resize", tuple(out), mode=call.attrs.get("mode", "nearest"))


def _within(call: Call, sizes: Sequence[int], wanted: _Ints) -> _Ints:
    """Return the sizes that a resize makes of the wanted ones, by its policy of the aspect ratio."""
    policies = {"not_larger": min, "not_smaller": max}
    policy = policies.get(call.attrs.get("keep_aspect_ratio_policy", "stretch"))
    if policy is None:
        return wanted
    scale = policy([after / before for before, after in zip(sizes, wanted)])
    return tuple([math.floor(size * scale + 0.5) for size in sizes])


def _depth_to_space(call: Call) -> Step:
    n, c, h, w = call.shape(0)
    block = call.attrs["blocksize"]
    return call.step("depthtospace", (n, c // block**2, h * block, w * block), block=block)


def _space_to_depth(call: Call) -> Step:
    n, c, h, w = call.shape(0)
    block = call.attrs["blocksize"]
    return call.step("spacetodepth", (n, c * block**2, h // block, w // block), block=block)


def _group_norm(call: Call) -> Step:
    return call.step("groupnorm", call.shape(0), groups=call.attrs["num_groups"])


def _layer_norm(op: str) -> Handler:
    def handler(call: Call) -> Step:
        x = call.shape(0)
        return call.step(op, x, axis=call.axis(-1, len(x)))

    return handler


HANDLERS: dict[str, Handler] = {
    "AveragePool": _pool("avgpool"),
    "BatchNormalization": same_shape("bn"),
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DeformConv": _deform_conv,
    "DepthToSpace": _depth_to_space,
    "GlobalAveragePool": _global_pool("reduce_mean"),
    "GlobalMaxPool": _global_pool("reduce_max"),
    "GroupNormalization": _group_norm,
    "InstanceNormalization": same_shape("instancenorm"),
    "LRN": same_shape("lrn"),
    "LayerNormalization": _layer_norm("layernorm"),
    "LpNormalization": same_shape("l2norm"),
    "LpPool": _pool("LpPool"),
    "MaxPool": _pool("maxpool"),
    "MeanVarianceNormalization": same_shape("instancenorm"),
    "RMSNormalization": _layer_norm("rmsnorm"),
    "Resize": _resize,
    "SimplifiedLayerNormalization": _layer_norm("rmsnorm"),
    "SpaceToDepth": _space_to_depth,
    "Upsample": _resize,
}
