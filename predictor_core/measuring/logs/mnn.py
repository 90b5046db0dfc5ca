"""MNN's ``benchmark.out``: one line a model, in ms (benchmark/benchmark.cpp of MNN)."""

from __future__ import annotations

import re

from predictor_core.measuring.logs.base import LogFormat, LoggedModel, search, search_count
from predictor_core.measuring.rows import environment, threads_text

_LINE = re.compile(
    r"^\s*\[ ?- ?\]\s*(\S+)\s+max =\s*([\d.]+) ?ms\s+min =\s*([\d.]+) ?ms\s+avg =\s*([\d.]+) ?ms",
    re.MULTILINE,
)
#: Numbers that MNN gives its precisions.
_PRECISIONS = {"1": "fp32", "2": "fp16"}


def _matches(text: str) -> bool:
    return _LINE.search(text) is not None


def _read(text: str) -> list[LoggedModel]:
    runs = search_count(r"loop = (\d+)", text)
    threads = search_count(r"thread\s*=\s*(\d+)", text)
    backend = search(r"Forward type: ?\*\*(\w+)\*\*", text)
    precision = search(r"precision\s*=\s*(\d+)", text)
    where = environment("MNN", backend, threads_text(threads), _PRECISIONS.get(precision or ""))
    return [
        LoggedModel(found[1], float(found[4]), runs=runs, environment=where) for found in _LINE.finditer(text)
    ]


FORMATS = (LogFormat("MNN benchmark", _matches, _read),)
