from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from predictor_core import load_latency_predictor, zoo
from predictor_core.predictor.report import LatencyReport
from predictor_core.views.html import fragment, page
from tests.golden.reports import kernel, phone, stick


def test_nothing_is_loaded_and_no_other_script_may_run() -> None:
    text = page([phone(), stick()])
    assert not re.findall(r"(?:src|href)=(?![\"']#)|url\(|@import|https?:", text)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert "default-src 'none'" in policy
    assert "script-src 'sha256-" in policy


@pytest.mark.parametrize("make", [page, fragment])
def test_names_are_escaped(make: object) -> None:
    evil = "<script>alert(1)</script>\"' \u202e\x00"
    one = kernel(evil, evil, 1.0, evil, details=evil, measured=False)
    report = LatencyReport(
        evil, evil, evil, [one], warnings=(evil,), device=evil, card={evil: {evil: [evil]}, "x": evil}
    )
    text = make([report, report])  # type: ignore[operator]
    assert "<script>alert" not in text
    assert "\u202e" not in text
    assert "\x00" not in text
    assert 'title="&lt;script' in text


class _Counter(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.tags: dict[str, int] = {}

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        if tag in ("details", "div", "section", "ul", "table", "main", "summary", "span"):
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("details", "div", "section", "ul", "table", "main", "summary", "span"):
            assert self.opened.pop() == tag


def test_every_kernel_is_in_it_and_elements_are_closed() -> None:
    reports = [load_latency_predictor("cortexA76cpu_tflite21").profile(zoo.build("googlenet"))] * 2
    counter = _Counter()
    counter.feed(page(reports))
    assert not counter.opened
    assert counter.tags["tr"] == 1 + 2 + 2 * (1 + len(reports[0].kernels))


def test_a_model_of_no_kernels() -> None:
    assert "0 kernels" in page([LatencyReport("empty", "p", "2.0", [])] * 2)


def test_a_large_report_stays_small() -> None:
    kernels = [
        kernel(f"encoder.layers.encoder_layer_{i // 35}.self_attention.transpose_{i}", "transpose", 1.0 + i,
               f"encoder.layers.encoder_layer_{i // 35}.self_attention")
        for i in range(415)
    ]  # fmt: skip
    reports = [LatencyReport("vit", f"device{i}", "2.0", kernels, interval_ms=(1, 9)) for i in range(4)]
    assert len(page(reports).encode()) < 10**6
