"""The HTML page in a real browser: Debian's packages chromium and chromium-driver."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from predictor_core.views.html import fragment, page
from tests.golden.reports import phone, stick, wider

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (BROWSER and DRIVER), reason="no Chromium here; apt-get install chromium chromium-driver"
    ),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    pytest.importorskip("selenium", reason="selenium drives the browser; pip install selenium")
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = str(BROWSER)
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Any:
    path = tmp_path / "report.html"
    path.write_text(page([phone(), stick(), wider()]), encoding="utf-8")
    browser.get(path.as_uri())
    yield browser
    # The content security policy lets its own script run, and nothing asks for anything else.
    assert [line for line in browser.get_log("browser") if line["level"] in ("SEVERE", "WARNING")] == []


def texts(browser: Any, selector: str) -> list[str]:
    return [one.get_attribute("textContent") for one in browser.find_elements("css selector", selector)]


def test_a_click_folds(opened: Any) -> None:
    section = opened.find_element("css selector", "#r0")
    inside = section.find_element("css selector", ".bars")
    assert inside.is_displayed()
    section.find_element("css selector", "summary").click()
    assert not inside.is_displayed()
    section.find_element("css selector", "summary").click()
    assert inside.is_displayed()


def test_modules_fold_in_the_tree(opened: Any) -> None:
    opened.find_element("css selector", "#r0 > details > summary").click()
    branch = opened.find_element("css selector", "#r0 .tree > details")
    row = branch.find_element("css selector", "div.row")
    assert row.is_displayed()
    branch.find_element("css selector", "summary").click()
    assert not row.is_displayed()


def test_a_column_sorts(opened: Any) -> None:
    opened.find_elements("css selector", "#r0 > details > summary")[1].click()
    column = "#r0 .kernels tbody td:nth-child(7)"
    before = texts(opened, column)
    head = opened.find_element("css selector", "#r0 .kernels th:nth-child(7)")
    head.click()
    assert texts(opened, column) == sorted(before, key=float, reverse=True) != before
    assert head.get_attribute("aria-sort") == "descending"
    head.click()
    assert texts(opened, column) == sorted(before, key=float)
    opened.find_element("css selector", "#r0 .kernels th:nth-child(1)").click()
    assert texts(opened, column) == before
    opened.find_element("css selector", "#r0 .kernels th:nth-child(2)").click()
    names = texts(opened, "#r0 .kernels tbody td:nth-child(2)")
    assert names.index("att") < names.index("conv1") < names.index("softmax")


def test_a_link_of_the_overview_unfolds_its_report(opened: Any) -> None:
    section = opened.find_element("css selector", "#r2")
    assert section.get_attribute("open") is None
    opened.find_element("css selector", '.overview a[href="#r2"]').click()
    assert section.get_attribute("open") is not None


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1600])
def test_it_fits_the_window_and_is_legible(opened: Any, width: int, scheme: str) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    opened.execute_script("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert opened.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    cut = opened.execute_script(
        "return [...document.querySelectorAll('.n')].filter(one => one.scrollWidth > one.clientWidth + 1"
        " && one.clientWidth).map(one => one.textContent)"
    )
    assert cut == []
    contrasts = opened.execute_script(_CONTRASTS)
    assert min(contrasts.values()) >= 4.5, contrasts
    backgrounds = opened.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (backgrounds == "rgb(255, 255, 255)") == (scheme == "light")


# Contrast of texts with the page as WCAG 2.1 defines it; 4.5 is its level AA.
_CONTRASTS = """
const rgb = text => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
const luminance = text => rgb(text).map(c => c / 255)
  .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
  .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const page = luminance(getComputedStyle(document.body).backgroundColor);
const found = {};
for (const selector of [".nn-report", ".dim", ".total", "a", "dt", "td"]) {
  const own = luminance(getComputedStyle(document.querySelector(selector)).color);
  found[selector] = (Math.max(own, page) + 0.05) / (Math.min(own, page) + 0.05);
}
return found;
"""


def test_a_notebook_shows_the_same_pieces(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "cell.html"
    path.write_text(f"<!DOCTYPE html><meta charset=utf-8><body>{fragment([phone()])}", encoding="utf-8")
    browser.get(path.as_uri())
    assert browser.find_element("css selector", "#r0 .bars").is_displayed()
    assert "10 ms" in browser.find_element("css selector", "#r0 summary").text
