from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from predictor_core.errors import PredictorError
from predictor_core.predictor.saved import read_reports
from tests.golden.reports import phone, stick


def test_reports_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text(phone().to_json())
    (found,) = read_reports(path)
    assert found.to_dict() == phone().to_dict()
    assert found.kernels == phone().kernels


def test_entries_that_hold_an_error_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "many.json"
    path.write_text(json.dumps([phone().to_dict(), {"model": "x", "error": "why"}, stick().to_dict()]))
    assert [one.predictor for one in read_reports(path)] == [phone().predictor, stick().predictor]


def _without(key: str) -> dict[str, Any]:
    return {name: value for name, value in phone().to_dict().items() if name != key}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("5", "holds no saved reports"),
        (json.dumps(_without("kernels")), "holds no saved reports .KeyError"),
        (json.dumps({**phone().to_dict(), "overhead_ms": float("nan")}), "expected a finite number"),
        (json.dumps({**phone().to_dict(), "kernels": [3]}), "holds no saved reports"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(PredictorError, match=message):
        read_reports(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PredictorError, match=r"can't read .*none\.json"):
        read_reports(tmp_path / "none.json")
