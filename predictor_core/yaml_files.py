"""YAML from files of others: bounded in size and depth, without aliases, which multiply what they name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

#: Largest file; lists and cards of predictors have a few kilobytes.
MAX_BYTES = 2**20
MAX_DEPTH = 50


def read_yaml(path: Path) -> Any:
    """Read a YAML file of plain data.

    Raises
    ------
    OSError
        The file can't be read.
    ValueError
        It is no YAML, too large, nested too deep, or has aliases; the message says which.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES} bytes")
    return parse_yaml(path.read_text(encoding="utf-8"))


def parse_yaml(text: str) -> Any:
    """Parse YAML text of plain data; errors as for `read_yaml`."""
    # The loader in C is ten times as fast, and part of most builds of pyyaml.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        depth = 0
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, yaml.AliasEvent):
                raise ValueError(f"it has the alias *{event.anchor:.40}; aliases are not accepted")
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
        return yaml.load(text, Loader=loader)
    except (yaml.YAMLError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"it is not YAML: {error}") from error
