"""Torch's exporters without what they log and print, which is not for the user of a predictor."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

#: What the exporter prints with.
_DUMP: Any = getattr(torch._C, "_jit_onnx_log", None)


@contextmanager
def no_logs() -> Iterator[None]:
    """Leave out what torch logs by its own handlers, which hold the stderr of the time they were made."""

    def refuse(record: logging.LogRecord) -> bool:
        return False

    loggers = [one for name, one in list(logging.root.manager.loggerDict.items()) if name.startswith("torch")]
    handlers = [handler for one in loggers if isinstance(one, logging.Logger) for handler in one.handlers]
    for handler in handlers:
        handler.addFilter(refuse)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(refuse)


@contextmanager
def no_dump() -> Iterator[None]:
    """Leave out the whole graph that the exporter prints where it fails, whatever its options say."""
    if _DUMP is None:
        yield
        return
    # The exporter's passes print to stdout, which is for results.
    torch._C._jit_set_onnx_log_output_stream("stderr")
    torch._C._jit_onnx_log = lambda *_: None
    try:
        yield
    finally:
        torch._C._jit_onnx_log = _DUMP
