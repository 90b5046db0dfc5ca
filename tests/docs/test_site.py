"""The site builds without a warning, loads nothing from elsewhere, and has every predictor."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from predictor_core import list_latency_predictors
from tests.docs.blocks import ROOT
from tests.scripts import load_script


@pytest.fixture(scope="module")
def generated() -> ModuleType:
    """The module ``docs/generated.py``."""
    return load_script("docs/generated.py")


def test_every_predictor_has_a_row_with_its_accuracy(generated: ModuleType) -> None:
    page = generated.on_page_markdown((ROOT / "docs" / "devices.md").read_text(encoding="utf-8"))
    assert generated.PLACE not in page
    rows = dict(re.findall(r"^\| (`\w+`(?: 1\.0)?) \| (.*) \|$", page, flags=re.M))
    known = list_latency_predictors()
    assert len(rows) == len(known)
    for entry in known:
        cells = rows[f"`{entry['name']}`" + ("" if "accuracy" in entry else f" {entry['version']}")].split(
            " | "
        )
        assert cells[2] == entry.get("runtime")
        assert cells[3].startswith(f"{entry['accuracy']:.1f} %" if "accuracy" in entry else "nn-Meter")


def test_every_page_is_in_the_navigation(generated: ModuleType) -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r": ([\w-]+\.md)$", text, flags=re.M))
    assert listed == {path.name for path in (ROOT / "docs").glob("*.md")} | set(generated.TEXTS)
    assert yaml.safe_load(text)["theme"]["font"] is False


@pytest.mark.slow
def test_it_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        check=True,
    )
    loaded = re.compile(
        r'<(?:script|img|iframe)[^>]+src="?https?:|<link[^>]+stylesheet[^>]+href="?https?:|@import'
    )
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) >= len(list((ROOT / "docs").glob("*.md")))
    assert [str(page) for page in pages if loaded.search(page.read_text(encoding="utf-8"))] == []
    reference = (tmp_path / "api" / "index.html").read_text(encoding="utf-8")
    public = re.findall(r'^    "(\w+)",$', (ROOT / "predictor_core" / "__init__.py").read_text(), flags=re.M)
    assert [name for name in public if not re.search(rf"predictor_core\.(?:\w+\.)*{name}\b", reference)] == []
