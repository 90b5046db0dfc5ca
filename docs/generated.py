"""What the site shows beside the pages of this folder: texts of the repository, and the table of the devices.

MkDocs calls the functions that start with ``on_`` (see ``hooks`` in ``mkdocs.yml``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from predictor_core.catalog.cards import ROUGH_BELOW, card_of, facts_of
from predictor_core.catalog.embedded import PACKAGE, embedded_predictors
from predictor_core.predictor.collection import read_collection

ROOT = Path(__file__).parents[1]

#: Pages that are texts of the repository.
TEXTS = {"contributing.md": "CONTRIBUTING.md", "security.md": "SECURITY.md", "changelog.md": "CHANGELOG.md"}
#: What the tables of the devices take the place of.
PLACE = "<!-- Tables by docs/generated.py -->"

_HEADINGS = ("predictor", "cores", "precision", "runtime", "unseen models", "families left out")


def on_files(files: Any, config: Any) -> Any:
    """Add the texts of the repository."""
    from mkdocs.structure.files import File

    for page, text in TEXTS.items():
        files.append(File.generated(config, page, content=(ROOT / text).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the tables where a page has their place."""
    return markdown.replace(PLACE, device_tables()) if PLACE in markdown else markdown


def device_tables() -> str:
    """Return a table a device of all predictors that the package knows, as Markdown."""
    tables: dict[str, list[tuple[str, ...]]] = {}
    for known in embedded_predictors():
        entry = {**known, **facts_of(known)}
        tables.setdefault(f"{_hardware(entry)}, {entry['chip']}", []).append(_row(entry))
    return "\n\n".join("\n".join(_table(title, rows)) for title, rows in tables.items())


def _hardware(entry: dict[str, Any]) -> str:
    text = str(entry.get("hardware") or card_of(entry).get("hardware") or entry["name"])
    return text.partition(",")[0]


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    name = f"`{entry['name']}`"
    if "download" in entry:
        return (f"{name} {entry['version']}", *_facts(entry), "nn-Meter's own", "-")
    accuracy = float(entry["accuracy"])
    rough = " (rough)" if accuracy < ROUGH_BELOW else ""
    return (name, *_facts(entry), f"{accuracy:.1f} %{rough}", f"{_left_out(entry):.1f} %")


def _facts(entry: dict[str, Any]) -> tuple[str, ...]:
    return tuple([str(entry.get(key) or "-") for key in ("cores", "precision", "runtime")])


def _left_out(entry: dict[str, Any]) -> float:
    """Share in % within ±10 % of models whose family no fit has seen."""
    if "headers" in entry:
        header = read_collection(PACKAGE / entry["headers"], str(entry["name"]), entry["sha256"])
        return float(header.accuracy["families_left_out"]["within_10"])
    figures = json.loads((ROOT / "benchmarks" / "results" / "accuracy.json").read_text(encoding="utf-8"))
    wanted = (entry["name"], "family left out", "mean")
    (row,) = [row for row in figures["rows"] if (row["device"], row["models"], row["family"]) == wanted]
    return float(row["within ±10 %"])


def _table(title: str, rows: list[tuple[str, ...]]) -> Iterator[str]:
    yield f"### {title}"
    yield ""
    yield f"| {' | '.join(_HEADINGS)} |"
    yield "|---|---|---|---|---:|---:|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
