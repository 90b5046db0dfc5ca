"""``nn-meter register`` and ``unregister`` with a pack of the package's own format."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from predictor_core.catalog import PACKAGE
from predictor_core.cli.main import main

META = "name: mydevice\nversion: '3.1'\ncategory: cpu\npackage_location: .\n"


@pytest.fixture
def meta(tmp_path: Path) -> Path:
    """Meta file beside a copy of an embedded pack."""
    device = PACKAGE / "devices" / "adreno640gpu_tflite21"
    for name in ("forests.pack", "fusion_rules.yaml"):
        shutil.copy(device / name, tmp_path / name)
    path = tmp_path / "meta.yaml"
    path.write_text(META)
    return path


def test_register_list_use_unregister(meta: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["register", "--predictor", str(meta)]) == 0
    assert capsys.readouterr().out == "[RESULT] registered mydevice: version=3.1\n"
    assert main(["list", "--verbose"]) == 0
    assert "[Predictor] mydevice: version=3.1, category=cpu, your own" in capsys.readouterr().out
    assert main(["register", "--predictor", str(meta)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert main(["unregister", "--predictor", "MyDevise"]) == 1
    assert "no predictor 'MyDevise' is registered; did you mean 'mydevice'?" in capsys.readouterr().err
    assert main(["unregister", "--predictor", "MyDevice"]) == 0
    assert capsys.readouterr().out == "[RESULT] unregistered mydevice: version=3.1\n"
    assert main(["list"]) == 0
    assert "mydevice" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: mydevice\n", "the key 'version' is missing"),
        (META.replace("mydevice", '"a\\n[RESULT] b"'), r"'name' is 'a\n[RESULT] b'; expected a name"),
        (META.replace("cpu", '"cpu\\n[RESULT] b"'), "'category' is"),
        ("- a list", "got list, expected a mapping"),
        ("{{{", "is not YAML"),
    ],
)
def test_a_bad_meta_file_is_one_line(
    meta: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    meta.write_text(text)
    assert main(["register", "--predictor", str(meta)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1


def test_what_is_not_registered(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["unregister", "--predictor", "adreno640gpu_tflite21"]) == 1
    assert "registered are: none" in capsys.readouterr().err
