"""What leaves the package is one line, bounded, and says which file."""

from __future__ import annotations

import pickle

import pytest

from predictor_core.errors import (
    MissingDependencyError,
    ModelFormatError,
    OutputError,
    PredictorError,
    exit_status,
    own_errors,
    requires,
)
from predictor_core.text import MAX_LINE


def test_a_message_is_one_bounded_line() -> None:
    text = str(PredictorError(f"node 'a\n[RESULT] 1 ms\x1b[2J\u202e' {'x' * 100_000} end"))

    assert text.isprintable()
    assert len(text) <= MAX_LINE
    assert text.startswith("node 'a [RESULT] 1 ms\\x1b[2J\\u202e' xxx")
    assert text.endswith("xxx end")


def test_names_of_control_characters_stay_bounded() -> None:
    assert len(str(OutputError("\x00" * MAX_LINE))) <= MAX_LINE


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyError("kernel"), "m.onnx: it is malformed, or its code fails: KeyError: 'kernel'"),
        (MemoryError(), "m.onnx: reading it takes more memory than there is"),
        (RecursionError(), "m.onnx: it is nested too deep"),
    ],
)
def test_other_errors_become_ours(error: Exception, message: str) -> None:
    with pytest.raises(ModelFormatError) as caught, own_errors("./m.onnx"):
        raise error

    assert str(caught.value) == message
    assert caught.value.__cause__ is error


def test_our_errors_stay_and_name_the_file_once() -> None:
    with pytest.raises(OutputError) as caught, own_errors("m.onnx"), own_errors("m.onnx"):
        raise OutputError("disk full")
    assert str(caught.value) == "m.onnx: disk full"
    assert caught.value.reason == "disk full"
    assert str(pickle.loads(pickle.dumps(caught.value))) == "m.onnx: disk full"

    with pytest.raises(OutputError) as caught, own_errors("m.onnx"):
        raise OutputError("m.onnx is a folder")
    assert str(caught.value) == "m.onnx is a folder"


def test_an_interrupt_is_no_error_of_a_model() -> None:
    with pytest.raises(KeyboardInterrupt), own_errors("m.onnx"):
        raise KeyboardInterrupt


def test_an_import_that_fails_names_what_to_install() -> None:
    absent, message = ("nothing", "plot", "A plot"), r"A plot needs the package 'nothing'.*\.\[plot\]"
    with pytest.raises(MissingDependencyError, match=message) as caught, requires(*absent):
        import nothing_of_this_name  # type: ignore[import-not-found]  # noqa: F401

    assert isinstance(caught.value.__cause__, ImportError)


def test_an_error_ends_a_command_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise OutputError("disk full")

    assert exit_status(fail) == 1
    assert capsys.readouterr().err == "error: disk full\n"
    assert exit_status(lambda: None) == 0
