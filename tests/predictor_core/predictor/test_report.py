from __future__ import annotations

import json

import pytest

from predictor_core.predictor.report import KernelReport, LatencyReport


@pytest.fixture
def report() -> LatencyReport:
    kernels = [
        KernelReport(
            "conv1",
            "conv-bn-relu",
            3.0,
            True,
            (),
            ((1, 8, 8, 3),),
            (1, 8, 8, 16),
            ("conv1", "relu1"),
            "stem.0",
            "k3x3",
        ),
        KernelReport(
            "att", "matmul", 1.0, False, (), ((1, 4, 4), (1, 4, 4)), (1, 4, 4), ("att",), "body.0.attention"
        ),
        KernelReport(
            "<conv2>", "conv-bn", 4.0, True, ("cin",), ((1, 8, 8, 16),), (1, 8, 8, 9), ("conv2",), "body.1"
        ),
    ]
    return LatencyReport(
        "toy",
        "adreno640gpu_tflite21",
        "2.0",
        kernels,
        overhead_ms=2.0,
        interval_ms=(9.0, 11.5),
        free=("drop",),
        warnings=("mind this",),
        device="Xiaomi Mi 9",
    )


def test_the_parts_make_the_whole(report: LatencyReport) -> None:
    assert report.latency_ms == 10.0
    # The second conv is outside the training range, so its 4 ms are not covered.
    assert report.coverage == 3 / 8
    assert report.by_type() == {"conv-bn": 4.0, "conv-bn-relu": 3.0, "matmul": 1.0}
    assert report.by_module() == {"body": 5.0, "stem": 3.0}
    assert report.by_module(2) == {"body.1": 4.0, "stem.0": 3.0, "body.0": 1.0}


def test_the_repr_is_the_table(report: LatencyReport) -> None:
    assert repr(report).splitlines() == [
        "toy on adreno640gpu_tflite21 2.0: 10 ms  (90 % interval 9 to 11.5 ms)",
        "Xiaomi Mi 9",
        "3 kernels, coverage 37.5%, 2 ms of overhead, 1 free ops",
        "",
        "kernel   type          input     output    details      ms  share  note",
        "conv1    conv-bn-relu  1x8x8x3   1x8x8x16  k3x3     3.0000  30.0%",
        "att      matmul        1x4x4     1x4x4              1.0000  10.0%  estimated",
        "<conv2>  conv-bn       1x8x8x16  1x8x8x9            4.0000  40.0%  outside training range: cin",
        "",
        "conv-bn                      4.0000 ms   40.0%",
        "conv-bn-relu                 3.0000 ms   30.0%",
        "matmul                       1.0000 ms   10.0%",
        "warning: mind this",
    ]


def test_json_holds_everything(report: LatencyReport) -> None:
    data = json.loads(report.to_json())
    assert data == report.to_dict()
    assert data["latency_ms"] == 10.0
    assert data["interval_ms"] == [9.0, 11.5]
    assert data["coverage"] == 3 / 8
    assert data["kernels"][1]["measured"] is False
    assert data["kernels"][2]["outside_training_range"] == ["cin"]


def test_html_is_escaped(report: LatencyReport) -> None:
    page = report._repr_html_()
    assert "&lt;conv2&gt;" in page
    assert "<conv2>" not in page
    assert page.count("<tr") == 4


def test_a_data_frame_has_a_row_a_kernel(report: LatencyReport) -> None:
    pytest.importorskip("pandas")
    frame = report.to_dataframe()
    assert frame["latency_ms"].tolist() == [3.0, 1.0, 4.0]
    assert frame["share"].tolist() == [0.3, 0.1, 0.4]


def test_a_long_report_shows_the_costly_kernels_in_order() -> None:
    kernels = [
        KernelReport(f"k{i}", "relu", float(i % 7 + 1), True, (), ((1, 2),), (1, 2)) for i in range(200)
    ]
    text = repr(LatencyReport("long", "p", "2.0", kernels))
    shown = [
        int(line.split()[0][1:]) for line in text.splitlines() if line.startswith("k") and line[1].isdigit()
    ]
    assert shown == sorted(shown)
    assert len(shown) == 60
    assert all(i % 7 == 6 or i % 7 == 5 or i % 7 == 4 for i in shown)
    assert "140 cheaper kernels" in text


def test_a_model_of_no_kernels_has_full_coverage() -> None:
    empty = LatencyReport("empty", "p", "2.0", [])
    assert (empty.latency_ms, empty.coverage) == (0.0, 1.0)
    assert "0 kernels" in repr(empty)
