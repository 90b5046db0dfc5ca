from __future__ import annotations

import shutil
import subprocess

import pytest

from predictor_core.cli.main import main


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_knows_the_subcommands_and_is_valid(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("shtab")
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(word in script for word in ("predict", "compare", "check", "completion", "baseline"))
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_another_shell_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcl"]) == 2
    assert "invalid choice: 'tcl'" in capsys.readouterr().err


def test_bash_completes_subcommands_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shtab")
    if not shutil.which("bash"):
        pytest.skip("no bash here")
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    for words, completed in (("nn-meter pre", "predict"), ("nn-meter check --ba", "--baseline")):
        ask = f"""
            COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
            $(complete -p nn-meter | sed -E 's/.*-F ([^ ]+).*/\\1/'); echo "${{COMPREPLY[@]}}"
        """
        done = subprocess.run(["bash", "-c", script + ask], capture_output=True, text=True, check=True)
        assert completed in done.stdout.split(), done
