"""What a report says of a model whose precision is not that of the predictor's measurements."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from predictor_core import list_latency_predictors, load_latency_predictor

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
#: Front end -> its files of one network, in floats and quantised.
FILES = {
    "tflite": {"float": "mobilenet_v2_float.tflite", "int8": "mobilenet_v2_int8.tflite"},
    "openvino": {"float": "mobilenet_v2.xml", "int8": "mobilenet_v2_int8.xml"},
}
FP32, INT8 = "pixel4_cpu1large_fp32_tflite210", "pixel4_cpu1large_int8_tflite210"


def saying(name: str, path: Path, word: str) -> Iterator[str]:
    report = load_latency_predictor(name).profile(path)
    return (warning for warning in report.warnings if word in warning)


def unpacked(format: str, kind: str, folder: Path) -> Path:
    name = FILES[format][kind]
    path = folder / name
    path.write_bytes(gzip.decompress((FIXTURES / format / f"{name}.gz").read_bytes()))
    return path


@pytest.fixture(params=[(format, kind) for format in FILES for kind in ("int8", "float")], ids="-".join)
def model(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    format, kind = request.param
    return kind, unpacked(format, kind, tmp_path)


def test_a_difference_of_precision_is_said_once(model: tuple[str, Path]) -> None:
    kind, path = model
    on_float = [*saying("cortexA76cpu_tflite21", path, "quantised")]
    on_phone, on_int8 = [*saying(FP32, path, "quantised")], [*saying(INT8, path, "quantised")]
    costed_as_float = ["the model is quantised; its ops are costed as ops on floats"]
    assert on_float == on_phone == (costed_as_float if kind == "int8" else [])
    assert on_int8 == (
        []
        if kind == "int8"
        else ["the model is not quantised; the predictor was measured on int8 models and costs its int8 form"]
    )


@pytest.mark.parametrize("format", FILES)
@pytest.mark.parametrize("name", [FP32, INT8])
def test_a_quantised_model_costs_what_its_float_original_costs(
    name: str, format: str, tmp_path: Path
) -> None:
    predictor = load_latency_predictor(name)
    of_float, of_int8 = (predictor.predict(unpacked(format, kind, tmp_path)) for kind in ("float", "int8"))
    assert of_int8 == pytest.approx(of_float, rel=0.01)


def test_the_card_of_a_phone_tells_its_precision() -> None:
    for name in (FP32, INT8):
        (entry,) = [entry for entry in list_latency_predictors() if entry["name"] == name]
        assert load_latency_predictor(name).card["precision"] == entry["precision"]  # type: ignore[attr-defined]
