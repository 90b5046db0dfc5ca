"""Families made for phones: MobileNet v1 to v3, MnasNet, ProxylessNAS, ShuffleNet v2.

The defaults are the architectures as published; the arguments are what the public measurements vary.
"""

from __future__ import annotations

from collections.abc import Sequence

from predictor_core.errors import PredictorError
from predictor_core.ir.graph import Graph, Shape
from predictor_core.zoo.builder import Builder, per_block
from predictor_core.zoo.classic import IMAGE


def mobilenetv1(
    kernels: Sequence[int] = (3,) * 13,
    channels: Sequence[int] = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024),
    classes: int = 1000,
    input_shape: Shape = IMAGE,
) -> Graph:
    """MobileNet v1: the stem and 13 separable convs. The stem has the kernel of the first of them."""
    strides = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
    kernels = per_block("kernels", kernels, len(strides))
    channels = per_block("channels", channels, len(strides) + 1)
    b = Builder("mobilenetv1", input_shape)
    x = b.bn_act(b.conv(b.input, "conv1", channels[0], kernels[0], 2), "conv1")
    for i, stride in enumerate(strides):
        x = b.bn_act(b.dwconv(x, f"dwconv{i + 2}.1", kernels[i], stride), f"dwconv{i + 2}.1")
        x = b.bn_act(b.conv(x, f"conv{i + 2}.2", channels[i + 1], 1), f"conv{i + 2}.2")
    b.fc(b.flat(x), "fc3", classes)
    return b.graph()


def mobilenetv2(
    kernels: Sequence[int] = (3,) * 17,
    channels: Sequence[int] = (16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320),
    mid: Sequence[int] = (32, 96, *(144,) * 2, *(192,) * 3, *(384,) * 4, *(576,) * 3, *(960,) * 3),
    stem: int = 32,
    head: int = 1280,
    classes: int = 1000,
    input_shape: Shape = IMAGE,
) -> Graph:
    """MobileNet v2: 17 inverted residuals with their `kernels`, output `channels` and `mid` widths.

    The stem has the kernel of the first block.
    """
    strides = (1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1)
    b = Builder("mobilenetv2", input_shape)
    kernels = per_block("kernels", kernels, len(strides))
    x = b.bn_act(b.conv(b.input, "conv1", stem, kernels[0], 2), "conv1", "relu6")
    x = _inverted_residuals(b, x, 2, strides, kernels, channels, mid, act="relu6")
    x = b.bn_act(b.conv(x, "conv19.1", head, 1), "conv19")
    b.fc(b.flat(x), "fc21", classes)
    return b.graph()


def mnasnet(
    kernels: Sequence[int] = (3, 3, 5, 5, 5, 3, 3, 3, 3, 3, 3, 5, 5, 5),
    channels: Sequence[int] = (24, 24, 40, 40, 80, 80, 80, 80, 112, 112, 160, 160, 160, 320),
    mid: Sequence[int] = (96, 144, 72, 120, 120, *(480,) * 4, *(672,) * 2, *(960,) * 3),
    classes: int = 1000,
    input_shape: Shape = IMAGE,
) -> Graph:
    """MnasNet: 14 inverted residuals, eight of them with squeeze-and-excite."""
    strides = (2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1)
    b = Builder("mnasnet", input_shape)
    x = b.bn_act(b.conv(b.input, "conv1", 32, 3, 2), "conv1")
    x = b.bn_act(b.dwconv(x, "dwconv2", 3), "dwconv2")
    x = b.bn_act(b.conv(x, "conv3", 16, 1), "conv3", "")
    gated = {2, 3, 4, *range(9, 14)}
    x = _inverted_residuals(b, x, 4, strides, kernels, channels, mid, act="relu", gated=gated)
    x = b.bn_act(b.conv(x, "conv18", 1280, 1), "conv18")
    b.fc(b.flat(x), "fc20", classes)
    return b.graph()


def proxylessnas(
    kernels: Sequence[int] = (3, 5, 3, 7, 3, 5, 5, 7, 5, 5, 5, 5, 5, 5, 5, 7, 7, 7, 7, 7),
    channels: Sequence[int] = (16, *(32,) * 2, *(40,) * 4, *(80,) * 4, *(96,) * 4, *(192,) * 4, 320),
    mid: Sequence[int] = (
        *(32, 48, 96, 96, 120, 120, 120, 240, 240, 240),
        *(240, 480, 288, 288, 288, 576, 1152, 576, 576, 1152),
    ),
    classes: int = 1000,
    input_shape: Shape = IMAGE,
) -> Graph:
    """ProxylessNAS (mobile): 20 inverted residuals."""
    strides = (1, 2, 1, 2, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
    b = Builder("proxylessnas", input_shape)
    x = b.bn_act(b.conv(b.input, "conv1", 32, 3, 2), "conv1", "relu6")
    x = _inverted_residuals(b, x, 2, strides, kernels, channels, mid, act="relu6")
    x = b.bn_act(b.conv(x, "conv22", 1280, 1), "conv22")
    b.fc(b.flat(x), "fc24", classes)
    return b.graph()


_V3_LARGE = {
    "strides": (1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1),
    "kernels": (3, 3, 3, 5, 5, 5, 3, 3, 3, 3, 3, 3, 5, 5, 5),
    "channels": (16, 24, 24, 40, 40, 40, 80, 80, 80, 80, 112, 112, 160, 160, 160),
    "mid": (16, 64, 72, 72, 120, 120, 240, 200, 184, 184, 480, 672, 672, 960, 960),
    "gated": (3, 4, 5, 10, 11, 12, 13, 14),
    "plain": (0, 1, 2, 3, 4, 5),
    "head": (1280,),
}
_V3_SMALL = {
    "strides": (2, 2, 1, 2, 1, 1, 1, 1, 2, 1, 1),
    "kernels": (3, 3, 3, 5, 5, 5, 5, 5, 5, 5, 5),
    "channels": (16, 24, 24, 40, 40, 40, 48, 48, 96, 96, 96),
    "mid": (16, 72, 88, 96, 240, 240, 120, 144, 288, 576, 576),
    "gated": (0, 3, 4, 5, 6, 7, 8, 9, 10),
    "plain": (0, 1, 2),
    "head": (1024,),
}
V3_VARIANTS = {"large": _V3_LARGE, "small": _V3_SMALL}


def mobilenetv3(
    variant: str = "large",
    kernels: Sequence[int] | None = None,
    channels: Sequence[int] | None = None,
    mid: Sequence[int] | None = None,
    classes: int = 1000,
    input_shape: Shape = IMAGE,
) -> Graph:
    """MobileNet v3: `variant` is ``large`` (15 inverted residuals) or ``small`` (11)."""
    if variant not in V3_VARIANTS:
        raise PredictorError(f"mobilenetv3 has the variants large and small, got {variant!r}")
    base = V3_VARIANTS[variant]
    b = Builder(f"mobilenetv3{variant}", input_shape)
    x = b.bn_act(b.conv(b.input, "conv1", 16, 3, 2), "conv1", "hswish")
    x = _inverted_residuals(
        b,
        x,
        2,
        base["strides"],
        kernels or base["kernels"],
        channels or base["channels"],
        mid or base["mid"],
        act="hswish",
        gated=set(base["gated"]),
        plain=set(base["plain"]),
        number_adds=True,
    )
    number = len(base["strides"]) + 2
    x = b.bn_act(b.conv(x, f"conv{number}.1", base["head"][0], 1), f"conv{number}", "hswish")
    b.fc(b.flat(x), f"fc{number + 2}", classes)
    return b.graph()


def _inverted_residuals(
    b: Builder,
    x: str,
    first: int,
    strides: Sequence[int],
    kernels: Sequence[int],
    channels: Sequence[int],
    mid: Sequence[int],
    act: str,
    gated: set[int] | frozenset[int] = frozenset(),
    plain: set[int] | frozenset[int] = frozenset(),
    number_adds: bool = False,
) -> str:
    """Add inverted residuals, named from layer `first` on.

    Blocks in `gated` have squeeze-and-excite, those in `plain` have relu instead of `act`.
    """
    blocks = len(strides)
    kernels = per_block("kernels", kernels, blocks)
    channels = per_block("channels", channels, blocks)
    mid = per_block("mid", mid, blocks)
    for i in range(blocks):
        stem, block_act = f"layer{first + i}", "relu" if i in plain else act
        y = b.bn_act(b.conv(x, f"{stem}.1.conv", mid[i], 1), f"{stem}.1", block_act)
        y = b.bn_act(b.dwconv(y, f"{stem}.2.dwconv", kernels[i], strides[i]), f"{stem}.2", "")
        if i in gated:
            y = b.squeeze_excite(y)
        y = b.act(y, f"{stem}.2", block_act)
        y = b.bn_act(b.conv(y, f"{stem}.3.conv", channels[i], 1), f"{stem}.3", "")
        if strides[i] == 1 and b.shape(x) == b.shape(y):
            y = b.op("add", b.numbered("add") if number_adds else f"{stem}.add", y, x)
        x = y
    return x


_SHUFFLE_STAGES = (4, 8, 4)


def shufflenetv2(
    kernels: Sequence[int] = (3,) * 16,
    half: Sequence[int] = (*(58,) * 4, *(116,) * 8, *(232,) * 4),
    mid: Sequence[int] | None = None,
    stem: int = 24,
    head: int = 1024,
    classes: int = 1000,
    input_shape: Shape = IMAGE,
) -> Graph:
    """ShuffleNet v2: 16 units.

    `half` are the channels of one branch, `mid` those inside it (the same by default). The stem has
    the kernel of the first unit.
    """
    blocks = sum(_SHUFFLE_STAGES)
    kernels = per_block("kernels", kernels, blocks)
    half = per_block("half", half, blocks)
    mid = per_block("mid", mid or half, blocks)
    b = Builder("shufflenetv2", input_shape)
    x = b.bn_act(b.conv(b.input, "conv1", stem, kernels[0], 2), "conv1")
    x = b.pool(x, "maxpool", "conv1.maxpool", 3, 2)
    downs = {0, _SHUFFLE_STAGES[0], _SHUFFLE_STAGES[0] + _SHUFFLE_STAGES[1]}
    for i in range(blocks):
        name, stride = f"layer{i + 2}", 2 if i in downs else 1
        kept, work = "", x
        if stride == 2:
            kept = b.bn_act(b.dwconv(x, f"{name}.1_1.dwconv", kernels[i], 2), f"{name}.1_1", "")
            kept = b.bn_act(b.conv(kept, f"{name}.2_1.conv", half[i], 1), f"{name}.2_1")
        else:
            split = b.op("split", b.numbered("split"), x, axis=3, sizes=(b.shape(x)[-1] // 2,) * 2)
            work, kept = f"{split}:0", f"{split}:1"
        work = b.bn_act(b.conv(work, f"{name}.1_2.conv", mid[i], 1), f"{name}.1_2")
        work = b.bn_act(b.dwconv(work, f"{name}.2_2.dwconv", kernels[i], stride), f"{name}.2_2", "")
        work = b.bn_act(b.conv(work, f"{name}.3_2.conv", half[i], 1), f"{name}.3_2")
        x = _shuffle(b, b.concat((kept, work) if stride == 2 else (work, kept)))
    x = b.bn_act(b.conv(x, "conv18.1", head, 1), "conv18")
    b.fc(b.flat(x), "fc19", classes)
    return b.graph()


def _shuffle(b: Builder, x: str) -> str:
    n, h, w, c = b.shape(x)
    grouped = b.reshape(x, b.unique("shuffle.reshape"), (n, h, w, 2, c // 2))
    mixed = b.op("transpose", b.unique("shuffle.transpose"), grouped, perm=(0, 1, 2, 4, 3))
    return b.reshape(mixed, b.unique("shuffle.reshape2"), (n, h, w, c))
