"""Inputs of exported programs: what they state, and what fills the dimensions that they leave open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from predictor_core.ir.inputs import GivenShapes, InputShapes


class ProgramInput(NamedTuple):
    """An input of an exported program.

    Parameters
    ----------
    name : str
        Its name.
    stated : tuple of int or str
        Its shape; the text of an open dimension is that of every dimension that is equal to it.
    example : Tensor
        Meta tensor with the shape that the program was exported with.
    """

    name: str
    stated: tuple[int | str, ...]
    example: torch.Tensor


def inputs_of(program: torch.export.ExportedProgram) -> list[ProgramInput]:
    """Return the inputs of a program that torch has loaded; none where some are no tensors."""
    wanted = set(program.graph_signature.user_inputs)
    found = [
        (node.name, node.meta["val"])
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in wanted
    ]
    if not all(isinstance(value, torch.Tensor) for _, value in found):
        return []
    return [
        ProgramInput(
            name,
            tuple([size if isinstance(size, int) else str(size.node.expr) for size in value.shape]),
            torch.empty([_example(size) for size in value.shape], dtype=value.dtype, device="meta"),
        )
        for name, value in found
    ]


def _example(size: int | torch.SymInt) -> int:
    """Return a dimension as it was in the export; to ask for its number would settle it in the program."""
    return size if isinstance(size, int) else int(size.node.hint)


def fill(
    inputs: Sequence[ProgramInput], input_shape: GivenShapes
) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    """Return meta tensors by the names of inputs, and what was assumed of their shapes.

    An open batch is 1; where no shapes are given, other open dimensions have the sizes of the example.

    Raises
    ------
    ModelFormatError
        When `input_shape` does not fit.
    """
    given = InputShapes(input_shape, [one.name for one in inputs], channels_last=False)
    for one in inputs:
        given.bind(one.name, one.stated)
    tensors = {}
    for name, stated, example in inputs:
        if input_shape is None and any(isinstance(dim, str) for dim in stated[1:]):
            stated = (stated[0], *example.shape[1:])
            given.warnings.append(
                f"input {name!r} leaves dimensions open; those of its example are taken: "
                f"{list(stated[1:])} behind the batch (input_shape sets others)"
            )
        shape = given.resolve(name, stated)
        tensors[name] = torch.empty(shape, dtype=example.dtype, device="meta")
    given.check_all_used()
    return tensors, tuple(given.warnings)
