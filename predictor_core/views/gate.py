"""Limits for predicted latencies, for continuous integration: verdicts, JUnit XML, GitHub annotations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from predictor_core.errors import PredictorError
from predictor_core.text import printable
from predictor_core.views.comparison import compare, reasons

if TYPE_CHECKING:
    from predictor_core.predictor.report import LatencyReport


@dataclass(frozen=True)
class Verdict:
    """Whether a model keeps its limits on a device.

    Parameters
    ----------
    model, predictor : str
    reasons : tuple of str
        What it breaks; empty when it passes.
    latency_ms : float, optional
        None when the model could not be predicted.
    """

    model: str
    predictor: str
    reasons: tuple[str, ...]
    latency_ms: float | None = None

    @property
    def passed(self) -> bool:
        """Whether it keeps every limit."""
        return not self.reasons

    @property
    def summary(self) -> str:
        """The latency and what it breaks, on one line."""
        latency = "" if self.latency_ms is None else f"{self.latency_ms:.6g} ms"
        return printable(", ".join(filter(None, (latency, "; ".join(self.reasons)))))

    def __str__(self) -> str:
        word = "pass" if self.passed else "FAIL"
        where = f" on {printable(self.predictor)}" if self.predictor else ""
        return f"{word} {printable(self.model)}{where}: {self.summary}"


def check(
    report: LatencyReport,
    max_ms: float | None = None,
    baseline: Sequence[LatencyReport] | None = None,
    tolerance: float = 0.0,
) -> Verdict:
    """Hold a report against limits. A prediction has no noise: equal models have equal latencies.

    Parameters
    ----------
    report : LatencyReport
    max_ms : float, optional
        The latency must not exceed it.
    baseline : sequence of LatencyReport, optional
        Older reports, of `read_reports`. The one of the same model and predictor is what the latency is
        compared with.
    tolerance : float
        Share by which the latency may exceed that of the baseline.

    Returns
    -------
    Verdict

    Raises
    ------
    PredictorError
        Without a limit, or for a limit that is not positive.
    """
    if max_ms is None and baseline is None:
        raise PredictorError("nothing to check against; expected a largest latency, a baseline, or both")
    if max_ms is not None and not max_ms > 0.0:
        raise PredictorError(f"expected a largest latency above 0 ms, got {max_ms}")
    if not tolerance >= 0.0:
        raise PredictorError(f"expected a tolerance of 0 or more, got {tolerance}")
    broken = []
    ms = report.latency_ms
    if max_ms is not None and not ms <= max_ms:
        broken.append(f"{ms / max_ms - 1.0:.1%} above the limit of {max_ms:.6g} ms")
    if baseline is not None:
        broken += _against(report, baseline, tolerance)
    return Verdict(report.model, report.predictor, tuple(broken), ms)


def _against(report: LatencyReport, baseline: Sequence[LatencyReport], tolerance: float) -> list[str]:
    same = [
        one
        for one in baseline
        if one.model == report.model and one.predictor.lower() == report.predictor.lower()
    ]
    if not same:
        return ["the baseline has no such model and predictor; write it anew"]
    old = same[-1]
    if old.version != report.version:
        return [
            f"the baseline is of version {old.version} of the predictor, not {report.version}; write it anew"
        ]
    limit_ms = old.latency_ms * (1.0 + tolerance)
    if report.latency_ms <= limit_ms * (1.0 + 1e-9):
        return []
    comparison = compare(old, report)
    return [
        f"{comparison.change:.1%} slower than the baseline of {old.latency_ms:.6g} ms, {tolerance:.1%} are "
        f"allowed: {reasons(comparison)[0]}"
    ]


def junit(verdicts: Iterable[Verdict], name: str = "nn-meter check") -> str:
    """Write verdicts as JUnit XML: a test case each, its class name the predictor."""
    listed = list(verdicts)
    failed = sum(not one.passed for one in listed)
    counts = {"tests": str(len(listed)), "failures": str(failed), "errors": "0"}
    root = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(root, "testsuite", {"name": name, **counts})
    for verdict in listed:
        identity = {"name": printable(verdict.model), "classname": printable(verdict.predictor)}
        case = ElementTree.SubElement(suite, "testcase", {**identity, "time": "0"})
        if verdict.latency_ms is not None:
            properties = ElementTree.SubElement(case, "properties")
            value = f"{verdict.latency_ms:.9g}"
            ElementTree.SubElement(properties, "property", {"name": "latency_ms", "value": value})
        if not verdict.passed:
            ElementTree.SubElement(case, "failure", {"message": verdict.summary, "type": "latency"})
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def annotation(verdict: Verdict, file: str = "") -> str:
    """Write a verdict as a workflow command of GitHub Actions, which annotates the file of the model."""
    level = "notice" if verdict.passed else "error"
    title = _property("nn-meter: " + (verdict.predictor or "no prediction"))
    place = f"file={_property(file)}," if file else ""
    return f"::{level} {place}title={title}::{_message(str(verdict))}"


def _message(text: str) -> str:
    return printable(text).replace("%", "%25")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
