from __future__ import annotations

import json

import pytest

from predictor_core.views.trace import trace_json
from tests.golden.reports import phone, stick


def test_kernels_follow_each_other_on_a_track_a_report() -> None:
    reports = [phone(), stick()]
    events = json.loads(trace_json(reports))["traceEvents"]
    for track, report in enumerate(reports, 1):
        spans = [event for event in events if event["pid"] == track and event["ph"] == "X"]
        assert [span["name"] for span in spans][-len(report.kernels) :] == [k.name for k in report.kernels]
        assert spans[0]["ts"] == 0.0
        for span, following in zip(spans, spans[1:]):
            assert following["ts"] == pytest.approx(span["ts"] + span["dur"])
        assert spans[-1]["ts"] + spans[-1]["dur"] == pytest.approx(1000.0 * report.latency_ms)
