"""A file that is given as another type than its own: the error names the right one."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from predictor_core import model_file_to_graph, zoo
from predictor_core.cli.main import main
from predictor_core.errors import ModelFormatError
from predictor_core.frontends import FRONTENDS, recognised
from predictor_core.frontends.nnmeter_ir import to_document
from predictor_core.frontends.reading import to_graph
from predictor_core.predictor.base import Predictor

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
#: Model type -> a file of it.
FILES = {
    **{"onnx": "m.onnx", "pb": "m.pb", "tflite": "m.tflite", "openvino": "m.xml"},
    **{"torch": "m.pt2", "keras": "m.keras", "nnmeter-ir": "m.json"},
}
GIVEN = [name for name in FILES if name != "keras"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for source, name in (
        ("tensorflow/mobilenet_v2_frozen.pb.gz", "m.pb"),
        ("tflite/mobilenet_v2.tflite.gz", "m.tflite"),
        ("openvino/mobilenet_v2.xml.gz", "m.xml"),
    ):
        (folder / name).write_bytes(gzip.decompress((FIXTURES / source).read_bytes()))
    (folder / "m.onnx").write_bytes(b"\x08\x08\x12\x07pytorch\x3a\x00")
    (folder / "m.json").write_text(json.dumps(to_document(zoo.build("squeezenet"))))
    for name in ("m.pt2", "m.keras"):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("config.json", "{}")
    return folder


@pytest.mark.parametrize(("given", "own"), [(given, own) for given in GIVEN for own in FILES if given != own])
def test_the_error_names_the_type_and_the_flag(folder: Path, given: str, own: str) -> None:
    flag = FRONTENDS[own].flag
    with pytest.raises(ModelFormatError, match=f"give it with {flag}, or as model type '{own}'$") as found:
        to_graph(folder / FILES[own], given)
    assert "\n" not in str(found.value)


def test_the_first_bytes_count_more_than_the_ending(folder: Path, tmp_path: Path) -> None:
    for own, name in (("tflite", "wrong.onnx"), ("openvino", "wrong.pb")):
        (tmp_path / name).write_bytes((folder / FILES[own]).read_bytes())
        found = recognised(tmp_path / name)
        assert found is not None
        assert found.name == own
        with pytest.raises(ModelFormatError, match=f"give it with {FRONTENDS[own].flag}"):
            to_graph(tmp_path / name)


def test_nothing_is_said_where_nothing_is_known(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"\x00" * 64)
    assert recognised(path) is recognised({}) is recognised(tmp_path / "absent") is None
    with pytest.raises(ModelFormatError) as found:
        to_graph(path, "onnx")
    assert "give it with" not in str(found.value)


def test_the_command_line_says_it_on_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(folder / "m.tflite")
    assert main(["predict", "--predictor", "cortexA76cpu_tflite21", "--onnx", path]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.endswith("it looks like a .tflite file: give it with --tflite, or as model type 'tflite'")


@pytest.mark.parametrize("function", [Predictor.predict, model_file_to_graph])
def test_the_documentation_lists_all_model_types(function: Any) -> None:
    readme = (FIXTURES.parents[1] / "README.md").read_text(encoding="utf-8")
    for name in (*FRONTENDS, "nni-ir"):
        assert f'``"{name}"``' in function.__doc__
        assert f'| `"{name}"` |' in readme
