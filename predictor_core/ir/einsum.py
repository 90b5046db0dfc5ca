"""A product in Einstein's notation as transposes, reshapes and one matrix product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

from predictor_core.ir.graph import Shape


class Step(NamedTuple):
    """One op of a plan: it reads operands (0, 1) or results of earlier steps (2, 3, ...)."""

    op: str
    reads: tuple[int, ...]
    attrs: Mapping[str, Any]
    output: Shape


def plan(equation: str, shapes: Sequence[Shape]) -> list[Step] | None:
    """Return the steps that compute an explicit equation of two operands.

    Parameters
    ----------
    equation : str
        Such as ``"bhid,bhjd->bhij"``.
    shapes : sequence of tuple of int
        Shapes of the operands.

    Returns
    -------
    list of Step or None
        None where it is no single matrix product: implicit output, an ellipsis, a repeated letter, a sum
        over one operand alone, nothing to sum over, or other than two operands.
    """
    terms, arrow, out = equation.replace(" ", "").partition("->")
    left, comma, right = terms.partition(",")
    whole = left + right + out
    if not arrow or not comma or not whole.isalpha() or len(shapes) != 2:
        return None
    if any(len(set(term)) != len(term) for term in (left, right, out)):
        return None
    if (len(left), len(right)) != (len(shapes[0]), len(shapes[1])):
        return None
    batch = [letter for letter in left if letter in right and letter in out]
    inner = [letter for letter in left if letter in right and letter not in out]
    rows = [letter for letter in left if letter not in right]
    columns = [letter for letter in right if letter not in left]
    if not inner or sorted((*batch, *rows, *columns)) != sorted(out):
        return None
    size = {letter: dim for term, shape in zip((left, right), shapes) for letter, dim in zip(term, shape)}
    steps: list[Step] = []

    def extents(letters: Sequence[str]) -> Shape:
        return tuple([size[letter] for letter in letters])

    def arranged(place: int, have: Sequence[str], wanted: Sequence[str], shape: Shape) -> int:
        perm = tuple([have.index(letter) for letter in wanted])
        if perm != tuple(range(len(perm))):
            steps.append(Step("transpose", (place,), {"perm": perm}, extents(wanted)))
            place = len(steps) + 1
        if shape != extents(wanted):
            steps.append(Step("reshape", (place,), {}, shape))
            place = len(steps) + 1
        return place

    lead = extents(batch)
    m, k, n = prod(extents(rows)), prod(extents(inner)), prod(extents(columns))
    first = arranged(0, left, [*batch, *rows, *inner], (*lead, m, k))
    second = arranged(1, right, [*batch, *inner, *columns], (*lead, k, n))
    steps.append(Step("matmul", (first, second), {}, (*lead, m, n)))
    product = [*batch, *rows, *columns]
    if extents(product) != (*lead, m, n):
        steps.append(Step("reshape", (len(steps) + 1,), {}, extents(product)))
    arranged(len(steps) + 1, product, out, extents(list(out)))
    return steps
