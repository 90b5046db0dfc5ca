"""``nn-meter devices``: the table, its filters, whole cards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from predictor_core import list_latency_predictors
from predictor_core.catalog import PACKAGE
from predictor_core.cli.main import main

CARDS = [yaml.safe_load(path.read_text("utf-8")) for path in (PACKAGE / "devices").glob("*/device.yaml")]
NAMES = {card["device"] for card in CARDS}


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal in which no cell is broken."""
    monkeypatch.setenv("COLUMNS", "1000")


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main(["devices", *words]) == 0
    return [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]]


def test_the_table_has_every_device_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "chip", "cores", "precision", "runtime", "within", "10", "%"]
    for card in CARDS:
        (line,) = [line for line in lines if line.startswith(f"{card['device']} ")]
        assert all(card[key] in line for key in ("chip", "cores", "precision", "runtime"))
        assert line.endswith(f" {card['within_10_percent']:.1f} %")


def test_the_table_fits_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["devices"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["adreno6?0gpu_*"], ["adreno640gpu_tflite21", "adreno630gpu_tflite21"]),
        (
            ["Snapdragon 855", "gpu"],
            ["adreno640gpu_tflite21", "pixel4_gpu_fp16_tflite210", "pixel4_gpu_fp16_torch20"],
        ),
        (["galaxy s10", "int8", "2 x mongoose", "tflite"], ["s10_cpu2large_int8_tflite210"]),
        (["iphonexs*", "gpu"], ["iphonexs_gpu_fp16_tflite210", "iphonexs_gpu_fp16_torch20"]),
        (["*vpu*"], ["myriadvpu_openvino2019r2"]),
    ],
)
def test_words_choose(words: list[str], names: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(capsys, *words) == names


def test_a_name_gives_the_whole_card(capsys: pytest.CaptureFixture[str]) -> None:
    for card in CARDS:
        assert main(["devices", card["device"].upper()]) == 0
        text = capsys.readouterr().out
        assert all(key in text for key in card)
        assert card["noise"] in text


def test_json_has_the_cards(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "--json"]) == 0
    cards = json.loads(capsys.readouterr().out)
    assert {card["device"] for card in cards} >= NAMES
    assert all(card["within_10_percent"] for card in cards)
    assert main(["devices", "vpu", "--json"]) == 0
    (card,) = json.loads(capsys.readouterr().out)
    assert card["accuracy"]["all"].endswith("within ±10 %")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["cortexA67cpu_tflite21"], "did you mean 'cortexA76cpu_tflite21'?"),
        (["adreno", "vpu"], "no device has all of adreno, vpu"),
    ],
)
def test_no_such_device(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", *words]) == 1
    assert message in capsys.readouterr().err


def test_a_device_of_the_users_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = PACKAGE / "devices" / "adreno640gpu_tflite21"
    for name in ("forests.pack", "fusion_rules.yaml"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    (tmp_path / "device.yaml").write_text("chip: My Chip\ncores: 4\nwithin_10_percent: 71.5\n")
    meta = tmp_path / "meta.yaml"
    meta.write_text("name: mine\nversion: 1\ncategory: cpu\npackage_location: .\nruntime: mine 1.0\n")
    assert main(["register", "--predictor", str(meta)]) == 0
    capsys.readouterr()
    assert main(["devices", "mychip"]) == 0
    row = capsys.readouterr().out.splitlines()[1]
    assert row.split() == ["mine", "My", "Chip", "4", "mine", "1.0", "rough:", "71.5", "%"]
    (entry,) = [entry for entry in list_latency_predictors() if entry["name"] == "mine"]
    assert (entry["cores"], entry["runtime"], entry["accuracy"]) == ("4", "mine 1.0", 71.5)
