from __future__ import annotations

import itertools

import pytest

from predictor_core.errors import GraphError
from predictor_core.ir.ops import infer
from predictor_core.ir.shapes import broadcast, resolve_reshape, same_pads, window


@pytest.mark.parametrize(
    ("n", "k", "s", "d"), list(itertools.product([1, 5, 7, 8, 56, 224], [1, 2, 3, 5, 7], [1, 2, 3], [1, 2]))
)
def test_same_pads_give_ceil_of_size_over_stride(n: int, k: int, s: int, d: int) -> None:
    pads = same_pads((n, n), (k, k), (s, s), (d, d))
    assert window((n, n), (k, k), (s, s), pads, (d, d)) == (-(-n // s),) * 2
    assert 0 <= pads[2] - pads[0] <= 1


@pytest.mark.parametrize(
    ("n", "k", "s", "p"), list(itertools.product([6, 7, 8, 13], [2, 3], [1, 2, 3], [0, 1]))
)
def test_windows_agree_with_torch(n: int, k: int, s: int, p: int) -> None:
    torch = pytest.importorskip("torch")
    x = torch.zeros(1, 1, n, n)
    for ceil_mode in (False, True):
        expected = tuple(torch.nn.functional.max_pool2d(x, k, s, p, ceil_mode=ceil_mode).shape[2:])
        assert window((n, n), (k, k), (s, s), (p, p, p, p), ceil_mode=ceil_mode) == expected


def test_a_transposed_conv_agrees_with_torch() -> None:
    torch = pytest.importorskip("torch")
    for k, s, p, extra, d in itertools.product([2, 3, 4], [1, 2], [0, 1], [0, 1], [1, 2]):
        if extra >= max(s, d):
            continue
        x = torch.zeros(2, 3, 5, 7)
        weight = torch.zeros(3, 6, k, k)
        out = torch.nn.functional.conv_transpose2d(x, weight, None, s, p, extra, 1, d)
        attrs = {
            "kernel": (k, k),
            "strides": (s, s),
            "pads": (p,) * 4,
            "dilations": (d, d),
            "output_padding": (extra, extra),
            "filters": 6,
        }
        n, c, h, w = out.shape
        assert infer("convtranspose", attrs, ((2, 5, 7, 3),)) == ((n, h, w, c),)


def test_broadcast_follows_numpy() -> None:
    assert broadcast((1, 8, 8, 16), (1, 1, 1, 16)) == (1, 8, 8, 16)
    assert broadcast((3, 1), (4,)) == (3, 4)
    with pytest.raises(GraphError, match="broadcast"):
        broadcast((1, 3), (1, 4))


def test_reshape_targets_are_resolved_or_refused() -> None:
    assert resolve_reshape((1, -1, 4), 32) == (1, 8, 4)
    for bad in [(-1, -1), (5, -1), (3, 3)]:
        with pytest.raises(GraphError):
            resolve_reshape(bad, 32)


@pytest.mark.parametrize(
    ("op", "attrs", "inputs", "expected"),
    [
        ("fc", {"filters": 10}, ((1, 7, 64),), ((1, 7, 10),)),
        ("matmul", {}, ((2, 8, 5, 6), (2, 8, 6, 9)), ((2, 8, 5, 9),)),
        ("concat", {"axis": -1}, tuple((1, 2, 2, c) for c in range(1, 21)), ((1, 2, 2, 210),)),
        ("split", {"axis": 3, "sizes": (3, 5)}, ((1, 2, 2, 8),), ((1, 2, 2, 3), (1, 2, 2, 5))),
        ("reduce_mean", {"axes": (1, 2), "keepdims": False}, ((1, 7, 7, 8),), ((1, 8),)),
        ("add", {"const": 3.0}, ((1, 2, 2, 8),), ((1, 2, 2, 8),)),
        ("mul", {"const_shape": (5, 1)}, ((1, 8),), ((5, 8),)),
        ("pad", {"pads": ((0, 0), (1, 2), (0, 1), (0, 0))}, ((1, 4, 4, 3),), ((1, 7, 5, 3),)),
        ("transpose", {"perm": (0, 3, 1, 2)}, ((1, 4, 5, 6),), ((1, 6, 4, 5),)),
        ("NotAnOp", {}, ((1, 4),), None),
    ],
)
def test_infer(
    op: str, attrs: dict[str, object], inputs: tuple[tuple[int, ...], ...], expected: object
) -> None:
    assert infer(op, attrs, inputs) == expected


@pytest.mark.parametrize(
    ("op", "attrs", "inputs"),
    [
        ("matmul", {}, ((2, 3), (4, 5))),
        ("concat", {"axis": 3}, ((1, 2, 2, 3), (1, 3, 2, 3))),
        ("split", {"axis": 1, "sizes": (3, 3)}, ((1, 5),)),
        ("conv", {}, ((1, 5),)),
    ],
)
def test_infer_refuses_what_does_not_fit(
    op: str, attrs: dict[str, object], inputs: tuple[tuple[int, ...], ...]
) -> None:
    with pytest.raises(GraphError):
        infer(op, attrs, inputs)


def test_a_transposed_conv_in_three_dimensions_agrees_with_torch() -> None:
    torch = pytest.importorskip("torch")
    for k, s, p, extra, d in itertools.product([2, 3], [1, 2], [0, 1], [0, 1], [1, 2]):
        if extra >= max(s, d):
            continue
        x, weight = torch.zeros(2, 3, 5, 7, 6), torch.zeros(3, 4, k, k + 1, k)
        out = torch.nn.functional.conv_transpose3d(x, weight, None, s, p, extra, 1, d)
        attrs = {
            "kernel": (k, k + 1, k),
            "strides": (s, s, s),
            "pads": (p,) * 6,
            "output_padding": (extra,) * 3,
            "dilations": (d, d, d),
            "filters": 4,
        }
        n, c, *size = out.shape
        assert infer("convtranspose3d", attrs, ((2, 5, 7, 6, 3),)) == ((n, *size, c),)
