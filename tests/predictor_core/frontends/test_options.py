"""Options of front ends."""

from __future__ import annotations

from typing import Any

import pytest

from predictor_core import model_to_graph
from predictor_core.errors import PredictorError
from predictor_core.frontends import FRONTENDS
from predictor_core.frontends.reading import to_graph

DOCUMENT: dict[str, Any] = {
    "x": {"attr": {"type": "Placeholder", "attr": {"shape": [-1, 8, 8, 3]}}},
    "y": {"inbounds": ["x"], "attr": {"type": "Relu"}},
}


@pytest.mark.parametrize("model_type", sorted(FRONTENDS))
def test_an_option_that_a_front_end_does_not_have_is_refused(model_type: str) -> None:
    with pytest.raises(PredictorError, match=f"'{model_type}' has no option 'colour'; it has: input_shape"):
        to_graph("nowhere", model_type, colour="red")


def test_the_option_that_was_meant_is_named() -> None:
    with pytest.raises(PredictorError, match="did you mean signature"):
        to_graph("nowhere", "pb", signatur="train")
    with pytest.raises(PredictorError, match="no option 'apply_nni'"):
        model_to_graph(DOCUMENT, "nnmeter-ir", apply_nni=True)


def test_an_assumed_batch_is_a_warning_of_the_graph() -> None:
    assert ["batch" in warning for warning in to_graph(DOCUMENT, "nnmeter-ir").warnings] == [True]
    assert to_graph(DOCUMENT, "nnmeter-ir", (2, 8, 8, 3)).warnings == ()
