"""Kernels expressed by kernels of the sorts that were measured: the rules that rows of the table name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isqrt, log, prod
from typing import Literal, NamedTuple

from predictor_core.ir.graph import Shape
from predictor_core.ir.named import maker
from predictor_core.kernels.spec import KernelSpec

_CHANNEL_BLOCKS = (4, 8, 16)

#: Pixels of the smallest map that the benchmark's convolutions work on (7x7).
_SMALLEST_MAP = 49


Combination = Literal["mean", "sum", "least"]


class Decomposition(NamedTuple):
    """How the latency of a kernel follows from others: ``scale`` times a combination of its parts.

    Parameters
    ----------
    parts : tuple of (float, KernelSpec)
        Weights, and kernels that a forest (or the analytic estimate) answers directly.
    scale : float
        Factor, e.g. the batch.
    measured : bool
        Whether the benchmark measured kernels of this sort; False is an estimate.
    combine : str
        ``"mean"``: the weights sum to 1 and the mean is geometric; ``"sum"``: the weighted latencies are
        added; ``"least"``: the least weighted latency counts.
    """

    parts: tuple[tuple[float, KernelSpec], ...]
    scale: float = 1.0
    measured: bool = True
    combine: Combination = "mean"

    @property
    def spec(self) -> KernelSpec:
        """The one part of a kernel that is not decomposed."""
        return self.parts[0][1]


_make = maker(Decomposition)

DecomposeFunction = Callable[[KernelSpec], Decomposition]


def parts_of_kernels(
    specs: Sequence[KernelSpec], found: Sequence[Decomposition]
) -> tuple[list[KernelSpec], list[list[int]]]:
    """Return the parts of distinct kernels, and for each kernel the places of its own among them."""
    parts: list[KernelSpec] = []
    places: list[list[int]] = []
    # Hashing a kernel takes as long as its arithmetic, and most kernels are their own only part.
    numbers: dict[KernelSpec, int] = {}
    for spec, one in zip(specs, found):
        own = one.parts
        if len(own) == 1 and own[0][1] is spec:
            places.append([len(parts)])
            parts.append(spec)
            continue
        places.append([])
        for _, part in own:
            place = numbers.setdefault(part, len(parts))
            if place == len(parts):
                parts.append(part)
            places[-1].append(place)
    return parts, places


def direct(spec: KernelSpec) -> Decomposition:
    """Take a kernel as it is."""
    return _make((((1.0, spec),), 1.0, True, "mean"))


def per_image(rule: DecomposeFunction) -> DecomposeFunction:
    """Make a rule for batches: n kernels of batch 1, the only one measured, which `rule` decomposes."""

    def decompose(spec: KernelSpec) -> Decomposition:
        batch = _batch(spec)
        if batch == 1:
            return rule(spec)
        return rule(_of_batch(spec, batch, _single))._replace(scale=float(batch), measured=False)

    return decompose


def stacked(spec: KernelSpec) -> Decomposition:
    """Take an elementwise op on a batch of n for one on a map of n times the height."""
    batch = _batch(spec)
    if batch == 1:
        return direct(spec)
    return direct(_of_batch(spec, batch, _stacked))._replace(measured=False)


def _batch(spec: KernelSpec) -> int:
    return spec.output[0] if len(spec.output) > 1 else 1


def _of_batch(spec: KernelSpec, batch: int, reshaped: Callable[[Shape], Shape]) -> KernelSpec:
    inputs = tuple(
        reshaped(shape) if len(shape) > 1 and shape[0] == batch else shape for shape in spec.inputs
    )
    return spec._replace(inputs=inputs, output=reshaped(spec.output))


def grouped(spec: KernelSpec) -> Decomposition:
    """Put a grouped convolution between the dense one of its shape and the depthwise one on its outputs.

    Its latency per multiply-accumulate is interpolated geometrically in log(groups), which makes the latency
    dense^(1-s) · depthwise^s with s = log(groups) / log(cin): exact at both ends, monotone between them, and
    careful about how much of the saved work becomes saved time.
    """
    share = log(spec.groups) / log(spec.inputs[0][-1])
    dense = spec._replace(op="conv", groups=1)
    return Decomposition(((1.0 - share, dense), (share, _depthwise(spec, spec.output[-1]))), measured=False)


def depthwise(spec: KernelSpec) -> Decomposition:
    """Take a depthwise convolution with a channel multiplier for one on as many channels as it writes."""
    if spec.inputs[0][-1] == spec.output[-1]:
        return direct(spec)
    return Decomposition(((1.0, _depthwise(spec, spec.output[-1])),), measured=False)


def _single(shape: Shape) -> Shape:
    return (1, *shape[1:])


def _stacked(shape: Shape) -> Shape:
    return (1, shape[0] * shape[1], *shape[2:]) if len(shape) > 2 else (1, *shape)


def _depthwise(spec: KernelSpec, channels: int) -> KernelSpec:
    inputs = ((*spec.inputs[0][:-1], channels), *spec.inputs[1:])
    return spec._replace(op="dwconv", inputs=inputs, groups=channels)


def pool(spec: KernelSpec) -> Decomposition:
    """Take a pool over a batch of n maps for one over n times the channels: it treats each by itself.

    Unused channels can be added, so no pool costs more than one of whole blocks of 4, 8 or 16 channels; and
    none costs more than n pools over one map each.
    """
    batch, channels = spec.output[0], spec.output[-1]
    parts = [(1.0, _with_channels(spec, width)) for width in _widths(batch * channels)]
    if batch > 1:
        parts += [(float(batch), _with_channels(spec, width)) for width in _widths(channels)]
    return Decomposition(tuple(parts), measured=batch == 1, combine="least")


def one_image(spec: KernelSpec) -> tuple[KernelSpec, int]:
    """Return a kernel over a batch of maps as the one over a single map, and the size of the batch."""
    batch = spec.inputs[0][0] if spec.inputs and len(spec.inputs[0]) == 4 else 1
    if batch == 1 or not spec.output or spec.output[0] != batch:
        return spec, 1
    return _of_batch(spec, batch, _single), batch


def _widths(channels: int) -> tuple[int, ...]:
    """Return the channels themselves, and those of whole blocks."""
    return tuple(dict.fromkeys((channels, *(-(-channels // block) * block for block in _CHANNEL_BLOCKS))))


def _with_channels(spec: KernelSpec, channels: int) -> KernelSpec:
    inputs = tuple((1, *shape[1:-1], channels) for shape in spec.inputs)
    return spec._replace(inputs=inputs, output=(1, *spec.output[1:-1], channels))


def fully_connected(spec: KernelSpec) -> Decomposition:
    """Take a fully connected layer on n rows for one row, and a pointwise convolution over n pixels on top.

    Rows are those of a sequence, a batch, or both; to a matrix multiplication they are pixels: more rows
    never cost less. With fewer rows than the smallest map that was measured has pixels, it costs the share
    (n - 1) / (pixels - 1) of that map.
    """
    rows = prod(spec.output[:-1])
    row = _on_map(spec, (1,))
    if rows == 1:
        return Decomposition(((1.0, row),))
    pixels = max(rows, _SMALLEST_MAP)
    height = max(divisor for divisor in range(1, isqrt(pixels) + 1) if pixels % divisor == 0)
    pointwise = _on_map(spec, (1, height, pixels // height))._replace(op="conv")
    return Decomposition(((1.0, row), ((rows - 1) / (pixels - 1), pointwise)), measured=False, combine="sum")


def deformable(spec: KernelSpec) -> Decomposition:
    """Take a deformable convolution for a bilinear resize that samples its windows, and a product.

    The product is that of the dense convolution of the same shape, one for each of its groups.
    """
    batch, *size, channels = spec.inputs[0]
    groups, window = spec.groups, spec.kernel[0] * spec.kernel[1]
    sampled = (*spec.output[:-1], channels * window)
    sampling = KernelSpec("resize", "resize", spec.inputs, sampled)
    conv = KernelSpec(
        "conv",
        "conv",
        ((1, *size, channels // groups),),
        (1, *spec.output[1:-1], spec.output[-1] // groups),
        spec.kernel,
        spec.strides,
        spec.dilations,
    )
    return Decomposition(((1.0, sampling), (float(batch * groups), conv)), measured=False, combine="sum")


def _on_map(spec: KernelSpec, leading: Shape) -> KernelSpec:
    inputs = tuple((*leading, *shape[-1:]) for shape in spec.inputs)
    return spec._replace(inputs=inputs, output=(*leading, spec.output[-1]))
