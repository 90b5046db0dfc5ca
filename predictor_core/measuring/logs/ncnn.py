"""ncnn's ``benchncnn``: one line a model, in ms (benchmark/README.md of ncnn)."""

from __future__ import annotations

import re

from predictor_core.measuring.logs.base import LogFormat, LoggedModel, search_count
from predictor_core.measuring.rows import environment, threads_text

_LINE = re.compile(r"^\s*(\S+)\s+min =\s*([\d.]+)\s+max =\s*([\d.]+)\s+avg =\s*([\d.]+)\s*$", re.MULTILINE)


def _matches(text: str) -> bool:
    return _LINE.search(text) is not None


def _read(text: str) -> list[LoggedModel]:
    gpu = search_count(r"gpu_device = (-?\d+)", text)
    runs = search_count(r"loop_count = (\d+)", text)
    where = environment(
        "ncnn",
        "Vulkan" if gpu is not None and gpu >= 0 else None,
        threads_text(search_count(r"num_threads = (\d+)", text)),
    )
    # A model is run with random numbers; those of the name ending in _int8 are quantised.
    return [
        LoggedModel(
            found[1],
            float(found[4]),
            runs=runs,
            environment=environment(where, "int8" if found[1].endswith("_int8") else None),
        )
        for found in _LINE.finditer(text)
    ]


FORMATS = (LogFormat("ncnn benchncnn", _matches, _read),)
