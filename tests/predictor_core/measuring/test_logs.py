"""Outputs of benchmark tools: written by the tools where they run here, else by their documented formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictor_core.errors import PredictorError
from predictor_core.measuring.logs import FORMATS, is_log, read_log, to_rows, totals

LOGS = Path(__file__).resolve().parents[2] / "fixtures" / "logs"

#: file -> (model, latency in ms, standard deviation, runs, environment) of each model in it
EXPECTED = {
    "tflite_old.log": [
        ("/data/local/tmp/mobilenet_v1_1.0_224.tflite", 56.1305, 0.403, 50, "TFLite, 4 threads")
    ],
    # The median where there is one, the mean otherwise.
    "tflite_new.log": [
        ("/data/local/tmp/nn-meter/mobilenetv2.tflite", 8.24, 0.098, 121, "TFLite, GPU delegate, 1 thread"),
        ("/data/local/tmp/nn-meter/squeezenet.tflite", 13.5619, 0.097, 73, "TFLite, 1 thread"),
    ],
    "tflite_profile.csv": [("tflite_profile", 6.4, None, None, "TFLite")],
    "litert_benchmark.json": [
        ("models/mobilenet_v2_float16.tflite", 14.49, 5.54, 20, "LiteRT, CPU, 1 thread")
    ],
    "openvino_benchmark_app.log": [
        ("openvino_benchmark_app", 15.86, None, 60, "OpenVINO 2026.4.1, CPU, 1 thread, fp32")
    ],
    "openvino_counters.csv": [("openvino_counters", 11.887, None, None, "OpenVINO")],
    "openvino_report.csv": [("models/mobilenet_v3_small.onnx", 15.86, None, 60, "OpenVINO, CPU, 1 thread")],
    "onnxruntime_profile.json": [("onnxruntime_profile", 15.897, 5.46358, 4, "onnxruntime")],
    # The computation alone: 1.898 ms with the copies.
    "trtexec.log": [("resnet50.onnx", 1.83984, None, None, "TensorRT 8.6.1, Orin, fp32+fp16")],
    "trtexec_7.log": [("mobilenet_v2.onnx", 1.29, None, None, "TensorRT")],
    "trtexec_profile.json": [("trtexec_profile", 0.197, None, 1628, "TensorRT")],
    "trtexec_times.json": [("trtexec_times", 1.85, 0.00816497, 3, "TensorRT")],
    "ncnn_benchncnn.log": [
        ("squeezenet", 7.30, None, 8, "ncnn, 4 threads"),
        ("squeezenet_int8", 6.58, None, 8, "ncnn, 4 threads, int8"),
        ("mobilenet", 11.01, None, 8, "ncnn, 4 threads"),
    ],
    "mnn_benchmark.log": [
        ("MobileNetV2_224.mnn", 6.957, None, 10, "MNN, CPU, 4 threads, fp16"),
        ("squeezenetv1.1.mnn", 7.902, None, 10, "MNN, CPU, 4 threads, fp16"),
    ],
    "aihub_2024_perf.yaml": [
        ("MobileNet-v2", 0.913, None, None, "torchscript_onnx_tflite, Samsung Galaxy S23, fp16, NPU")
    ],
    "aihub_2025_perf.yaml": [
        ("MobileNet-v2", 0.613, None, None, "tflite, Samsung Galaxy S24 (Family), float, NPU"),
        ("MobileNet-v2", 0.657, None, None, "qnn_dlc, Samsung Galaxy S24 (Family), float, NPU"),
        ("MobileNet-v2", 0.29, None, None, "tflite, Samsung Galaxy S24 (Family), w8a8, NPU"),
    ],
}


def test_every_fixture_is_expected() -> None:
    assert {path.name for path in LOGS.iterdir()} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_log_is_read(name: str) -> None:
    found = read_log(LOGS / name)
    assert len(found) == len(EXPECTED[name])
    for each, (model, ms, std_ms, runs, environment) in zip(found, EXPECTED[name]):
        assert each.model == model
        assert each.latency_ms == pytest.approx(ms, rel=1e-5)
        assert each.std_ms == (None if std_ms is None else pytest.approx(std_ms, rel=1e-5))
        assert each.runs == runs
        assert each.environment == environment


@pytest.mark.parametrize("name", EXPECTED)
def test_only_one_format_takes_a_log(name: str) -> None:
    text = (LOGS / name).read_text(encoding="utf-8")
    assert sum(known.matches(text) for known in FORMATS) == 1


def test_profiles_list_the_ops_of_the_timed_runs() -> None:
    old, new = read_log(LOGS / "tflite_old.log")[0], read_log(LOGS / "tflite_new.log")[0]
    assert [(op.kind, op.latency_ms) for op in old.ops] == [
        ("CONV_2D", 4.269),
        ("DEPTHWISE_CONV_2D", 2.15),
        ("CONV_2D", 6.107),
    ]
    assert old.ops[0].name == "MobilenetV1/MobilenetV1/Conv2d_0/Relu6"
    # What prepares the model is no part of its latency.
    assert [op.kind for op in new.ops] == ["TfLiteGpuDelegateV2", "SOFTMAX"]
    csv_ops = read_log(LOGS / "tflite_profile.csv")[0].ops
    assert [(op.kind, op.name) for op in csv_ops] == [
        ("CONV_2D", "MobilenetV1/Conv2d_0/Relu6"),
        ("DEPTHWISE_CONV_2D", "MobilenetV1/Conv2d_1, depthwise"),
    ]


def test_the_ops_of_a_real_profile_sum_to_less_than_the_run() -> None:
    (profile,) = read_log(LOGS / "onnxruntime_profile.json")
    assert 0.0 < sum(op.latency_ms for op in profile.ops) < profile.latency_ms
    kind, count, ms = totals(profile.ops)[0]
    assert kind == "Conv"
    assert count > 50
    assert ms > 0.5 * sum(op.latency_ms for op in profile.ops)


def test_a_profile_of_a_session_that_was_not_closed(tmp_path: Path) -> None:
    whole = (LOGS / "onnxruntime_profile.json").read_text()
    path = tmp_path / "cut.json"
    path.write_text(whole.rstrip().rstrip("]"))
    assert read_log(path)[0].latency_ms == read_log(LOGS / "onnxruntime_profile.json")[0].latency_ms


def test_logs_of_powershell(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes((LOGS / "tflite_new.log").read_text().replace("\n", "\r\n").encode("utf-16"))
    assert [each.latency_ms for each in read_log(path)] == pytest.approx([8.24, 13.5619])


def test_what_is_no_log(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("model,latency_ms\na.onnx,3\n")
    assert not is_log(path)
    assert is_log(LOGS / "trtexec.log")
    with pytest.raises(PredictorError, match="the output of no tool that is known here"):
        read_log(path)
    with pytest.raises(PredictorError, match="No such file"):
        read_log(tmp_path / "absent.log")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("litert_benchmark.json", '"latency"', '"latencies"'),
        ("trtexec_profile.json", "0.079", '"x"'),
        ("aihub_2024_perf.yaml", "aggregated:", "aggregated: ["),
        ("openvino_counters.csv", "0.088", "much"),
    ],
)
def test_a_malformed_log_is_one_error(tmp_path: Path, name: str, old: str, new: str) -> None:
    path = tmp_path / name
    path.write_text((LOGS / name).read_text().replace(old, new))
    with pytest.raises(PredictorError, match="malformed output of"):
        read_log(path)


def test_a_tool_that_failed(tmp_path: Path) -> None:
    path = tmp_path / "failed.log"
    log = (LOGS / "ncnn_benchncnn.log").read_text()
    path.write_text(log.replace("avg =    7.30", "avg =    0.00"))
    with pytest.raises(PredictorError, match="latency of squeezenet is 0"):
        read_log(path)


def test_rows_point_to_the_models_that_logs_name(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for name in ("MobileNetV2.onnx", "mobilenetv2.tflite", "other.onnx"):
        (models / name).touch()
    rows, missing = to_rows(read_log(LOGS / "tflite_new.log"), models, tmp_path, environment="my phone")
    assert [row.model for row in rows] == ["models/MobileNetV2.onnx", "squeezenet"]
    assert missing == ["squeezenet"]
    assert {row.environment for row in rows} == {"my phone"}
    assert rows[0].runs == 121


def test_learning_reads_logs(tmp_path: Path) -> None:
    from predictor_core.measuring.measurements import read_measurements

    logs = tmp_path / "logs"
    logs.mkdir()
    (tmp_path / "mobilenetv2.onnx").touch()
    log = logs / "new.log"
    log.write_text((LOGS / "tflite_new.log").read_text())
    found = read_measurements(log)
    assert [(row.model, row.model_type, row.latency_ms) for row in found] == [
        (str(tmp_path / "mobilenetv2.onnx"), "onnx", 8.24),
        ("squeezenet", "torchvision", 13.5619),
    ]
