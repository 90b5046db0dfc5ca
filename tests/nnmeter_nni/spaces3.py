"""Model spaces for NNI 3.0."""

from __future__ import annotations

from typing import Any

import nni
import torch
from nni.nas.nn.pytorch import (
    Cell,
    InputChoice,
    LayerChoice,
    ModelSpace,
    MutableConv2d,
    MutableLinear,
    Repeat,
    layers,
)


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


class NniCells(ModelSpace):
    """NNI's cells: two that share their choices and one of its own, whose second candidate may be a cell."""

    def __init__(self, merge_op: str, nested: bool) -> None:
        super().__init__()
        self.stem = layers.Conv2d(3, 8, 3, padding=1)
        self.cells = torch.nn.ModuleList([_nni_cell(label, merge_op, nested) for label in ("a", "a", "b")])
        self.mixes = torch.nn.ModuleList([layers.Conv2d(1, 8, 1) for _ in self.cells])
        self.fc = layers.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for cell, mix in zip(self.cells, self.mixes):
            # Whatever number of nodes is concatenated.
            x = mix(cell([x]).mean(1, keepdim=True))
        return self.fc(x.mean([2, 3]))


def _nni_cell(label: str, merge_op: str, nested: bool) -> Any:
    second = InnerCell(label) if nested else layers.Conv2d(8, 8, 1)
    candidates = {"conv": layers.Conv2d(8, 8, 3, padding=1), "second": second}
    return Cell(candidates, num_nodes=3, merge_op=merge_op, label=label)  # type: ignore[arg-type]


class InnerCell(ModelSpace):
    """A cell of one node inside a cell."""

    def __init__(self, label: str) -> None:
        super().__init__()
        inner = [layers.ReLU(), layers.Conv2d(8, 8, 5, padding=2)]
        self.cell = Cell(inner, num_nodes=1, label=f"{label}_inner")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.cell([x])


class Inputs(ModelSpace):
    """Input choices: one of three, and two of three."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = layers.Conv2d(3, 8, 3, padding=1)
        self.wide = layers.Conv2d(8, 8, 5, padding=2)
        self.one = InputChoice(n_candidates=3, n_chosen=1, label="one")
        self.two = InputChoice(n_candidates=3, n_chosen=2, label="two")
        self.fc = layers.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        y = self.wide(x)
        y = self.one([x, y, torch.relu(y)])
        return self.fc(self.two([x, y, torch.sigmoid(y)]).mean([2, 3]))


class AnyInputs(ModelSpace):
    """An input choice of any number of two."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = layers.Conv2d(3, 8, 3, padding=1)
        self.wide = layers.Conv2d(8, 8, 5, padding=2)
        self.any = InputChoice(n_candidates=2, n_chosen=None, label="any")
        self.fc = LayerChoice([layers.Linear(8, 10), layers.Linear(8, 10, bias=False)], label="fc")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        return self.fc(torch.relu(self.any([x, self.wide(x)])).mean([2, 3]))


class Kernels(ModelSpace):
    """A chain of convs of three kernel sizes."""

    def __init__(self, length: int = 8) -> None:
        super().__init__()
        self.stem = layers.Conv2d(3, 8, 3, padding=1)
        self.blocks = torch.nn.Sequential(
            *[
                LayerChoice(
                    [
                        torch.nn.Sequential(layers.Conv2d(8, 8, size, padding=size // 2), layers.ReLU())
                        for size in (1, 3, 5)
                    ],
                    label=f"k{index}",
                )
                for index in range(length)
            ]
        )
        self.fc = layers.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.blocks(self.stem(x)).mean([2, 3]))
