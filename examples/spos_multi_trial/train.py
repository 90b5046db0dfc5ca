"""What a trial does: build the candidate, train it for a few steps on the CPU, report its accuracy."""

from __future__ import annotations

from collections.abc import Callable

import data
import nni
import torch
from torch import nn

BATCH = 64


def evaluate(
    model_class: Callable[[], nn.Module], dataset: str, folder: str | None, epochs: int, samples: int
) -> None:
    """Train a candidate and report its accuracy on held-out images to NNI.

    Parameters
    ----------
    model_class : callable
        Makes the candidate.
    dataset, folder : str
        See `data.load`.
    epochs, samples : int
        Passes over the training images, and how many of those to use.
    """
    torch.manual_seed(0)
    torch.set_num_threads(1)
    (train_x, train_y), (test_x, test_y) = data.load(dataset, folder)
    train_x, train_y = train_x[:samples], train_y[:samples]
    model = model_class()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    batches = -(-len(train_y) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * batches)
    for _ in range(epochs):
        model.train()
        for chosen in torch.randperm(len(train_y)).split(BATCH):
            loss = nn.functional.cross_entropy(model(train_x[chosen]), train_y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        nni.report_intermediate_result(accuracy(model, test_x, test_y))
    nni.report_final_result(accuracy(model, test_x, test_y))


@torch.no_grad()
def accuracy(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    """Share of images that a model classifies as labelled."""
    model.eval()
    right = sum(int((model(x[i : i + 256]).argmax(1) == y[i : i + 256]).sum()) for i in range(0, len(y), 256))
    return right / len(y)
