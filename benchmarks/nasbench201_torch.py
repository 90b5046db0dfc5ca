"""The networks of NAS-Bench-201 as they were measured in PyTorch: every edge is computed.

Dong and Yang, "NAS-Bench-201: Extending the scope of reproducible neural architecture search" (ICLR 2020):
16 channels, 5 cells a stage, inputs of 32 x 32. An edge ``none`` multiplies by zero.
"""

from __future__ import annotations

import torch
from torch import nn

CHANNELS, CELLS = 16, 5


def network(arch: str) -> nn.Module:
    """Build the network of an architecture string such as ``|nor_conv_3x3~0|+|...|+|...|``."""
    return Network(arch).eval()


class Zero(nn.Module):
    """An edge that is computed and adds nothing."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return x.mul(0.0)


def convolution(channels_in: int, channels: int, window: int, stride: int = 1) -> nn.Module:
    conv = nn.Conv2d(channels_in, channels, window, stride, window // 2, bias=False)
    return nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(channels))


def edge(name: str, channels: int) -> nn.Module:
    if name == "none":
        return Zero()
    if name == "skip_connect":
        return nn.Identity()
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    return convolution(channels, channels, {"nor_conv_1x1": 1, "nor_conv_3x3": 3}[name])


class Cell(nn.Module):
    """Nodes that sum up edges from the nodes before them."""

    def __init__(self, arch: str, channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList()
        self.nodes: list[list[tuple[int, int]]] = []
        for node in arch.split("+"):
            reads = []
            for text in node.strip("|").split("|"):
                name, source = text.split("~")
                reads.append((len(self.edges), int(source)))
                self.edges.append(edge(name, channels))
            self.nodes.append(reads)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        states = [x]
        for reads in self.nodes:
            states.append(sum(self.edges[i](states[source]) for i, source in reads))
        return states[-1]


class Reduction(nn.Module):
    """The residual block between stages."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            convolution(channels_in, channels, 3, 2), convolution(channels, channels, 3)
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(channels_in, channels, 1, bias=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return self.shortcut(x) + self.main(x)


class Network(nn.Module):
    """Stem, three stages of cells, classifier."""

    def __init__(self, arch: str) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(3, CHANNELS, 3, 1, 1, bias=False),
            nn.BatchNorm2d(CHANNELS),
        ]
        for stage in range(3):
            channels = CHANNELS << stage
            if stage:
                layers.append(Reduction(channels // 2, channels))
            layers += [Cell(arch, channels) for _ in range(CELLS)]
        last = [nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        self.layers = nn.Sequential(*layers, *last, nn.Linear(channels, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return self.layers(x)
