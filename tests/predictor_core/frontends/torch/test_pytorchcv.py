"""Architectures of pytorchcv: built by name, without weights, with the same Graph as with them."""

from __future__ import annotations

import pytest

from predictor_core.errors import PredictorError
from predictor_core.frontends.torch import load, pytorchcv
from predictor_core.measuring.planning import pool

torch = pytest.importorskip("torch")
pytest.importorskip("pytorchcv")


def test_a_network_without_weights_is_the_network() -> None:
    from pytorchcv.model_provider import get_model

    state = torch.random.get_rng_state()
    bare = pytorchcv.build("shufflenet_g3_wd4")
    assert torch.equal(torch.random.get_rng_state(), state)
    assert any(parameter.is_meta for parameter in bare.parameters())
    whole = get_model("shufflenet_g3_wd4", pretrained=False).eval()
    assert load(bare).nodes == load(whole).nodes


def test_a_name_that_pytorchcv_does_not_have() -> None:
    with pytest.raises(PredictorError, match="pytorchcv has no model 'resnet19'"):
        pytorchcv.build("resnet19")


def test_plans_ask_for_networks_that_there_are() -> None:
    from pytorchcv.model_provider import _models

    assert set(pool.PYTORCHCV) <= set(_models)
    assert len(set(pool.PYTORCHCV)) == len(pool.PYTORCHCV)
