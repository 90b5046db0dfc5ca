"""Model spaces for NNI 3.0."""

from __future__ import annotations

import nni
import torch
from nni.nas.nn.pytorch import LayerChoice, ModelSpace, MutableConv2d, MutableLinear, Repeat, layers


class Mixed(ModelSpace):
    """Layer choices of all kinds: convs, identity, pools, activations; a residual."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.stem = layers.Conv2d(3, channels, 3, padding=1)
        self.first = LayerChoice(
            [
                layers.Conv2d(channels, channels, 3, padding=1),
                layers.Conv2d(channels, channels, 5, padding=2),
                layers.Identity(),
            ],
            label="first",
        )
        self.second = LayerChoice(
            {
                "pool": layers.MaxPool2d(3, 1, 1),
                "block": torch.nn.Sequential(
                    layers.Conv2d(channels, channels, 1), layers.BatchNorm2d(channels), layers.Hardswish()
                ),
            },
            label="second",
        )
        self.act = LayerChoice([layers.ReLU(), layers.Identity(), layers.Sigmoid()], label="act")
        self.fc = layers.Linear(2 * channels, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = x + self.first(x)
        x = torch.cat([x, self.act(self.second(x))], 1)
        return self.fc(x.mean([2, 3]))


class Widths(ModelSpace):
    """A width, a depth and a layer choice."""

    def __init__(self) -> None:
        super().__init__()
        width = nni.choice("width", [8, 16, 24])
        self.stem = MutableConv2d(3, width, 3, padding=1)
        depth = nni.choice("depth", [1, 2, 3])
        self.body = Repeat(lambda index: MutableConv2d(width, width, 3, padding=1), depth)
        self.tail = LayerChoice([torch.nn.ReLU(), torch.nn.Identity()], label="tail")
        self.fc = MutableLinear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.tail(self.body(self.stem(x))).mean([2, 3]))
