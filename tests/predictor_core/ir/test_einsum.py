"""Plans of einsum compute what numpy's einsum computes."""

from __future__ import annotations

import numpy as np
import pytest

from predictor_core.ir.einsum import plan


def computed(equation: str, operands: list[np.ndarray]) -> np.ndarray:
    steps = plan(equation, [one.shape for one in operands])
    assert steps is not None
    values = list(operands)
    for step in steps:
        read = [values[place] for place in step.reads]
        if step.op == "transpose":
            made = read[0].transpose(step.attrs["perm"])
        elif step.op == "reshape":
            made = read[0].reshape(step.output)
        else:
            made = read[0] @ read[1]
        assert made.shape == step.output
        values.append(made)
    return values[-1]


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]),
        ("bhid,bhjd->bhij", [(2, 3, 4, 5), (2, 3, 6, 5)]),
        ("bhij,bhjd->bhid", [(2, 3, 4, 6), (2, 3, 6, 5)]),
        ("bhqk,bkhd->bqhd", [(2, 3, 4, 6), (2, 6, 3, 5)]),
        ("bchw,oc->bohw", [(2, 3, 4, 5), (6, 3)]),
        ("i,i->", [(4,), (4,)]),
        ("bi, oi -> bo", [(2, 3), (4, 3)]),
        ("abcd,cdef->abef", [(2, 3, 4, 5), (4, 5, 6, 7)]),
    ],
)
def test_plan_computes_the_equation(equation: str, shapes: list[tuple[int, ...]]) -> None:
    operands = [np.random.default_rng(0).standard_normal(shape) for shape in shapes]
    np.testing.assert_allclose(computed(equation, operands), np.einsum(equation, *operands))


def test_a_plain_product_is_one_step() -> None:
    assert [step.op for step in plan("ij,jk->ik", [(2, 3), (3, 4)]) or ()] == ["matmul"]


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk", [(2, 3), (3, 4)]),
        ("...ij,jk->...ik", [(2, 3), (3, 4)]),
        ("ii,ij->ij", [(2, 2), (2, 4)]),
        ("ij,ij->ij", [(2, 3), (2, 3)]),
        ("ij,jk->k", [(2, 3), (3, 4)]),
        ("ij->ji", [(2, 3)]),
        ("ij,jk->ik", [(2, 3, 1), (3, 4)]),
    ],
)
def test_what_is_no_single_product_has_no_plan(equation: str, shapes: list[tuple[int, ...]]) -> None:
    assert plan(equation, shapes) is None
