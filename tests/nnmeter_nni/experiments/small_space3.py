"""A small space for NNI 3.0 and a trial that takes no time."""

from __future__ import annotations

import nni
import torch
from nni.nas.nn.pytorch import LayerChoice, ModelSpace, layers
from torch import nn


class SmallSpace(ModelSpace):
    """Three choices, 18 candidates."""

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
            [layers.Conv2d(channels, channels, 3, padding=1), layers.MaxPool2d(3, 1, 1)], label="second"
        )
        self.third = LayerChoice(
            [
                layers.Conv2d(channels, channels, 3, padding=1),
                layers.MaxPool2d(3, 1, 1),
                layers.Conv2d(channels, channels, 1),
            ],
            label="third",
        )
        self.fc = layers.Linear(channels, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = x + self.first(x)
        x = torch.relu(self.second(x))
        return self.fc(self.third(x).mean([2, 3]))


def evaluate(model: nn.Module) -> None:
    """Report the number of weights."""
    nni.report_final_result(float(sum(one.numel() for one in model.parameters())))
