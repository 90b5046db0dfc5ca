"""Input shapes and folders of a command line."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from predictor_core.cli.console import UsageError
from predictor_core.cli.models import input_shapes, requested


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (None, None),
        (["1,3,224,224"], (1, 3, 224, 224)),
        (["1x3x32x32"], (1, 3, 32, 32)),
        (["1", "3", "224", "224"], (1, 3, 224, 224)),
        (["[1,3,8,8]", "1,10"], [(1, 3, 8, 8), (1, 10)]),
    ],
)
def test_input_shapes(words: list[str] | None, expected: object) -> None:
    assert input_shapes(words) == expected


@pytest.mark.parametrize("word", ["", "1,,3", "a,b", "0,3", "1,3,-1"])
def test_input_shapes_that_are_none(word: str) -> None:
    with pytest.raises(UsageError, match="--input-shape"):
        input_shapes([word])


def test_a_folder_of_saved_models(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()
    (tmp_path / "frozen.pb").touch()
    (tmp_path / "empty").mkdir()
    sources = requested(Namespace(tensorflow=[str(tmp_path), str(tmp_path / "a")]))
    assert {source.model_type for source in sources} == {"pb"}
    assert [Path(source.path).name for source in sources] == ["a", "b", "frozen.pb", "a"]


def test_a_folder_of_several_formats(tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").touch()
    for name in ("a.tflite", "b.XML", "b.bin", "c.onnx", "notes.txt", "d.pt2"):
        (tmp_path / name).touch()
    # What stands beside models is none of them, and is read where it is named.
    (tmp_path / "config.json").write_text('{"hidden_size": 768}')
    (tmp_path / "junit.xml").write_text("<?xml version='1.0'?><testsuites/>")
    (tmp_path / "e.json").write_text('{"x": {"attr": {}, "inbounds": [], "outbounds": []}}')
    (config,) = requested(Namespace(models=[str(tmp_path / "config.json")]))
    assert config.model_type == "nnmeter-ir"
    sources = requested(Namespace(models=[str(tmp_path)]))
    found = {Path(source.path).name: source.model_type for source in sources}
    assert found == {
        "a.tflite": "tflite",
        "b.XML": "openvino",
        "c.onnx": "onnx",
        "d.pt2": "torch",
        "e.json": "nnmeter-ir",
        "saved": "pb",
    }
    (notes,) = requested(Namespace(models=[str(tmp_path / "notes.txt")]))
    assert "does not tell its model type" in str(notes.error)


def test_paths_behind_the_predictors_are_models(tmp_path: Path) -> None:
    (tmp_path / "a.tflite").touch()
    arguments = Namespace(predictor=["all", str(tmp_path), "absent.onnx"], models=[])
    first, second = requested(arguments)
    assert arguments.predictor == ["all"]
    assert (first.model_type, first.error) == ("tflite", None)
    assert "no such file" in str(second.error)


def test_a_word_behind_the_predictors_that_is_no_path_is_named() -> None:
    with pytest.raises(UsageError, match="'absent' counts as a predictor, for there is no such file"):
        requested(Namespace(predictor=["all", "absent"], models=[]))
    with pytest.raises(UsageError, match=r"without one$"):
        requested(Namespace(predictor=["all"], models=[]))


def test_models_beside_a_flag_are_refused() -> None:
    with pytest.raises(UsageError, match=r"a\.tflite is named beside --onnx"):
        requested(Namespace(models=["a.tflite"], onnx=["b.onnx"]))


def test_torchvision_names_are_no_paths() -> None:
    (source,) = requested(Namespace(torchvision=["resnet18"]))
    assert (source.path, source.label, source.model_type) == ("resnet18", "resnet18", "torchvision")
    assert source.error is None
