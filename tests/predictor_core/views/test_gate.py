from __future__ import annotations

from xml.etree import ElementTree

import pytest

from predictor_core.errors import PredictorError
from predictor_core.predictor.report import LatencyReport
from predictor_core.views.gate import Verdict, annotation, check, junit
from tests.golden.reports import kernel, phone


def _slower(share: float, version: str = "2.0") -> LatencyReport:
    old = phone()
    more = kernel("more", "relu", share * old.latency_ms)
    return LatencyReport(old.model, old.predictor, version, [*old.kernels, more], overhead_ms=old.overhead_ms)


def test_the_limit_itself_passes() -> None:
    assert check(phone(), max_ms=10.0).passed
    verdict = check(phone(), max_ms=9.99)
    assert not verdict.passed
    assert verdict.reasons == ("0.1% above the limit of 9.99 ms",)


def test_a_baseline_with_a_tolerance() -> None:
    baseline = [phone()]
    assert check(phone(), baseline=baseline).passed
    assert check(_slower(0.03), baseline=baseline, tolerance=0.03).passed
    (reason,) = check(_slower(0.0301), baseline=baseline, tolerance=0.03).reasons
    assert reason.startswith("3.0% slower than the baseline of 10 ms, 3.0% are allowed: +0.301 ms: 0 removed")
    assert check(phone(), baseline=[_slower(0.5)]).passed


def test_a_baseline_of_something_else_fails() -> None:
    other = LatencyReport("other.onnx", phone().predictor, "2.0", phone().kernels)
    assert check(phone(), baseline=[other]).reasons == (
        "the baseline has no such model and predictor; write it anew",
    )
    (reason,) = check(phone(), baseline=[_slower(0.5, "1.0")]).reasons
    assert "version 1.0 of the predictor, not 2.0" in reason


def test_both_limits_are_named() -> None:
    assert len(check(_slower(1.0), 15.0, [phone()]).reasons) == 2


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({}, "nothing to check against"),
        ({"max_ms": 0.0}, "above 0 ms, got 0"),
        ({"max_ms": float("nan")}, "above 0 ms, got nan"),
        ({"max_ms": 5.0, "tolerance": -0.1}, "tolerance of 0 or more, got -0.1"),
    ],
)
def test_limits_that_make_no_sense(limits: dict[str, float], message: str) -> None:
    with pytest.raises(PredictorError, match=message):
        check(phone(), **limits)  # type: ignore[arg-type]


def test_junit_is_xml_whatever_the_names_are() -> None:
    evil = 'a&<b>"\x00\n::error::'
    verdicts = [Verdict(evil, evil, (evil,), 1.0), check(phone(), 20.0)]
    root = ElementTree.fromstring(junit(verdicts))
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    assert len(root.findall("./testsuite/testcase")) == 2
    assert len(root.findall("./testsuite/testcase/failure")) == 1


def test_a_name_forges_no_workflow_command() -> None:
    text = annotation(Verdict("x\n::set-env::", "p,q:r", ("50%",)), "a:b,c\n.onnx")
    assert len(text.splitlines()) == 1
    assert text.startswith("::error file=a%3Ab%2Cc\\n.onnx,title=nn-meter%3A p%2Cq%3Ar::FAIL")
    assert text.endswith("50%25")
