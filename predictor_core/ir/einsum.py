"""A product in Einstein's notation as products of two operands, and each of those as a matrix product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

from predictor_core.errors import GraphError
from predictor_core.ir.graph import Shape

#: Letters that name the dimensions of an ellipsis; equations have Latin ones.
_ELLIPSIS_LETTERS = "αβγδεζηθικλμνξοπρστυφχψω"


class Contraction(NamedTuple):
    """One equation of at most two operands: it reads operands (0, 1, ...) or earlier results, counted on."""

    equation: str
    reads: tuple[int, ...]
    output: Shape


class Step(NamedTuple):
    """One op of a plan: it reads operands (0, 1) or results of earlier steps, counted on from there."""

    op: str
    reads: tuple[int, ...]
    attrs: Mapping[str, Any]
    output: Shape


def explicit(equation: str, shapes: Sequence[Shape]) -> tuple[str, Shape]:
    """Write an equation without ellipses and with its output.

    Parameters
    ----------
    equation : str
        Such as ``"...ij,jk"``: letters a dimension, an ellipsis for any number of them, and, unless
        ``->`` says otherwise, an output of the ellipsis and the letters that occur once, sorted.
    shapes : sequence of tuple of int
        Shapes of the operands.

    Returns
    -------
    str
        Such as ``"αij,jk->αik"``.
    tuple of int
        Shape of the result.

    Raises
    ------
    GraphError
        When the equation is malformed or does not fit the shapes.
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(shapes):
        raise GraphError(f"the equation {equation!r} has {len(terms)} operands, got {len(shapes)}")
    rests = [len(shape) - len(term.replace("...", "")) for term, shape in zip(terms, shapes)]
    rank = max((rest for term, rest in zip(terms, rests) if "..." in term), default=0)
    if rank > len(_ELLIPSIS_LETTERS) or any(
        rest < 0 or (rest and "..." not in term) for term, rest in zip(terms, rests)
    ):
        raise GraphError(f"the equation {equation!r} does not fit operands of {[list(s) for s in shapes]}")
    open_letters = _ELLIPSIS_LETTERS[:rank]
    terms = [term.replace("...", open_letters[rank - rest :], 1) for term, rest in zip(terms, rests)]
    if arrow:
        out = right.replace("...", open_letters, 1)
    else:
        out = open_letters + "".join(sorted(letter for letter in set(left) if left.count(letter) == 1))
        out = "".join(letter for letter in out if letter.isalpha())
    sizes = _sizes(terms, shapes, equation)
    if not all(letter in sizes for letter in out) or len(set(out)) != len(out):
        raise GraphError(f"the output {out!r} of the equation {equation!r} does not fit its operands")
    return f"{','.join(terms)}->{out}", tuple([sizes[letter] for letter in out])


def contractions(equation: str, shapes: Sequence[Shape]) -> list[Contraction]:
    """Return an equation of any number of operands as equations of two, from left to right.

    Parameters and errors are those of `explicit`. The last contraction makes the result.
    """
    whole, output = explicit(equation, shapes)
    left, _, out = whole.partition("->")
    terms = left.split(",")
    if len(terms) <= 2:
        return [Contraction(whole, tuple(range(len(terms))), output)]
    sizes = _sizes(terms, shapes, equation)
    found: list[Contraction] = []
    have, place = terms[0], 0
    for index, term in enumerate(terms[1:], 1):
        later = set("".join(terms[index + 1 :]) + out)
        made = (
            out if index == len(terms) - 1 else "".join(x for x in dict.fromkeys(have + term) if x in later)
        )
        shape = tuple([sizes[letter] for letter in made])
        found.append(Contraction(f"{have},{term}->{made}", (place, index), shape))
        have, place = made, len(terms) + len(found) - 1
    return found


def plan(equation: str, shapes: Sequence[Shape]) -> list[Step] | None:
    """Return the steps that compute an explicit equation of one or two operands.

    Parameters
    ----------
    equation : str
        Such as ``"bhid,bhjd->bhij"``.
    shapes : sequence of tuple of int
        Shapes of the operands.

    Returns
    -------
    list of Step or None
        Transposes, reshapes and sums around one ``matmul`` or, where nothing is summed over, ``mul``. None
        for an implicit output, an ellipsis, a letter twice in a term, or more operands.
    """
    left, arrow, out = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if (
        not arrow
        or not (left.replace(",", "") + out).isalpha()
        or len(terms) != len(shapes)
        or len(terms) > 2
    ):
        return None
    if any(len(set(term)) != len(term) for term in (*terms, out)):
        return None
    if any(len(term) != len(shape) for term, shape in zip(terms, shapes)):
        return None
    made = _Plan(_sizes(terms, shapes, equation), len(terms))
    ends: list[tuple[int, str]] = []
    for index, (term, shape) in enumerate(zip(terms, shapes)):
        other = "".join(terms[:index] + terms[index + 1 :])
        ends.append(made.summed_alone(index, term, shape, set(other + out)))
    if any(letter not in "".join(terms) for letter in out):
        return None
    if len(ends) == 1:
        made.arranged(*ends[0], out)
    else:
        made.product(ends[0], ends[1], out)
    return made.steps or [Step("identity", (0,), {}, made.extents(out))]


class _Plan:
    """Steps so far; a tensor is told by its place and its letters."""

    def __init__(self, sizes: Mapping[str, int], operands: int) -> None:
        self.sizes = sizes
        self.steps: list[Step] = []
        self._operands = operands

    def extents(self, letters: Sequence[str]) -> Shape:
        return tuple([self.sizes[letter] for letter in letters])

    def add(self, op: str, reads: tuple[int, ...], attrs: Mapping[str, Any], output: Shape) -> int:
        self.steps.append(Step(op, reads, attrs, output))
        return self._operands + len(self.steps) - 1

    def summed_alone(self, place: int, term: str, shape: Shape, elsewhere: set[str]) -> tuple[int, str]:
        """Drop the dimensions that are broadcast, and sum those that nothing else mentions."""
        kept = "".join(x for x, dim in zip(term, shape) if dim == self.sizes[x] or x not in elsewhere)
        if kept != term:
            place = self.add("reshape", (place,), {}, self.extents(kept))
        axes = tuple([axis for axis, letter in enumerate(kept) if letter not in elsewhere])
        if axes:
            kept = "".join(letter for letter in kept if letter in elsewhere)
            place = self.add("reduce_sum", (place,), {"axes": axes, "keepdims": False}, self.extents(kept))
        return place, kept

    def arranged(
        self, place: int, have: Sequence[str], wanted: Sequence[str], shape: Shape | None = None
    ) -> int:
        """Bring a tensor to an order of its letters and a shape of as many elements."""
        perm = tuple([have.index(letter) for letter in wanted])
        if perm != tuple(range(len(perm))):
            place = self.add("transpose", (place,), {"perm": perm}, self.extents(wanted))
        if shape is not None and shape != self.extents(wanted):
            place = self.add("reshape", (place,), {}, shape)
        return place

    def product(self, first: tuple[int, str], second: tuple[int, str], out: str) -> None:
        """Multiply two tensors that share all letters which are not in the output."""
        (left_place, left), (right_place, right) = first, second
        inner = [letter for letter in left if letter in right and letter not in out]
        if not inner:
            spread = [
                self.arranged(
                    place,
                    have,
                    [letter for letter in out if letter in have],
                    tuple([self.sizes[letter] if letter in have else 1 for letter in out]),
                )
                for place, have in (first, second)
            ]
            self.add("mul", tuple(spread), {}, self.extents(out))
            return
        batch = [letter for letter in left if letter in right and letter in out]
        rows = [letter for letter in left if letter not in right]
        columns = [letter for letter in right if letter not in left]
        lead = self.extents(batch)
        m, k, n = (prod(self.extents(letters)) for letters in (rows, inner, columns))
        a = self.arranged(left_place, left, [*batch, *rows, *inner], (*lead, m, k))
        b = self.arranged(right_place, right, [*batch, *inner, *columns], (*lead, k, n))
        made = self.add("matmul", (a, b), {}, (*lead, m, n))
        letters = [*batch, *rows, *columns]
        if self.extents(letters) != (*lead, m, n):
            made = self.add("reshape", (made,), {}, self.extents(letters))
        self.arranged(made, letters, out)


def _sizes(terms: Sequence[str], shapes: Sequence[Shape], equation: str) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes):
        for letter, dim in zip(term, shape):
            known = sizes.get(letter, 1)
            if 1 not in (known, dim) and known != dim:
                raise GraphError(f"the equation {equation!r} gives {letter!r} both {known} and {dim}")
            sizes[letter] = max(known, dim)
    return sizes
