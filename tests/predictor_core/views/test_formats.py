from __future__ import annotations

import csv
import io
import json

import pytest

from predictor_core.errors import PredictorError
from predictor_core.predictor.report import LatencyReport
from predictor_core.views.formats import table, to_dataframe
from tests.golden.reports import kernel, phone, stick


@pytest.mark.parametrize("width", [40, 60, 100])
def test_text_fits_the_width(width: int) -> None:
    reports = [LatencyReport("m", f"phone{i}_cpu_fp32_tflite210", "2.0", phone().kernels) for i in range(9)]
    lines = table(reports, width=width).splitlines()
    assert max(map(len, lines)) <= max(width, 41)
    assert sum(line.startswith("total") for line in lines) == len(table(reports, width=width).split("\n\n"))
    assert all(f"phone{i}_cpu" in "\n".join(lines) for i in range(9))


def test_colours_only_where_they_are_asked_for() -> None:
    assert "\x1b" not in table([phone()])
    painted = table([phone()], colour=True)
    assert painted.replace("\x1b[1m", "").replace("\x1b[33m", "").replace("\x1b[0m", "") == table([phone()])


def test_csv_json_and_the_data_frame_agree() -> None:
    reports = [phone(), stick()]
    records = json.loads(table(reports, format="json"))
    rows = list(csv.DictReader(io.StringIO(table(reports, format="csv"))))
    assert [float(row["latency_ms"]) for row in rows] == [record["latency_ms"] for record in records]
    assert [row["path"] for row in rows] == ["/".join(record["path"]) for record in records]
    pytest.importorskip("pandas")
    assert to_dataframe(reports).to_dict("records") == records


@pytest.mark.parametrize("format", ["text", "markdown"])
def test_a_name_forges_no_row(format: str) -> None:
    name = "a\n| total | 0.0 |\x1b[2J"
    report = LatencyReport("m", "p", "2.0", [kernel(name, "relu", 1.0)])
    text = table([report], "kernel", format=format)  # type: ignore[arg-type]
    assert "\x1b" not in text
    assert len(text.splitlines()) == (4 if format == "markdown" else 3)


def test_another_format_is_refused() -> None:
    with pytest.raises(PredictorError, match="as 'xlsx'; expected text, markdown, csv, json"):
        table([phone()], format="xlsx")  # type: ignore[arg-type]
