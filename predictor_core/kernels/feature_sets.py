"""Features of each kind of kernel: pure functions of specs.

A map of height h and width w enters as sqrt(h·w) and as the aspect h/w: the benchmark measured square maps
only, so the aspect of anything else falls outside the training range and is flagged, while its area is used
well. The same goes for kernels, strides, dilations.
"""

from __future__ import annotations

from math import prod, sqrt

from predictor_core.ir.graph import Shape
from predictor_core.kernels.costs import Cost, conv_weights, elements
from predictor_core.kernels.feature_matrix import FeatureSet, Layout
from predictor_core.kernels.myriad import schedule
from predictor_core.kernels.spec import KernelSpec

#: Codes of merged activations; any other counts as a costlier clamp.
ACTIVATION_CODES = {"": 0, "relu": 1, "relu6": 2, "hswish": 4}
OTHER_ACTIVATION = 3

#: On-chip memory of the Myriad X in elements of two bytes: kernels that fit run without spilling.
CMX_ELEMENTS = 2.5 * 2**20 / 2

_POOLS = frozenset({"maxpool", "avgpool"})


def area(shape: Shape) -> tuple[float, float]:
    """Side of the square map of equal area, and aspect (height / width), of a channels-last tensor."""
    if len(shape) == 4:
        height, width = shape[1], shape[2]
    elif len(shape) < 3:
        return 1.0, 1.0
    else:
        height, width = prod(shape[1:-1]), 1
    return sqrt(height * width), height / width


def _epilogue(merged: tuple[str, ...]) -> tuple[float, float]:
    """Code of the merged activation and number of merged residual inputs."""
    activation, residuals = 0, 0
    for op in merged:
        if op == "add":
            residuals += 1
        elif op not in _POOLS:
            activation = ACTIVATION_CODES.get(op, OTHER_ACTIVATION)
    return activation, residuals


_WINDOW = ("aspect", "kernel_aspect", "stride_aspect", "dilation", "activation", "residuals")


def _window(spec: KernelSpec, aspect: float) -> tuple[float, ...]:
    _, _, _, _, (height, width), (down, right), (rows, columns), _, epilogue, _, _ = spec
    return (aspect, height / width, down / right, rows * columns, *_epilogue(epilogue))


def _conv(spec: KernelSpec, cost: Cost) -> tuple[float, ...]:
    _, _, inputs, output, (kernel_height, kernel_width), (down, right), _, _, _, extra, _ = spec
    shape = inputs[0]
    macs, moved = cost
    side, aspect = area(shape)
    out_side, _ = area(output)
    cin, cout, window = shape[-1], output[-1], kernel_height * kernel_width
    read, written, constant = prod(shape), prod(output), conv_weights(spec)
    cycles, blocks, descriptors, splits = schedule(cin, cout, window)
    pixels = out_side * out_side
    pooled = sqrt(extra[0] * extra[1]) if extra else 0.0
    # A row over all channels is what a device keeps at hand while the window slides.
    row_in, row_out = side * cin, out_side * cout
    return (
        side,
        out_side,
        cin,
        cout,
        macs,
        moved,
        constant,
        read,
        written,
        macs / moved,
        (read + written + constant) / CMX_ELEMENTS,
        cycles,
        cycles * pixels,
        macs / (cycles * pixels),
        row_in,
        row_out,
        row_in + row_out,
        cin,
        cout,
        blocks,
        descriptors,
        splits,
        pooled,
        sqrt(window),
        sqrt(down * right),
        *_window(spec, aspect),
    )


CONV = FeatureSet(
    Layout(
        (
            "side",
            "out_side",
            "cin",
            "cout",
            "macs",
            "bytes",
            "weights",
            "read",
            "written",
            "intensity",
            "cmx",
            "cycles",
            "all_cycles",
            "macs_per_cycle",
            "row_in",
            "row_out",
            "row",
        ),
        ("cin", "cout"),
        ("blocks", "descriptors", "splits", "pooled", "kernel", "stride", *_WINDOW),
    ),
    _conv,
)


def _channelwise(spec: KernelSpec, cost: Cost) -> tuple[float, ...]:
    _, _, inputs, output, (height, width), (down, right), _, _, _, _, _ = spec
    shape = inputs[0]
    macs, moved = cost
    side, aspect = area(shape)
    out_side, _ = area(output)
    channels = output[-1]
    return (
        side,
        out_side,
        channels,
        macs,
        moved,
        (prod(shape) + prod(output)) / CMX_ELEMENTS,
        channels,
        sqrt(height * width),
        sqrt(down * right),
        *_window(spec, aspect),
    )


#: Depthwise convolutions and pools: a window that slides over each channel by itself.
CHANNELWISE = FeatureSet(
    Layout(
        ("side", "out_side", "channels", "macs", "bytes", "cmx"),
        ("channels",),
        ("kernel", "stride", *_WINDOW),
    ),
    _channelwise,
)


def _fc(spec: KernelSpec, cost: Cost) -> tuple[float, ...]:
    cin, cout = spec.inputs[0][-1], spec.output[-1]
    return (cin, cout, cost.macs, cost.bytes, cin, cout, *_epilogue(spec.epilogue))


FC = FeatureSet(Layout(("cin", "cout", "macs", "bytes"), ("cin", "cout"), ("activation", "residuals")), _fc)


def _se(spec: KernelSpec, cost: Cost) -> tuple[float, ...]:
    side, aspect = area(spec.inputs[0])
    channels, middle = spec.inputs[0][-1], spec.extra[0]
    merged = _epilogue(spec.epilogue)
    return (side, channels, middle, cost.macs, cost.bytes, channels, middle, aspect, *merged)


SE = FeatureSet(
    Layout(
        ("side", "channels", "middle", "macs", "bytes"),
        ("channels", "middle"),
        ("aspect", "activation", "residuals"),
    ),
    _se,
)


#: What `KernelSpec.context` holds: what overlaps with the kernel; inputs that a convolution, a pool makes.
CONTEXT = ("overlap", "from_conv", "from_pool")
_NO_CONTEXT = (0,) * len(CONTEXT)


def _mapped(spec: KernelSpec, cost: Cost) -> tuple[float, ...]:
    side, aspect = area(spec.inputs[0])
    # A number without dimensions is a map of one element.
    channels = spec.inputs[0][-1] if spec.inputs[0] else 1
    read, written = elements(spec.inputs), prod(spec.output)
    return (
        side,
        channels,
        cost.bytes,
        read,
        written / CMX_ELEMENTS,
        channels,
        len(spec.inputs),
        aspect,
        *_epilogue(spec.epilogue),
        *(spec.context or _NO_CONTEXT),
    )


#: Elementwise ops, norms, reductions and data movement over one map.
MAPPED = FeatureSet(
    Layout(
        ("side", "channels", "bytes", "read", "cmx"),
        ("channels",),
        ("inputs", "aspect", "activation", "residuals", *CONTEXT),
    ),
    _mapped,
)

_SHOWN = 4


def _joined_widths(spec: KernelSpec, axis: int) -> list[int]:
    """Widths of what a concat joins; what merged ops read stands behind it and may have any rank."""
    widths: list[int] = []
    for shape in spec.inputs:
        if len(shape) != len(spec.output) or sum(widths) + shape[axis] > spec.output[axis]:
            break
        widths.append(shape[axis])
    return widths or [spec.output[axis]]


def _concat(spec: KernelSpec, cost: Cost) -> tuple[float, ...]:
    side, aspect = area(spec.output)
    # Joined along another axis, an input's width is its share of that axis.
    axis = spec.extra[0] if spec.extra else -1
    total = spec.output[axis]
    widths = _joined_widths(spec, axis)
    shown = (widths + [1] * _SHOWN)[:_SHOWN]
    offset, aligned, unaligned_elements = 0, True, 0
    for width in widths:
        if width % 8 or offset % 8:
            aligned = False
            unaligned_elements += width
        offset += width
    return (
        side,
        total,
        cost.bytes,
        max(widths),
        min(widths),
        max(total - widths[0], 1),
        *shown,
        total,
        widths[0],
        widths[1] if len(widths) > 1 else 16,
        len(widths),
        float(aligned),
        unaligned_elements / total,
        prod(spec.output) / CMX_ELEMENTS,
        aspect,
    )


CONCAT = FeatureSet(
    Layout(
        (
            "side",
            "total",
            "bytes",
            "widest",
            "narrowest",
            "after_first",
            "first",
            "second",
            "third",
            "fourth",
        ),
        ("total", "first", "second"),
        ("inputs", "aligned8", "unaligned_share", "cmx", "aspect"),
    ),
    _concat,
)
