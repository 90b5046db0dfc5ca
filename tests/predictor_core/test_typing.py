"""What a type checker knows of the public names, as users of the package see them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import predictor_core

SCRIPT = """
import predictor_core
from predictor_core import *
from predictor_core import list_latency_predictors, load_latency_predictor, model_file_to_graph, predict_many
predictor = load_latency_predictor("cortexA76cpu_tflite21")
reveal_type(predictor)
reveal_type(predictor.predict("model.onnx", "onnx"))
reveal_type(predictor.profile("model.onnx", "onnx"))
reveal_type(predictor.profile("model.onnx", "onnx").interval_ms)
reveal_type(list_latency_predictors())
reveal_type(model_file_to_graph("model.onnx", "onnx"))
"""


@pytest.mark.slow
def test_users_get_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api = pytest.importorskip("mypy.api")
    monkeypatch.setenv("MYPYPATH", str(Path(predictor_core.__file__).parents[1]))
    names = "".join(f"reveal_type(predictor_core.{name})\n" for name in predictor_core.__all__)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + names)
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = true\nfollow_imports = silent\n")
    out, err, _ = api.run(
        [str(script), "--config-file", str(tmp_path / "mypy.ini"), "--cache-dir", str(tmp_path)]
    )
    revealed = re.findall(r'Revealed type is "(.*)"', out)
    assert len(revealed) == 6 + len(predictor_core.__all__), out + err
    assert [text.replace("builtins.", "") for text in revealed[:3]] == [
        "predictor_core.predictor.base.Predictor",
        "float",
        "predictor_core.predictor.report.LatencyReport",
    ]
    assert "Any" not in revealed
    assert "error:" not in out
