"""Families of plain convolutions: AlexNet, VGG, SqueezeNet, GoogLeNet, DenseNet, ResNet.

The defaults are the architectures as published; the arguments are what the public measurements vary.
"""

from __future__ import annotations

from collections.abc import Sequence

from predictor_core.errors import PredictorError
from predictor_core.ir.graph import Graph, Shape
from predictor_core.zoo.builder import Builder, of_stages, per_block

IMAGE: Shape = (1, 224, 224, 3)


def alexnet(
    kernels: Sequence[int] = (11, 5, 3, 3, 3),
    channels: Sequence[int] = (64, 192, 384, 256, 256, 4096, 4096),
    classes: int = 1000,
    input_shape: Shape = IMAGE,
) -> Graph:
    """AlexNet: five convs (`kernels`), two hidden dense layers; `channels` of all seven."""
    kernels = per_block("kernels", kernels, 5)
    channels = per_block("channels", channels, 7)
    b = Builder("alexnet", input_shape)
    x = b.input
    for i in range(5):
        stem = f"conv{i + 1}"
        stride, padding = (4, "VALID") if i == 0 else (1, "SAME")
        x = b.act(b.conv(x, stem, channels[i], kernels[i], stride, padding), stem, "relu")
        if i in (0, 1, 4):
            number = {0: 1, 1: 2, 4: 3}[i]
            x = b.pool(x, "maxpool", f"maxpool{number}", 3, 2, "SAME" if i == 0 else "VALID")
    return _dense_head(b, x, channels[5:], classes)


VGG_WIDTHS = (64, 128, 256, 512, 512)
VGG_STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def vgg(
    depth: int = 16,
    kernels: Sequence[int] | None = None,
    channels: Sequence[int] | None = None,
    hidden: Sequence[int] = (4096, 4096),
    classes: int = 1000,
    input_shape: Shape = IMAGE,
) -> Graph:
    """VGG with batch norm.

    `depth` is 11, 13, 16 or 19; `kernels` and `channels` are given per conv, `hidden` per dense layer.
    """
    if depth not in VGG_STAGES:
        raise PredictorError(f"vgg has depths {sorted(VGG_STAGES)}, got {depth}")
    stages = VGG_STAGES[depth]
    kernels = per_block("kernels", kernels or (3,) * sum(stages), sum(stages))
    channels = per_block("channels", channels or of_stages(VGG_WIDTHS, stages), sum(stages))
    b = Builder(f"vgg{depth}", input_shape)
    x = b.input
    number = block = 0
    for count in stages:
        for _ in range(count):
            number += 1
            x = b.bn_act(b.conv(x, f"conv{number}", channels[block], kernels[block]), f"conv{number}")
            block += 1
        number += 1
        x = b.pool(x, "maxpool", f"max-pool{number}", 2, 2, "VALID")
    return _dense_head(b, x, per_block("hidden", hidden, 2), classes)


def squeezenet(
    kernels: Sequence[int] = (3,) * 8,
    channels: Sequence[int] = (64, 64, 128, 128, 192, 192, 256, 256),
    squeeze: Sequence[int] | None = None,
    classes: int = 1000,
    input_shape: Shape = IMAGE,
) -> Graph:
    """SqueezeNet: eight fire modules.

    `kernels` and `channels` of their wide half; `squeeze` of the narrow one, by default a quarter.
    """
    kernels = per_block("kernels", kernels, 8)
    channels = per_block("channels", channels, 8)
    squeeze = per_block("squeeze", squeeze or [width // 4 for width in channels], 8)
    b = Builder("squeezenet", input_shape)
    x = b.act(b.conv(b.input, "conv1", 96, 7, 2), "conv1", "relu")
    x = b.pool(x, "maxpool", b.unique("conv1.maxpool"), 3, 2)
    number = 2
    for i in range(8):
        number += 1
        stem = f"layer{number}"
        thin = b.act(b.conv(x, f"{stem}.1.conv", squeeze[i], 1), f"{stem}.1", "relu")
        halves = [
            b.act(b.conv(thin, f"{stem}.{j}.conv", channels[i], kernel), f"{stem}.{j}", "relu")
            for j, kernel in ((2, 1), (3, kernels[i]))
        ]
        x = b.concat(halves)
        if i in (2, 6):
            number += 1
            x = b.pool(x, "maxpool", b.unique("conv1.maxpool"), 3, 2)
    x = b.act(b.conv(x, "conv13", 512, 1), "conv13", "relu")
    b.fc(b.flat(x), "fc3", classes)
    return b.graph()


def googlenet(
    c1: Sequence[int] = (64, 128, 192, 160, 128, 112, 256, 256, 384),
    c3_reduce: Sequence[int] = (96, 128, 96, 112, 128, 144, 160, 160, 192),
    c3: Sequence[int] = (128, 192, 208, 224, 256, 288, 320, 320, 384),
    c5_reduce: Sequence[int] = (16, 32, 16, 24, 24, 32, 32, 32, 48),
    c5: Sequence[int] = (32, 96, 48, 64, 64, 64, 128, 128, 128),
    pool: Sequence[int] = (32, 64, 64, 64, 64, 64, 128, 128, 128),
    classes: int = 1000,
    input_shape: Shape = IMAGE,
) -> Graph:
    """GoogLeNet: nine inception modules.

    Channels of the 1x1, 3x3, 5x5 and pool branches, and of the reductions before the 3x3 and the 5x5.
    """
    widths = list(
        zip(*(per_block("every branch", branch, 9) for branch in (c1, c3_reduce, c3, c5_reduce, c5, pool)))
    )
    b = Builder("googlenet", input_shape)
    x = b.bn_act(b.conv(b.input, "conv1", 64, 7, 2), "conv1")
    x = b.pool(x, "maxpool", "maxpool1", 3, 2)
    x = b.bn_act(b.conv(x, "conv3", 64, 1), "conv3")
    x = b.bn_act(b.conv(x, "conv4", 192, 3), "conv4")
    number = 5
    for first, last in ((0, 2), (2, 7), (7, 9)):
        x = b.pool(x, "maxpool", f"maxpool{number}", 3, 2)
        for width in widths[first:last]:
            number += 1
            x = _inception(b, x, f"layer{number}", width)
        number += 1
    b.fc(b.flat(x), "fc3", classes)
    return b.graph()


def _inception(b: Builder, x: str, stem: str, width: Sequence[int]) -> str:
    one, three_reduce, three, five_reduce, five, pool = width

    def conv(source: str, name: str, filters: int, kernel: int) -> str:
        return b.bn_act(b.conv(source, f"{stem}.{name}.conv", filters, kernel), f"{stem}.{name}")

    branches = [
        conv(x, "1", one, 1),
        conv(conv(x, "2.1", three_reduce, 1), "2.2", three, 3),
        conv(conv(x, "3.1", five_reduce, 1), "3.2", five, 5),
    ]
    branches.append(conv(b.pool(x, "maxpool", f"{stem}.4.maxpool", 3, 1), "4", pool, 1))
    return b.concat(branches)


_DENSE_STAGES = (6, 12, 24, 16)


def densenet(
    kernels: Sequence[int] = (3,) * 58,
    growth: Sequence[int] = (32,) * 58,
    classes: int = 1000,
    input_shape: Shape = IMAGE,
) -> Graph:
    """DenseNet-121: 58 dense layers with their `kernels` and `growth`; bottlenecks are four times as wide."""
    kernels = per_block("kernels", kernels, sum(_DENSE_STAGES))
    growth = per_block("growth", growth, sum(_DENSE_STAGES))
    b = Builder("densenet", input_shape)
    x = b.bn_act(b.conv(b.input, "conv1", 64, 7, 2), "conv1")
    x = b.pool(x, "maxpool", "maxpool1", 3, 2)
    number, layer = 2, 0
    for count in _DENSE_STAGES:
        for _ in range(count):
            number += 1
            stem = f"layer{number}"
            y = b.conv(b.bn_act(x, f"{stem}.1"), f"{stem}.2.conv", 4 * growth[layer], 1)
            y = b.conv(b.bn_act(y, f"{stem}.2"), f"{stem}.3.conv", growth[layer], kernels[layer])
            x = b.concat((x, y))
            layer += 1
        halved = b.shape(x)[-1] // 2
        x = b.conv(b.bn_act(x, f"conv{number + 1}"), f"conv{number + 2}", halved, 1)
        number += 3
        x = b.pool(x, "avgpool", f"conv{number}avgpool", 2, 2)
    b.fc(b.flat(x), f"fc{number + 2}", classes)
    return b.graph()


RES_STAGES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
#: Channels that the blocks of each stage give.
RES_WIDTHS = {18: (64, 128, 256, 512), 34: (64, 128, 256, 512), 50: (256, 512, 1024, 2048)}


def resnet(
    depth: int = 50,
    kernels: Sequence[int] | None = None,
    channels: Sequence[int] | None = None,
    mid: Sequence[int] | None = None,
    classes: int = 1000,
    input_shape: Shape = IMAGE,
) -> Graph:
    """ResNet: `depth` is 18, 34 (basic blocks) or 50 (bottlenecks).

    `kernels` and `channels` (output) per block, `mid` the width inside a bottleneck (a quarter by default).
    A shortcut has a conv where the stride or the channels change.
    """
    if depth not in RES_STAGES:
        raise PredictorError(f"resnet has depths {sorted(RES_STAGES)}, got {depth}")
    stages = RES_STAGES[depth]
    blocks, bottleneck = sum(stages), depth == 50
    strides = [2 if stage and not i else 1 for stage, count in enumerate(stages) for i in range(count)]
    kernels = per_block("kernels", kernels or (3,) * blocks, blocks)
    channels = per_block("channels", channels or of_stages(RES_WIDTHS[depth], stages), blocks)
    mid = per_block("mid", mid or [width // (4 if bottleneck else 1) for width in channels], blocks)
    b = Builder(f"resnet{depth}", input_shape)
    x = b.bn_act(b.conv(b.input, "conv1", 64, 7, 2), "conv1")
    x = b.pool(x, "maxpool", "maxpool1", 3, 2)
    for i in range(blocks):
        stem = f"layer{i + 3}"
        if bottleneck:
            convs = [(mid[i], 1, 1), (mid[i], kernels[i], strides[i]), (channels[i], 1, 1)]
        else:
            convs = [(channels[i], kernels[i], strides[i]), (channels[i], kernels[i], 1)]
        y = x
        for j, (filters, kernel, stride) in enumerate(convs, start=1):
            act = "relu" if j < len(convs) else ""
            y = b.bn_act(b.conv(y, f"{stem}.{j}.conv", filters, kernel, stride), f"{stem}.{j}", act)
        if strides[i] != 1 or b.shape(x)[-1] != channels[i]:
            x = b.bn_act(b.conv(x, f"{stem}.0.conv", channels[i], 1, strides[i]), f"{stem}.0", "")
        x = b.act(b.op("add", b.numbered("add"), y, x), f"{stem}.4", "relu")
    b.fc(b.flat(x), f"fc{blocks + 5}", classes)
    return b.graph()


def _dense_head(b: Builder, x: str, hidden: Sequence[int], classes: int) -> Graph:
    x = b.flat(x)
    for i, width in enumerate(hidden, start=1):
        x = b.act(b.fc(x, f"fc{i}", width), f"fc{i}", "relu")
    b.fc(x, "fc3", classes)
    return b.graph()
