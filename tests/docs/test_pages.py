"""Every code block on every page runs."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from predictor_core import zoo
from predictor_core.frontends.nnmeter_ir import to_document
from tests.docs.blocks import LANGUAGES, ROOT, Block, blocks, missing, pages

HERE = Path(__file__).parent
#: For the pages with experiments, on a busy machine.
TIMEOUT_S = 3600

PAGES = {path.relative_to(ROOT).as_posix(): blocks(path) for path in pages()}


def runs() -> list[tuple[str, str]]:
    """Return pages, each once for every set of packages that blocks need, with the blocks that need none.

    A set whose blocks are all part of another page's is left to that page.
    """
    found = []
    for page, listed in PAGES.items():
        sets = list(dict.fromkeys(block.needs for block in listed if block.runs))
        sets = [needs for needs in sets if not needs or not elsewhere(page, needs)]
        if any(needs and not missing(needs) for needs in sets):
            sets = [needs for needs in sets if needs]
        found += [(page, needs) for needs in sets]
    return found


def elsewhere(page: str, needs: str) -> bool:
    """Whether one other page has these blocks too, with the same marks, and goes on after the same lines."""
    mine = [block for block in PAGES[page] if block.runs and block.needs == needs]
    return any(
        all(any(goes_on(other, block) for other in listed) for block in mine) for listed in PAGES.values()
    )


def goes_on(longer: Block, block: Block) -> bool:
    """Whether a block that runs begins with all that another does, and does more."""
    same = (longer.language, longer.marks) == (block.language, block.marks)
    return same and longer.runs and longer.code != block.code and longer.code.startswith(block.code)


RUNS = runs()


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the commands that pages call: those of this checkout, and a pip that installs nothing."""
    folder = tmp_path_factory.mktemp("bin")
    commands = {
        "nn-meter": [sys.executable, "-m", "predictor_core.cli.main"],
        "python": [sys.executable],
        "pip": [sys.executable, str(HERE / "pip_shim.py")],
    }
    for name, words in commands.items():
        path = folder / name
        path.write_text(f'#!/bin/sh\nexec {" ".join(map(repr, words))} "$@"\n')
        path.chmod(0o755)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Working folder with models of every format, called as the pages call them."""
    examples = ROOT / "examples" / "models"
    (tmp_path / "models").mkdir()
    for name in ("model.onnx", "new.onnx", "models/mobilenet_v2.onnx"):
        shutil.copy(examples / "mobilenet_v2.onnx", tmp_path / name)
    for name in ("other.onnx", "old.onnx", "models/mobilenet_v3_small.onnx"):
        shutil.copy(examples / "mobilenet_v3_small.onnx", tmp_path / name)
    for source, name in (
        ("tensorflow/mobilenet_v2_frozen.pb", "model.pb"),
        ("tensorflow/mobilenet_v2_saved_model.pb", "saved_model/saved_model.pb"),
        ("tflite/mobilenet_v2_float.tflite", "model.tflite"),
        ("openvino/mobilenet_v2.xml", "model.xml"),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.decompress((ROOT / "tests" / "fixtures" / f"{source}.gz").read_bytes()))
    (tmp_path / "model.json").write_text(json.dumps(to_document(zoo.build("squeezenet"))))
    (tmp_path / "logs").mkdir()
    shutil.copy(ROOT / "tests" / "fixtures" / "logs" / "tflite_new.log", tmp_path / "logs")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(("page", "needs"), RUNS, ids=[f"{page}[{needs}]" for page, needs in RUNS])
def test_page(page: str, needs: str, folder: Path, tools: Path, own_home: Path) -> None:
    if missing(needs):
        lines = [str(block.line) for block in PAGES[page] if block.runs and block.needs == needs]
        pytest.skip(f"lines {', '.join(lines)} need {', '.join(missing(needs))}, not installed here")
    steps = [block.step for block in PAGES[page] if block.runs and block.needs in ("", needs)]
    plan = folder / "steps.json"
    plan.write_text(json.dumps(steps))
    search_path = [HERE / "startup", ROOT, os.environ.get("PYTHONPATH")]
    environment = {
        **os.environ,
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(map(str, filter(None, search_path))),
        # NNI writes its experiments into the home folder.
        "HOME": str(folder),
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
        "MPLBACKEND": "agg",
    }
    command = [sys.executable, str(HERE / "run_page.py"), str(plan)]
    with (folder / "output.txt").open("w+", encoding="utf-8") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True
        )
        try:
            status = process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        output.seek(0)
        assert status == 0, output.read()


def test_every_block_says_what_it_is() -> None:
    unknown = [
        f"{block.page}:{block.line}: {block.language or 'no language'}"
        for found in PAGES.values()
        for block in found
        if block.language not in (*LANGUAGES, "text")
    ]
    assert unknown == []


def test_code_stands_between_fences() -> None:
    """Markdown takes indented lines after an empty one as code, too; outside of lists none are."""
    found = []
    for path in pages():
        lines = re.sub(r"^( *)```.*?^ *```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
        found += [f"{path.name}: {line}" for line in re.findall(r"\n\n(    [^\s:-].*)", lines)]
    assert [line for line in found if "    options:" not in line and "      members:" not in line] == []


def test_few_blocks_are_not_run() -> None:
    left_out = {
        f"{block.page}:{block.line}": block.marks["not run"]
        for found in PAGES.values()
        for block in found
        if "not run" in block.marks
    }
    assert all(left_out.values())
    assert len(left_out) <= 9, left_out
