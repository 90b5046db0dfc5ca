"""The single-path one-shot space: ShuffleNetV2 with 20 choice blocks of 4 candidates each."""

from __future__ import annotations

import torch
from nni.retiarii import model_wrapper
from nni.retiarii.nn import pytorch as nn

STAGE_CHANNELS = (64, 160, 320, 640)
STAGE_BLOCKS = (4, 4, 8, 4)
CANDIDATES = ("k3", "k5", "k7", "xception")


class ShuffleUnit(nn.Module):
    """A ShuffleNetV2 unit: half of the channels pass by, the others go through the main branch.

    With stride 2 all channels go through both branches, and the map is halved.
    """

    def __init__(self, channels_in: int, channels_out: int, kind: str, stride: int) -> None:
        super().__init__()
        self.stride = stride
        side = channels_in if stride == 2 else channels_in // 2
        middle = channels_out // 2
        kernel = 3 if kind == "xception" else int(kind[1:])
        self.main = nn.Sequential(*_main_branch(side, middle, channels_out - side, kernel, stride, kind))
        if stride == 2:
            self.side = nn.Sequential(*_depthwise(side, kernel, 2), *_pointwise(side, side))
        else:
            self.side = nn.Sequential()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run the unit."""
        if self.stride == 2:
            left, right = self.side(x), x
        else:
            left, right = torch.chunk(x, 2, 1)
        joined = torch.cat((left, self.main(right)), 1)
        n, c, h, w = joined.size()
        return joined.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def _main_branch(
    channels: int, middle: int, out: int, kernel: int, stride: int, kind: str
) -> list[nn.Module]:
    if kind != "xception":
        return [*_pointwise(channels, middle), *_depthwise(middle, kernel, stride), *_pointwise(middle, out)]
    return [
        *_depthwise(channels, kernel, stride),
        *_pointwise(channels, middle),
        *_depthwise(middle, kernel, 1),
        *_pointwise(middle, middle),
        *_depthwise(middle, kernel, 1),
        *_pointwise(middle, out),
    ]


def _pointwise(channels_in: int, channels_out: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels_in, channels_out, 1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    ]


def _depthwise(channels: int, kernel: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
    ]


@model_wrapper
class SposSpace(nn.Module):
    """Stem, 20 choice blocks in 4 stages, head. Each block has the label ``block_0`` ... ``block_19``."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        channels = 16
        self.stem = nn.Sequential(
            nn.Conv2d(3, channels, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )
        blocks = []
        for stage_channels, count in zip(STAGE_CHANNELS, STAGE_BLOCKS):
            for index in range(count):
                stride = 2 if index == 0 else 1
                choices = {kind: ShuffleUnit(channels, stage_channels, kind, stride) for kind in CANDIDATES}
                blocks.append(nn.LayerChoice(choices, label=f"block_{len(blocks)}"))
                channels = stage_channels
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Sequential(*_pointwise(channels, 1024))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.1)
        self.classifier = nn.Linear(1024, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run the first candidate of every block; NNI puts the chosen ones in their place."""
        x = self.last(self.blocks(self.stem(x)))
        x = self.dropout(torch.flatten(self.pool(x), 1))
        return self.classifier(x)
