"""Headers in pickles."""

from __future__ import annotations

import pickle

import pytest

from predictor_core import list_latency_predictors, load_latency_predictor
from predictor_core.errors import PackError
from predictor_core.predictor.header_bytes import from_bytes, to_bytes
from predictor_core.predictor.learned import LearnedPredictor


@pytest.fixture(scope="module")
def shipped() -> LearnedPredictor:
    name = next(entry["name"] for entry in list_latency_predictors() if "headers" in entry)
    found = load_latency_predictor(name)
    assert isinstance(found, LearnedPredictor)
    return found


def test_a_header_survives(shipped: LearnedPredictor) -> None:
    data = to_bytes(shipped.device_header)
    assert from_bytes(data) == shipped.device_header
    assert len(data) < 5000


def test_a_shipped_predictor_is_pickled_by_reference(shipped: LearnedPredictor) -> None:
    data = pickle.dumps(shipped)
    assert len(data) < 512
    assert pickle.loads(data).device_header == shipped.device_header


@pytest.mark.parametrize("data", [b"", b"no header", b"\x00" * 40])
def test_damaged_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(PackError, match="damaged"):
        from_bytes(data)
