"""Settings name devices, forests and work that exist."""

from __future__ import annotations

import pytest

from predictor_core import kernels, list_latency_predictors
from predictor_core.kernels.work import WORK
from predictor_core.learning.settings import PLANS, TEACHERS


def test_every_device_with_forests_has_a_plan_and_a_teacher() -> None:
    built_in = {entry["name"] for entry in list_latency_predictors() if "pack" in entry}
    assert built_in <= set(PLANS) == set(TEACHERS)


@pytest.mark.parametrize("device", PLANS)
def test_plans_speak_of_forests_and_work_that_exist(device: str) -> None:
    plan = PLANS[device]
    assert {*plan.terms, *plan.alike, *plan.one_window} - {""} <= set(kernels.FORESTS)
    for forest in kernels.FORESTS:
        terms = plan.of(forest)
        assert set(terms) <= set(WORK)
        assert "launch" in terms
        assert {"bytes", "permuted"} & set(terms)
