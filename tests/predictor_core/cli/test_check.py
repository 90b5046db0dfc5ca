from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from predictor_core import load_latency_predictor
from predictor_core.cli.main import main

CPU = "cortexA76cpu_tflite21"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _not_on_github(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


def check(path: Path, *options: object) -> int:
    return main(["check", str(path), "--predictor", CPU, *map(str, options)])


def test_a_limit(model_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = model_files / "squeezenet.json"
    ms = load_latency_predictor(CPU).predict(path)
    assert check(path, "--max-ms", ms * 1.001) == 0
    assert capsys.readouterr().out == f"pass squeezenet.json on {CPU}: {ms:.6g} ms\n"
    assert check(path, "--max-ms", f"{ms / 2.0:.9f}ms") == 1
    assert capsys.readouterr().out == (
        f"FAIL squeezenet.json on {CPU}: {ms:.6g} ms, 100.0% above the limit of {ms / 2.0:.6g} ms\n"
    )


def test_what_predict_printed_is_a_baseline(
    model_files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(model_files / "alexnet.json"), "--predictor", CPU, "--json"]) == 0
    old = tmp_path / "old.json"
    old.write_text(capsys.readouterr().out)
    assert check(model_files / "alexnet.json", "--baseline", old) == 0
    renamed = tmp_path / "alexnet.json"
    renamed.write_bytes((model_files / "squeezenet.json").read_bytes())
    capsys.readouterr()
    status = check(renamed, "--baseline", old, "--tolerance", "3%")
    before, after = (
        load_latency_predictor(CPU).predict(one) for one in (model_files / "alexnet.json", renamed)
    )
    assert status == int(after > 1.03 * before)
    assert check(model_files / "squeezenet.json", "--baseline", old) == 1
    assert "no such model and predictor" in capsys.readouterr().out


def test_junit_and_annotations(
    model_files: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report = tmp_path / "out" / "junit.xml"
    monkeypatch.chdir(model_files)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert check(Path("squeezenet.json"), "--max-ms", 0.01, "--junit", report) == 1
    root = ElementTree.fromstring(report.read_bytes())
    assert root.get("failures") == "1"
    _, line = capsys.readouterr().out.splitlines()
    assert line.startswith(f"::error file=squeezenet.json,title=nn-meter%3A {CPU}::FAIL squeezenet.json")


def test_a_model_that_can_not_be_read_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path / "none.json", "--max-ms", 5) == 1
    assert capsys.readouterr().out == f"FAIL {tmp_path}/none.json: no such file or folder\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "expected --max-ms, --baseline or both"),
        (("--max-ms", "0"), "expected a latency in ms above 0, got '0'"),
        (("--max-ms", "nan"), "expected a latency in ms above 0, got 'nan'"),
        (("--max-ms", "5", "--tolerance", "3%"), "--tolerance goes with --baseline"),
        (("--baseline", "x", "--tolerance", "3ms"), "expected a share such as 3% or 0.03"),
        (("--baseline", "x", "--tolerance", "3"), "expected a share such as 3% or 0.03, got '3'"),
    ],
)
def test_wrong_usage(
    model_files: Path, options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(model_files / "alexnet.json", *options) == 2
    assert message in capsys.readouterr().err


def test_a_bad_baseline_is_one_line(
    model_files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    assert check(model_files / "alexnet.json", "--baseline", bad) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_the_example_workflow_runs_what_exists(capsys: pytest.CaptureFixture[str]) -> None:
    workflow = yaml.safe_load((ROOT / "examples" / "gate" / "latency.yml").read_text())
    steps = [
        step["run"] for step in workflow["jobs"]["latency"]["steps"] if "nn-meter" in step.get("run", "")
    ]
    (line,) = [line for step in steps for line in step.splitlines() if line.startswith("nn-meter check")]
    assert main([*line.split()[1:], "--help"]) == 0


def test_the_hook_of_pre_commit_runs_the_gate(model_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    text = (ROOT / "examples" / "gate" / "README.md").read_text()
    config = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    (used,) = config["repos"][0]["hooks"]
    assert used["id"] == hook["id"]
    # pre-commit appends the files to the entry and its arguments.
    words = [*hook["entry"].split()[1:], *used["args"], str(model_files / "alexnet.json")]
    assert main(words) == 1
    assert "above the limit of 20 ms" in capsys.readouterr().out
    chosen = [name for name in ("a/net.onnx", "b.tflite", "notes.txt") if re.search(hook["files"], name)]
    assert chosen == ["a/net.onnx", "b.tflite"]
