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
    model_type, sources = requested(Namespace(tensorflow=[str(tmp_path), str(tmp_path / "a")]))
    assert model_type == "pb"
    assert [Path(source.path).name for source in sources] == ["a", "b", "frozen.pb", "a"]


def test_torchvision_names_are_no_paths() -> None:
    model_type, sources = requested(Namespace(torchvision=["resnet18"]))
    assert model_type == "torchvision"
    assert [(source.path, source.label, source.error) for source in sources] == [
        ("resnet18", "resnet18", None)
    ]
