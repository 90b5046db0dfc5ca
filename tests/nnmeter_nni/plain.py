"""Plain modules: candidates for tests that need no NNI."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

SHAPE = (1, 3, 32, 32)


def chain(*widths: int) -> nn.Sequential:
    """Return convs of the given widths, a pool and a classifier."""
    layers: list[nn.Module] = []
    channels = 3
    for width in widths:
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


class Failing(nn.Module):
    """A module whose forward fails."""

    def forward(self, x: torch.Tensor) -> Any:
        raise RuntimeError("this candidate is broken")
