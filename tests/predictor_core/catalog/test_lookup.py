from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from predictor_core import LatencyPredictor, list_latency_predictors, load_latency_predictor
from predictor_core.catalog import PACKAGE, find_predictor, version_key
from predictor_core.errors import PackError, UnknownPredictorError

DEVICES = [
    "cortexA76cpu_tflite21",
    "adreno640gpu_tflite21",
    "adreno630gpu_tflite21",
    "myriadvpu_openvino2019r2",
]


def test_four_devices_in_two_versions_are_listed() -> None:
    listed = {(entry["name"], entry["version"]) for entry in list_latency_predictors()}
    assert {(device, version) for device in DEVICES for version in ("1.0", "2.0")} <= listed


def test_embedded_packs_are_those_that_are_pinned() -> None:
    entries = [entry for entry in list_latency_predictors() if "pack" in entry]
    pinned = {entry["pack"]: entry["sha256"] for entry in entries}
    there = {
        str(path.relative_to(PACKAGE)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in PACKAGE.glob("devices/*/*.pack")
    }
    assert pinned == there


def test_another_pack_than_the_pinned_one_is_refused() -> None:
    first, second = [entry for entry in list_latency_predictors() if "pack" in entry][:2]
    with pytest.raises(PackError, match="it is not the registered pack"):
        LatencyPredictor.from_pack(PACKAGE / first["pack"], sha256=second["sha256"])


def test_a_change_to_the_list_changes_nothing_inside() -> None:
    list_latency_predictors()[0]["name"] = "other"
    assert list_latency_predictors()[0]["name"] != "other"


def test_names_are_case_insensitive_and_the_latest_version_is_the_default() -> None:
    predictor = load_latency_predictor("CORTEXa76CPU_TFLITE21")
    assert (predictor.name, predictor.version) == (DEVICES[0], "2.0")


@pytest.mark.parametrize("version", [1, 1.0, "1", "1.0", " 1.0 "])
def test_a_version_is_found_however_it_is_written(version: object) -> None:
    assert find_predictor(DEVICES[0], version)["version"] == "1.0"


def test_versions_compare_as_numbers() -> None:
    assert version_key("10.0") > version_key("9.5") > version_key(2) == version_key("2.0")


def test_unknown_names_and_versions_list_what_exists() -> None:
    with pytest.raises(UnknownPredictorError, match=r"pixel9.*cortexA76cpu_tflite21"):
        load_latency_predictor("pixel9")
    with pytest.raises(UnknownPredictorError, match=r"'3.5'.*1\.0, 2\.0"):
        load_latency_predictor(DEVICES[0], "3.5")
    with pytest.raises(UnknownPredictorError, match="string"):
        load_latency_predictor(7)


def test_import_loads_none_of_the_heavy_packages() -> None:
    heavy = "torch", "onnx", "sklearn", "nni", "matplotlib", "pandas", "scipy", "tqdm"
    code = (
        "import sys, predictor_core as p\n"
        f"p.load_latency_predictor({DEVICES[0]!r}).predict(__import__('predictor_core.zoo').zoo.build('resnet18'))\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
