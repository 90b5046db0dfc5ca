"""The page and the fragment: what they are made of stands in `parts`."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from predictor_core.views.breakdown import column_names
from predictor_core.views.html.parts import escape, legend, overview, report_section

if TYPE_CHECKING:
    from predictor_core.predictor.report import LatencyReport


def page(reports: Sequence[LatencyReport], title: str = "") -> str:
    """Write reports as one standalone HTML file, which loads nothing from anywhere.

    Parameters
    ----------
    reports : sequence of LatencyReport
        Of one or several models on one or several devices.
    title : str
        Default: the names of the models.

    Returns
    -------
    str
        To be written as UTF-8. Folding works without scripts, sorting with the one that it holds; a content
        security policy forbids all others, and the network.
    """
    title = title or "Latency of " + ", ".join(dict.fromkeys(report.model or "model" for report in reports))
    script = _asset("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{_asset('report.css')}\n.nn-page{{{_PAGE}}}</style>\n"
        f'</head>\n<body class="nn-page">\n<main class="nn-report">\n<h1>{escape(title)}</h1>\n'
        f"{_body(reports)}\n</main>\n<script>{script}</script>\n</body>\n</html>\n"
    )


def fragment(reports: Sequence[LatencyReport]) -> str:
    """Write reports as an HTML element with its own style and without a script, for notebooks."""
    return f'<div class="nn-report"><style>{_asset("report.css")}</style>{_body(reports)}</div>'


_PAGE = "margin:0;background:Canvas"


def _body(reports: Sequence[LatencyReport]) -> str:
    names = column_names(reports)
    several = len(reports) > 1
    sections = [
        report_section(report, name, number, opened=number == 0)
        for number, (report, name) in enumerate(zip(reports, names))
    ]
    return "\n".join([*([overview(reports)] if several else []), legend(), *sections])


@cache
def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8").strip()
