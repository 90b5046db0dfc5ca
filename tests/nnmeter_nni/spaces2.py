"""Model spaces for NNI 2.10."""

from __future__ import annotations

import random
from typing import Any

import torch
from nni.retiarii import model_wrapper
from nni.retiarii.nn import pytorch as nn


@model_wrapper
class Mixed(nn.Module):
    """Layer choices of all kinds: convs, identity, pools, activations; residuals; a nested choice."""

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
            {
                "pool": nn.MaxPool2d(3, 1, 1),
                "block": nn.Sequential(
                    nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels), nn.Hardswish()
                ),
            },
            label="second",
        )
        self.act = nn.LayerChoice([nn.ReLU(), nn.Identity(), nn.Sigmoid()], label="act")
        self.fc = nn.Linear(2 * channels, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = x + self.first(x)
        y = self.act(self.second(x))
        x = torch.cat([x, y], 1)
        left, right = torch.chunk(x, 2, 1)
        x = torch.cat([right, left], 1).permute(0, 2, 3, 1).permute(0, 3, 1, 2)
        x = nn.functional.relu(x)
        return self.fc(torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1))


@model_wrapper
class Chain(nn.Module):
    """Random chain of layer choices, some with identities, some inside residuals, some nested."""

    def __init__(self, seed: int, length: int) -> None:
        super().__init__()
        rng = random.Random(seed)
        channels = rng.choice([4, 8])
        self.residual = [rng.random() < 0.4 for _ in range(length)]
        self.stem = nn.Conv2d(3, channels, 3, padding=1)
        self.blocks = nn.ModuleList([_choice(rng, channels, f"c{i}", depth=0) for i in range(length)])
        self.fc = nn.Linear(channels, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for block, residual in zip(self.blocks, self.residual):
            x = x + block(x) if residual else block(x)
        return self.fc(x.mean([2, 3]))


def _choice(rng: random.Random, channels: int, label: str, depth: int) -> Any:
    makers: list[Any] = [
        lambda: nn.Identity(),
        lambda: nn.ReLU(),
        lambda: nn.BatchNorm2d(channels),
        lambda: nn.Conv2d(channels, channels, rng.choice([1, 3, 5]), padding="same"),
        lambda: nn.Sequential(nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels), nn.ReLU()),
        lambda: nn.MaxPool2d(3, 1, 1),
        lambda: nn.Sigmoid(),
        lambda: Gate(channels),
    ]
    candidates = []
    for index in range(rng.randint(2, 4)):
        if depth == 0 and rng.random() < 0.25:
            inner = _choice(rng, channels, f"{label}_{index}", depth=1)
            candidates.append(rng.choice([inner, nn.Sequential(inner, nn.ReLU())]))
        else:
            candidates.append(rng.choice(makers)())
    return nn.LayerChoice(candidates, label=label)


class Gate(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, channels // 4, 1)
        self.up = nn.Conv2d(channels // 4, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate = nn.functional.adaptive_avg_pool2d(x, 1)
        return x * torch.sigmoid(self.up(torch.relu(self.down(gate))))


@model_wrapper
class Widths(nn.Module):
    """Value choices of channels, an input choice and a repeat."""

    def __init__(self) -> None:
        super().__init__()
        width = nn.ValueChoice([8, 16, 24], label="width")
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.Repeat(lambda index: nn.Conv2d(width, width, 3, padding=1), (1, 3), label="depth")
        self.pick = nn.InputChoice(n_candidates=2, n_chosen=1, label="pick")
        self.fc = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = self.pick([x, self.body(x)])
        return self.fc(x.mean([2, 3]))


@model_wrapper
class Inputs(nn.Module):
    """Input choices: any number of two, and two of three."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.wide = nn.Conv2d(8, 8, 5, padding=2)
        self.any = nn.InputChoice(n_candidates=2, n_chosen=None, label="any")
        self.two = nn.InputChoice(n_candidates=3, n_chosen=2, label="two")
        self.fc = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        y = self.any([x, self.wide(x)])
        return self.fc(self.two([x, y, torch.sigmoid(y)]).mean([2, 3]))


@model_wrapper
class Kernels(nn.Module):
    """A chain of convs of three kernel sizes."""

    def __init__(self, length: int = 8) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.blocks = nn.Sequential(
            *[
                nn.LayerChoice(
                    [
                        nn.Sequential(nn.Conv2d(8, 8, size, padding=size // 2), nn.ReLU())
                        for size in (1, 3, 5)
                    ],
                    label=f"k{index}",
                )
                for index in range(length)
            ]
        )
        self.fc = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.blocks(self.stem(x)).mean([2, 3]))


@model_wrapper
class Cells(nn.Module):
    """Cells of four nodes, each the sum of a choice on every earlier one, with convs between the cells."""

    def __init__(self, cells: int = 2) -> None:
        super().__init__()
        self.stem = nn.ModuleList([nn.Conv2d(3 if i == 0 else 8, 8, 1) for i in range(cells)])
        self.edges = nn.ModuleList(
            [
                nn.ModuleDict({f"{i}{j}": _edge(f"c{cell}e{i}{j}") for j in range(1, 4) for i in range(j)})
                for cell in range(cells)
            ]
        )
        self.fc = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for stem, edges in zip(self.stem, self.edges):
            nodes = [stem(x)]
            for j in range(1, 4):
                total = edges[f"0{j}"](nodes[0])
                for i in range(1, j):
                    total = total + edges[f"{i}{j}"](nodes[i])
                nodes.append(total)
            x = nodes[-1]
        return self.fc(x.mean([2, 3]))


def _edge(label: str) -> Any:
    return nn.LayerChoice(
        [
            nn.Sequential(nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1)),
            nn.Sequential(nn.ReLU(), nn.Conv2d(8, 8, 1)),
            nn.AvgPool2d(3, 1, 1),
        ],
        label=label,
    )


@model_wrapper
class NniCells(nn.Module):
    """NNI's cells: two that share their choices and one of its own, whose second candidate may be a cell."""

    def __init__(self, merge_op: str, nested: bool) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.cells = nn.ModuleList([_nni_cell(label, merge_op, nested) for label in ("a", "a", "b")])
        self.mixes = nn.ModuleList([nn.Conv2d(1, 8, 1) for _ in self.cells])
        self.fc = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for cell, mix in zip(self.cells, self.mixes):
            # Whatever number of nodes is concatenated.
            x = mix(cell([x]).mean(1, keepdim=True))
        return self.fc(x.mean([2, 3]))


def _nni_cell(label: str, merge_op: str, nested: bool) -> Any:
    def second(node: int, op: int, source: Any) -> Any:
        if nested:
            return InnerCell(label)
        return nn.Conv2d(8, 8, 1)

    candidates = {"conv": lambda node, op, source: nn.Conv2d(8, 8, 3, padding=1), "second": second}
    return nn.Cell(candidates, num_nodes=3, merge_op=merge_op, label=label)  # type: ignore[arg-type]


class InnerCell(nn.Module):
    """A cell of one node inside a cell."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self.cell = nn.Cell([nn.ReLU(), nn.Conv2d(8, 8, 5, padding=2)], num_nodes=1, label=f"{label}_inner")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.cell([x])


@model_wrapper
class Peeking(nn.Module):
    """Its constructor looks at what was chosen, and builds another layer for one of the values."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.block = nn.LayerChoice([nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()], label="x")
        self.tail = nn.Conv2d(8, 8, 5, padding=2) if isinstance(self.block, nn.ReLU) else nn.Conv2d(8, 8, 1)
        self.act = nn.LayerChoice([nn.ReLU(), nn.Sigmoid()], label="act")
        self.fc = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.act(self.tail(self.block(self.stem(x)))).mean([2, 3]))
