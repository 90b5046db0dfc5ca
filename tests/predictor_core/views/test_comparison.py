from __future__ import annotations

import json

import pytest

from predictor_core import load_latency_predictor, zoo
from predictor_core.predictor.report import LatencyReport
from predictor_core.views.comparison import compare, reasons
from tests.golden.reports import kernel, phone, stick, wider


@pytest.mark.parametrize("depth", [1, 2, None])
def test_the_changes_sum_to_that_of_the_latency(depth: int | None) -> None:
    predictor = load_latency_predictor("cortexA76cpu_tflite21")
    real = [predictor.profile(zoo.build(name)) for name in ("mobilenetv2", "mobilenetv3")]
    for before, after in ((phone(), wider()), (phone(), stick()), (real[0], real[1])):
        found = compare(before, after, depth)
        overhead_ms = after.overhead_ms - before.overhead_ms
        for differences in (found.types, found.modules):
            change_ms = sum(one.change_ms for one in differences) + overhead_ms
            assert change_ms == pytest.approx(after.latency_ms - before.latency_ms)
        kernels_ms = sum(k.latency_ms for k in found.added) - sum(k.latency_ms for k in found.removed)
        assert kernels_ms + found.slowed_ms + overhead_ms == pytest.approx(found.change_ms)
        assert found.kept + len(found.added) == len(after.kernels)
        assert found.kept + len(found.removed) == len(before.kernels)


def test_a_module_that_became_deeper_counts_once() -> None:
    before = LatencyReport("a", "p", "2.0", [kernel("k", "relu", 1.0, "body")])
    after = LatencyReport(
        "b", "p", "2.0", [kernel("k", "relu", 1.5, "body"), kernel("l", "add", 2.0, "body.x")]
    )
    changes = {one.name: one.change_ms for one in compare(before, after).modules}
    assert changes == {"body.x": 2.0, "body": 0.5}


def test_what_explains_a_change() -> None:
    found = compare(phone(), wider())
    assert [one.name for one in found.types] == ["conv-bn", "add"]
    assert [one.name for one in found.added] == ["<conv2>", "extra"]
    assert (found.kept, found.slowed_ms, found.change_ms, found.change) == (5, 0.0, 2.5, 0.25)
    assert reasons(compare(phone(), phone())) == ["nothing changed"]


def test_whether_intervals_overlap() -> None:
    assert compare(phone(), wider()).intervals_overlap is True
    assert compare(phone(), stick()).intervals_overlap is None
    far = LatencyReport("far", "p", "2.0", [], interval_ms=(11.6, 12.0))
    assert compare(phone(), far).intervals_overlap is False
    assert compare(far, phone()).intervals_overlap is False


def test_json_has_what_the_text_has() -> None:
    data = json.loads(json.dumps(compare(phone(), wider()).to_dict()))
    assert data["change_ms"] == 2.5
    assert data["by_type"][0] == {
        "name": "conv-bn",
        "before_ms": 4.0,
        "after_ms": 6.0,
        "before_kernels": 1,
        "after_kernels": 1,
        "change_ms": 2.0,
    }
    assert [one["name"] for one in data["added"]] == ["<conv2>", "extra"]
