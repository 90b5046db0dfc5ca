"""Rules files: the embedded ones, and what is wrong with others."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictor_core.errors import PredictorError
from predictor_core.fusion import load_rules, read_rules
from predictor_core.ir.ops import KNOWN_OPS
from predictor_core.kernels import KERNEL_OPS
from tests.devices import DEVICES


@pytest.mark.parametrize("device", DEVICES)
def test_embedded_rules_speak_of_ops_that_exist(device: str) -> None:
    rules = load_rules(device)
    for last, followers in rules.pairs.items():
        main, _, op = last.rpartition("-")
        assert last in KERNEL_OPS or (main in KERNEL_OPS and op in KERNEL_OPS)
        assert followers <= KNOWN_OPS
    for pattern in rules.patterns:
        assert pattern.name in KERNEL_OPS
        assert all(step.ops <= KNOWN_OPS for step in pattern.steps)
    assert rules.engine <= set(KERNEL_OPS)


def write(folder: Path, text: str) -> Path:
    path = folder / "fusion_rules.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_classes_stand_on_both_sides(tmp_path: Path) -> None:
    rules = read_rules(
        write(
            tmp_path,
            "classes: {clamp: [relu, relu6]}\npairs: {clamp: [clamp], conv: [clamp], conv-clamp: [add]}",
        )
    )
    both = frozenset({"relu", "relu6"})
    add = frozenset({"add"})
    assert rules.pairs == {"relu": both, "relu6": both, "conv": both, "conv-relu": add, "conv-relu6": add}


def test_an_unknown_device_lists_those_that_exist() -> None:
    with pytest.raises(PredictorError, match=r"'pixel9'.*adreno640gpu_tflite21"):
        load_rules("pixel9")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "must be a mapping"),
        ("pairs: {conv: relu}", "expected a list"),
        ("pairs: [conv]", "pairs must be a mapping"),
        ("patterns: [sneeze]", "unknown patterns.*sneeze"),
        ("fuse: {}", "unknown entries.*fuse"),
        ("pairs: {conv: [", "not a YAML file"),
        ("classes: {clamp: 3}\npairs: {conv: [clamp]}", "clamp"),
        ("patterns: se", "patterns"),
        ("engine: conv", "expected a list"),
    ],
)
def test_a_malformed_file_is_one_error_that_names_it(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(PredictorError, match=message) as caught:
        read_rules(path)
    assert str(path) in str(caught.value)
