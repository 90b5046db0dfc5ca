from __future__ import annotations

import copy
import gzip
import json
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from predictor_core import load_latency_predictor
from predictor_core.errors import ModelFormatError, PredictorError, UnsupportedOpError
from predictor_core.forest import Forest
from predictor_core.legacy.errors import ParityError
from predictor_core.legacy.pack_folder import CONVERTED_FILE
from predictor_core.legacy.predictor import LegacyPredictor
from tests.predictor_core.legacy.ir_builder import IrBuilder

PICKLES = Path(__file__).parent / "pickles"


@pytest.fixture
def predictor(tmp_path: Path) -> LegacyPredictor:
    """Forests of four features do for the concat kernel, cut to four below."""
    folder = tmp_path / "device"
    folder.mkdir()
    (folder / "fc.pkl").write_bytes((PICKLES / "sklearn-0.24.2-protocol4.pkl").read_bytes())
    (folder / "fusion_rules.json").write_text('{"BF_fc_relu": {"obey": true}}')
    return LegacyPredictor.from_folder(folder, name="device")


def _dense(width: int = 64) -> IrBuilder:
    builder = IrBuilder([1, 16])
    builder.add("fc", "MatMul", ["input"], outputs=[[1, width]])
    builder.add("relu", "Relu", ["fc"])
    builder.add("gate", "Sigmoid", ["relu"])
    return builder


def test_an_answer_is_that_of_the_forest(predictor: LegacyPredictor) -> None:
    from predictor_core.legacy.sklearn_forest import read_forest

    flops = (2 * 16 + 1) * 64
    pickled = read_forest(predictor.folder / "fc.pkl")
    forest = Forest.from_trees(pickled.trees, pickled.n_features)
    expected = forest.predict([[16, 64, flops / 2e6, flops / 1e6]])[0]

    assert predictor.predict(_dense().ir, "nnmeter-ir") == pytest.approx(expected, rel=1e-12)


def test_many_models_at_once(predictor: LegacyPredictor) -> None:
    irs = [_dense(width).ir for width in (8, 64, 300, 64)]
    one_by_one = [predictor.predict(ir, "nnmeter-ir") for ir in irs]

    assert predictor.predict_many(iter(irs), "nnmeter-ir").tolist() == one_by_one
    assert predictor.predict_many(irs, "nnmeter-ir", n_jobs=2).tolist() == one_by_one
    assert predictor.predict_many([], "nnmeter-ir").shape == (0,)
    assert len(set(one_by_one)) > 1


def test_the_profile_tells_what_is_not_counted(predictor: LegacyPredictor) -> None:
    report = predictor.profile(_dense().ir, "nnmeter-ir")

    assert [(kernel.type, kernel.measured, kernel.details) for kernel in report.kernels] == [
        ("fc-relu", True, "forest fc"),
        ("Sigmoid", False, "not counted"),
    ]
    assert report.kernels[0].nodes == ("fc", "relu")
    assert report.latency_ms == predictor.predict(_dense().ir, "nnmeter-ir")
    assert report.warnings == ("1 kernels are counted as 0 ms, as nn-Meter does without a word: Sigmoid",)
    assert "fc-relu" in repr(report)
    written = json.loads(report.to_json())
    assert written["predictor"] == "device"
    assert [kernel["forest"] for kernel in written["kernels"]] == ["fc", None]
    assert written["kernels"][0]["features"][:2] == [16, 64]
    assert written["kernels"][1]["features"] is None


def test_strict_refuses_what_is_not_counted(predictor: LegacyPredictor) -> None:
    for call in (
        predictor.predict,
        predictor.profile,
        lambda ir, *a, **k: predictor.predict_many([ir], *a, **k),
    ):
        with pytest.raises(UnsupportedOpError, match="no forest for Sigmoid"):
            call(_dense().ir, "nnmeter-ir", strict=True)


def test_where_nn_meter_fails_there_is_a_clear_error(predictor: LegacyPredictor) -> None:
    builder = _dense()
    builder.ir["fc"]["attr"]["output_shape"] = [[]]

    with pytest.raises(ParityError, match=r"node 'fc'.*use predictor version 2\.0"):
        predictor.predict(builder.ir, "nnmeter-ir")


def test_files_and_dicts_agree(predictor: LegacyPredictor, tmp_path: Path) -> None:
    builder = _dense()
    before = copy.deepcopy(builder.ir)
    path = tmp_path / "dense.json"
    path.write_text(json.dumps(builder.ir))

    assert predictor.predict(str(path), "nnmeter-ir") == predictor.predict(builder.ir, "NNMeter-IR")
    assert predictor.profile(path, "nnmeter-ir").model == "dense"
    assert builder.ir == before


def test_models_that_can_not_be_read(predictor: LegacyPredictor, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    path = tmp_path / "x.onnx"
    path.write_bytes(b"\xff\xffno model")

    with pytest.raises(ModelFormatError, match="is no ONNX model"):
        predictor.predict(path, "onnx")
    with pytest.raises(ModelFormatError, match="does not exist"):
        predictor.predict(tmp_path / "absent.onnx", "onnx")
    with pytest.raises(ModelFormatError, match="got bytes"):
        predictor.predict(b"", "onnx")
    with pytest.raises(ModelFormatError):
        predictor.predict(path, "nnmeter-ir")
    with pytest.raises(PredictorError, match="does not tell its model type"):
        predictor.predict(5)


def test_graphs_answer_as_their_models_do(golden_packs: Path, legacy_data: Path) -> None:
    from predictor_core.frontends import nnmeter_ir
    from predictor_core.predictor.batch import predict_many

    predictor = LegacyPredictor.from_folder(golden_packs / "0.24.2" / "cortexA76cpu_tflite21")
    names = ("mobilenetv2_0", "mobilenetv3small_0", "shufflenetv2_0", "resnet18_0", "densenet_0")
    irs = [
        json.loads(gzip.decompress((legacy_data / "ir" / f"{name}.json.gz").read_bytes())) for name in names
    ]
    graphs = [nnmeter_ir.load(ir) for ir in irs]
    expected = predictor.predict_many(irs, "nnmeter-ir")

    np.testing.assert_allclose(predictor.predict_graphs(graphs), expected, rtol=1e-12)
    np.testing.assert_allclose(predict_many([predictor], graphs)[0], expected, rtol=1e-12)
    assert predictor.predict(graphs[0]) == pytest.approx(expected[0], rel=1e-12)


def test_threads_share_a_predictor(predictor: LegacyPredictor) -> None:
    irs = {width: _dense(width).ir for width in range(1, 400, 25)}
    expected = {width: predictor.predict(ir, "nnmeter-ir") for width, ir in irs.items()}
    wrong: list[int] = []

    def work() -> None:
        for width, ir in irs.items():
            if predictor.predict(ir, "nnmeter-ir") != expected[width]:
                wrong.append(width)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_it_can_be_pickled(predictor: LegacyPredictor) -> None:
    again = pickle.loads(pickle.dumps(predictor))

    assert repr(again) == repr(predictor) == "LegacyPredictor('device', version '1.0')"
    assert again.predict(_dense().ir, "nnmeter-ir") == predictor.predict(_dense().ir, "nnmeter-ir")


@pytest.mark.parametrize("version", [1.0, 1, "1.0", "1"])
def test_version_1_0_of_a_public_predictor(
    version: Any, own_home: Path, golden_packs: Path, legacy_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NN_METER_OFFLINE", "1")
    folder = own_home / "data" / "predictor"
    folder.mkdir(parents=True)
    (folder / "cortexA76cpu_tflite21").symlink_to(golden_packs / "0.24.2" / "cortexA76cpu_tflite21")
    with gzip.open(legacy_data / "golden.jsonl.gz", "rt") as file:
        line = json.loads(next(file))
    ir = json.loads(gzip.decompress((legacy_data / line["file"]).read_bytes()))

    predictor = load_latency_predictor("CortexA76cpu_TFLite21", version)

    assert predictor.predict(ir, "nnmeter-ir") == pytest.approx(line["latency_ms"], rel=1e-12)
    assert (golden_packs / "0.24.2" / "cortexA76cpu_tflite21" / CONVERTED_FILE).is_file()


def test_equal_kernels_get_equal_latencies(predictor: LegacyPredictor) -> None:
    builder = IrBuilder([1, 16])
    for name in ("a", "b"):
        builder.add(name, "MatMul", ["input"], outputs=[[1, 64]])

    answers = predictor.explain(builder.ir)

    assert answers[0].latency_ms == answers[1].latency_ms > 0
    assert np.isfinite(answers[0].latency_ms)
