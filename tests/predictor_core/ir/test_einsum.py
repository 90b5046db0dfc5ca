"""Plans of einsum compute what numpy's einsum computes."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

from predictor_core.errors import GraphError
from predictor_core.ir.einsum import contractions, explicit, plan
from predictor_core.ir.graph import Node
from predictor_core.ir.layout import channels_last


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
        elif step.op == "reduce_sum":
            made = read[0].sum(step.attrs["axes"])
        elif step.op == "identity":
            made = read[0]
        elif step.op == "mul":
            made = read[0] * read[1]
        else:
            assert step.op == "matmul"
            made = read[0] @ read[1]
        assert made.shape == step.output
        values.append(made)
    return values[-1]


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(prod(shape)).standard_normal(shape)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]),
        ("bhid,bhjd->bhij", [(2, 3, 4, 5), (2, 3, 6, 5)]),
        ("bhij,bhjd->bhid", [(2, 3, 4, 6), (2, 3, 6, 5)]),
        ("bhqk,bkhd->bqhd", [(2, 3, 4, 6), (2, 6, 3, 5)]),
        ("bchw,oc->bohw", [(2, 3, 4, 5), (6, 3)]),
        ("nkctv,kvw->nctw", [(2, 3, 4, 5, 6), (3, 6, 7)]),
        ("i,i->", [(4,), (4,)]),
        ("bi, oi -> bo", [(2, 3), (4, 3)]),
        ("abcd,cdef->abef", [(2, 3, 4, 5), (4, 5, 6, 7)]),
        ("ij,ij->ij", [(2, 3), (2, 3)]),
        ("i,j->ji", [(2,), (3,)]),
        ("ij,jk->k", [(2, 3), (3, 4)]),
        ("ij->ji", [(2, 3)]),
        ("ijk->k", [(2, 3, 4)]),
        ("ij->ij", [(2, 3)]),
    ],
)
def test_plan_computes_the_equation(equation: str, shapes: list[tuple[int, ...]]) -> None:
    operands = [random(*shape) for shape in shapes]
    np.testing.assert_allclose(computed(equation, operands), np.einsum(equation, *operands))


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("...ij,...jk->...ik", [(2, 5, 3, 4), (2, 5, 4, 6)]),
        ("...ij,...jk->...ik", [(5, 3, 4), (2, 1, 4, 6)]),
        ("...ij,jk", [(2, 5, 3, 4), (4, 6)]),
        ("ij,jk", [(2, 3), (3, 4)]),
        ("ba,ac,cd", [(2, 3), (3, 4), (4, 5)]),
        ("bij,bjk,bkl,bl->bi", [(2, 3, 4), (2, 4, 5), (2, 5, 6), (2, 6)]),
    ],
)
def test_contractions_compute_the_equation(equation: str, shapes: list[tuple[int, ...]]) -> None:
    operands = [random(*shape) for shape in shapes]
    values = list(operands)
    for one, reads, output in contractions(equation, shapes):
        values.append(computed(one, [values[place] for place in reads]))
        assert values[-1].shape == output
    np.testing.assert_allclose(values[-1], np.einsum(equation, *operands))


def test_a_plain_product_is_one_step() -> None:
    assert [step.op for step in plan("ij,jk->ik", [(2, 3), (3, 4)]) or ()] == ["matmul"]


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk", [(2, 3), (3, 4)]),
        ("...ij,jk->...ik", [(2, 3), (3, 4)]),
        ("ii,ij->ij", [(2, 2), (2, 4)]),
        ("ij,jk->ik", [(2, 3, 1), (3, 4)]),
    ],
)
def test_what_is_not_explicit_has_no_plan(equation: str, shapes: list[tuple[int, ...]]) -> None:
    assert plan(equation, shapes) is None


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3)]),
        ("ij->i", [(2, 3, 4)]),
        ("ij,jk->iz", [(2, 3), (3, 4)]),
        ("ij,jk", [(2, 3), (4, 5)]),
    ],
)
def test_an_equation_that_does_not_fit_is_refused(equation: str, shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(GraphError, match="equation"):
        explicit(equation, shapes)


@pytest.mark.parametrize("first", [False, True])
def test_a_constant_matrix_is_the_weight_of_an_fc(first: bool) -> None:
    terms = ["nkctv", "kvw"]
    if first:
        terms.reverse()
    attrs = {"equation": f"{','.join(terms)}->nctw", "const_shape": (3, 18, 20), "const_first": first}
    graph = channels_last(
        [
            Node("x", "input", outputs=((1, 3, 64, 30, 18),)),
            Node("y", "Einsum", ("x",), attrs, ((1, 64, 30, 20),)),
        ]
    )
    products = [node for node in graph if node.op in ("fc", "matmul")]
    assert [node.op for node in products] == ["fc"]
    assert graph.input_shapes(products[0]) == ((64 * 30, 3 * 18),)
    assert products[0].shape == (64 * 30, 20)


def test_a_constant_with_a_batch_is_the_right_operand_of_a_product() -> None:
    attrs = {"equation": "bhwc,hkc->bhwk", "const_shape": (64, 64, 80)}
    graph = channels_last(
        [
            Node("x", "input", outputs=((12, 64, 64, 80),)),
            Node("y", "Einsum", ("x",), attrs, ((12, 64, 64, 64),)),
        ]
    )
    (product,) = (node for node in graph if node.op == "matmul")
    assert product.attrs["const_shape"] == (64, 80, 64)
