from __future__ import annotations

from typing import Any

import pytest

from predictor_core.legacy.detection import UpstreamKernel
from predictor_core.legacy.errors import ParityError
from predictor_core.legacy.features import feature_vectors, forest_name

CONV = {"inputh": 56, "inputw": 7, "cin": 16, "cout": 32, "ks": [5, 3], "strides": [1, 2]}


def _vector(op: str, **fields: Any) -> Any:
    return feature_vectors([UpstreamKernel(op, f"{op}#0", (), {"input_tensors": [], **fields})])[0]


def test_a_convolution_reads_height_and_second_entries() -> None:
    parameters = 32 * (3 * 3 * 16 + 1)

    assert _vector("conv-bn-relu", **CONV) == (
        56,
        16,
        32,
        3,
        2,
        2 * 28 * 28 * parameters / 2e6,
        parameters / 1e6,
    )


def test_a_depthwise_convolution() -> None:
    parameters = 32 * (3 * 3 + 1)

    assert _vector("dwconv-relu", **CONV)[5:] == (2 * 28 * 28 * parameters / 2e6, parameters / 1e6)


def test_strides_default_to_one() -> None:
    assert _vector("maxpool", **{**CONV, "strides": [9, 1]}) == _vector(
        "maxpool", **{key: value for key, value in CONV.items() if key != "strides"}
    )


@pytest.mark.parametrize(
    ("op", "fields", "expected"),
    [
        ("fc", {"cin": 64, "cout": 10}, (64, 10, 1290 / 2e6, 1290 / 1e6)),
        ("fc-relu", {"cin": 64, "cout": 10}, (64, 10, 1290 / 2e6, 1290 / 1e6)),
        ("gap", {"inputh": 7, "cin": 64}, (1, 64)),
        ("split", {"input_tensors": [[1, 28, 14, 8]]}, (28, 8)),
        ("channelshuffle", {"input_tensors": [[1, 28, 14, 8]]}, (28, 8)),
        ("se", {"input_tensors": [[1, 28, 14, 8]]}, (14, 8)),
        ("transpose", {"input_tensors": [[1, 28, 14, 8]]}, (14, 8)),
        ("concat", {"input_tensors": [[1, 7, 7, 3], [1, 7, 7, 4]]}, (7, 2, 3, 4, 0, 0)),
        ("concat", {"input_tensors": [[1, 7, 7, c] for c in range(1, 7)]}, (7, 6, 1, 2, 3, 4)),
        ("hswish", {"inputh": 9, "cin": 2, "input_tensors": [[1, 9, 5, 2]]}, (9, 2)),
        ("hswish", {"cin": 2, "input_tensors": [[3, 2]]}, (3, 2)),
        ("hswish", {"cin": 2, "input_tensors": [[1, 4, 2]]}, (4, 2)),
        ("relu", {"input_tensors": [[-1, 64]]}, (-1, 64)),
        ("bn-relu", {"input_tensors": [[1, 9, 5, 2]]}, (9, 2)),
        ("add-relu", {"input_tensors": [[1, 9, 5, 2], [1, 9, 5, 3]]}, (9, 2, 3)),
        ("HardSwish", {}, None),
        ("mul", {}, None),
        ("add-relu-relu", {"input_tensors": [[1, 9, 5, 2], [1, 9, 5, 3]]}, None),
    ],
)
def test_other_kernels(op: str, fields: dict[str, Any], expected: Any) -> None:
    assert _vector(op, **fields) == expected


def test_a_fused_split_takes_what_the_kernel_before_left() -> None:
    kernels = [
        UpstreamKernel("relu", "relu#0", (), {"input_tensors": [[1, 9, 5, 2]]}),
        UpstreamKernel("split-relu", "split-relu#1", (), {"input_tensors": [[1, 28, 14, 8]]}),
    ]

    assert feature_vectors(kernels)[1] == (9, 2)
    with pytest.raises(ParityError, match="split-relu#1"):
        feature_vectors(kernels[1:])


@pytest.mark.parametrize(
    ("op", "fields"),
    [
        ("conv", {}),
        ("conv", {**CONV, "ks": [3]}),
        ("conv", {**CONV, "strides": [0, 0]}),
        ("conv", {**CONV, "cin": "3"}),
        ("split", {"input_tensors": [[1, 2, 3]]}),
        ("concat", {"input_tensors": []}),
        ("add", {"input_tensors": [[1, 9, 5, 2]]}),
        ("relu", {"input_tensors": [[None, 3]]}),
        ("relu", {"input_tensors": [[[1], 3]]}),
    ],
)
def test_what_nn_meter_fails_on_is_a_parity_error(op: str, fields: dict[str, Any]) -> None:
    with pytest.raises(ParityError, match=f"kernel '{op}#0'"):
        _vector(op, **fields)


@pytest.mark.parametrize(
    ("op", "forest"),
    [
        ("conv-bn-add", "conv-bn-relu"),
        ("dwconv", "dwconv-bn-relu"),
        ("convtrans", "conv-bn-relu"),
        ("gap", "global-avgpool"),
        ("se-relu", "se"),
        ("bn-relu", "bnrelu"),
        ("fc-relu", "fc"),
        ("Sigmoid", "Sigmoid"),
    ],
)
def test_forest_names(op: str, forest: str) -> None:
    assert forest_name(op) == forest
