"""A small space for NNI 2.10 and a trial that takes no time."""

from __future__ import annotations

import nni
import torch
from nni.retiarii import model_wrapper
from nni.retiarii.nn import pytorch as nn


@model_wrapper
class SmallSpace(nn.Module):
    """Three choices, 18 candidates."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 3, padding=1)
        self.first = nn.LayerChoice(
            [
                nn.Conv2d(channels, channels, 3, padding=1),
                nn.Conv2d(channels, channels, 5, padding=2),
                nn.Identity(),
            ],
            label="first",
        )
        self.second = nn.LayerChoice(
            [nn.Conv2d(channels, channels, 3, padding=1), nn.MaxPool2d(3, 1, 1)], label="second"
        )
        self.third = nn.LayerChoice(
            [
                nn.Conv2d(channels, channels, 3, padding=1),
                nn.MaxPool2d(3, 1, 1),
                nn.Conv2d(channels, channels, 1),
            ],
            label="third",
        )
        self.fc = nn.Linear(channels, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = x + self.first(x)
        x = torch.relu(self.second(x))
        return self.fc(self.third(x).mean([2, 3]))


def evaluate(model_class: type) -> None:
    """Report the number of weights."""
    nni.report_final_result(float(sum(one.numel() for one in model_class().parameters())))
