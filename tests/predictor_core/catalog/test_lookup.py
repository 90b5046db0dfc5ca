from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from predictor_core import LatencyPredictor, list_latency_predictors, load_latency_predictor
from predictor_core.catalog import PACKAGE, find_predictor, match_predictors, version_key
from predictor_core.catalog.cards import card_of, facts_of
from predictor_core.errors import PackError, UnknownPredictorError
from tests.devices import DEVICES

LEARNED = [entry["name"] for entry in list_latency_predictors() if "headers" in entry]


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


@pytest.mark.parametrize(
    ("words", "version", "names"),
    [
        (["all"], None, [*DEVICES, *LEARNED]),
        (["all"], 1, [*DEVICES]),
        (["ADRENO*"], None, ["adreno640gpu_tflite21", "adreno630gpu_tflite21"]),
        (["*vpu*", "adreno6[34]0*", "MyriadVPU_openvino2019r2"], 1, [DEVICES[3], DEVICES[1], DEVICES[2]]),
        ([DEVICES[2], "all"], None, [DEVICES[2], DEVICES[0], DEVICES[1], DEVICES[3], *LEARNED]),
    ],
)
def test_patterns_stand_for_predictors(words: list[str], version: object, names: list[str]) -> None:
    found = match_predictors(words, version)
    assert [entry["name"] for entry in found] == names
    assert {entry["version"] for entry in found} == {"2.0" if version is None else "1.0"}


def test_patterns_that_match_nothing() -> None:
    with pytest.raises(UnknownPredictorError, match=r"no predictor matches 'adrena\*'; did you mean"):
        match_predictors(["adrena*"])
    with pytest.raises(UnknownPredictorError, match=r"of version '7' matches 'all'"):
        match_predictors(["all"], "7")
    with pytest.raises(UnknownPredictorError, match="did you mean 'cortexA76cpu_tflite21'"):
        match_predictors(["cortexA67cpu_tflite21"])


def test_the_list_says_what_the_cards_say() -> None:
    for entry in list_latency_predictors():
        if entry["name"] not in DEVICES:
            continue
        card = card_of(entry)
        assert all(entry[key] == card[key] for key in ("chip", "cores", "precision", "runtime"))
        # The card's accuracy is that of the embedded pack.
        assert entry.get("accuracy") == (card["within_10_percent"] if "pack" in entry else None)
        assert card["accuracy"]["all"].endswith(f"{card['within_10_percent']} % within ±10 %")


@pytest.mark.parametrize("text", ["[", "- a list", "chip: [", "\x00", "a: &a [*a]"])
def test_a_bad_card_is_no_card(tmp_path: Path, text: str) -> None:
    (tmp_path / "device.yaml").write_text(text)
    entry = {"name": "mine", "package_location": str(tmp_path), "chip": "own"}
    assert facts_of(entry) == {"chip": "own"}
