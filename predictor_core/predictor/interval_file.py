"""The file of a predictor's half widths, beside its pack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from predictor_core.errors import PackError
from predictor_core.files import write_atomically
from predictor_core.kernels.estimates import KINDS
from predictor_core.predictor.hardness import PROFILE
from predictor_core.predictor.interval import MOST, Floats, Group, Sides, Widths

INTERVAL_FILE = "interval.json"
FORMAT = 1
_MAX_BYTES = 2**20


def read_widths(path: Path) -> Widths | None:
    """Read the file of a predictor; None where there is none.

    Raises
    ------
    PackError
        It is malformed, or of profiles that this version of the package does not compute.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"it has more than {_MAX_BYTES} bytes")
        return _from_dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise PackError(f"{path} does not hold the half widths of intervals: {error!r}") from error


def write_widths(path: Path, widths: Widths) -> Path:
    """Write the file, one group a line."""
    content = to_dict(widths)
    groups = ",\n  ".join(json.dumps(group) for group in content.pop("groups"))
    head = json.dumps(content, indent=1)
    write_atomically(path, f'{head[:-2]},\n "groups": [\n  {groups}\n ]\n}}\n')
    return path


def to_dict(widths: Widths) -> dict[str, Any]:
    """Return plain values, as they are written."""
    return {
        "format": FORMAT,
        "facts": dict(widths.facts),
        "profile": list(PROFILE),
        "unlike": _pair(widths.unlike),
        "edge": widths.edge,
        "unlike_scale": widths.unlike_scale,
        "unfamiliar": _pair(widths.epistemic),
        "spread_scale": widths.deviation_scale,
        "outside": _pair(widths.outside),
        "estimated": {name: _pair(sides) for name, sides in widths.estimated.items()},
        "groups": [
            {
                "name": group.name,
                "radius": _short(group.radius),
                "known": _pair(group.known),
                "center": [_short(value) for value in group.center],
                "scale": [_short(value) for value in group.scale],
            }
            for group in widths.groups
        ],
    }


def _from_dict(content: Mapping[str, Any]) -> Widths:
    if content["format"] != FORMAT:
        raise ValueError(f"format is {content['format']!r}; this version of the package reads {FORMAT}")
    if tuple(content["profile"]) != PROFILE:
        raise ValueError("its profiles are others than this version of the package computes")
    groups = tuple(
        Group(
            str(one["name"]),
            _vector(one["center"]),
            _vector(one["scale"], positive=True),
            _number(one["radius"], positive=True),
            _sides(one["known"]),
        )
        for one in content["groups"]
    )
    if not groups:
        raise ValueError("it has no groups")
    return Widths(
        groups,
        _sides(content["unlike"]),
        _number(content["edge"]),
        _number(content["unlike_scale"], positive=True),
        _sides(content["unfamiliar"]),
        _number(content["spread_scale"], positive=True),
        _sides(content["outside"]),
        {name: _sides(content["estimated"][name]) for name in KINDS},
        dict(content.get("facts", {})),
    )


def _short(value: float) -> float:
    return float(f"{value:.5g}")


def _pair(sides: Sides) -> list[float]:
    return [_short(sides.below), _short(sides.above)]


def _number(value: Any, *, positive: bool = False) -> float:
    number = float(value)
    if not -1e6 < number < 1e6 or (positive and number <= 0.0):
        raise ValueError(f"it holds {value!r}")
    return number


def _vector(values: Any, *, positive: bool = False) -> Floats:
    numbers = np.array([_number(value, positive=positive) for value in values])
    if numbers.shape != (len(PROFILE),):
        raise ValueError(f"a profile has {len(PROFILE)} numbers, got {len(numbers)}")
    return numbers


def _sides(values: Any) -> Sides:
    below, above = (_number(value) for value in values)
    if not (0.0 <= below <= MOST and 0.0 <= above <= MOST):
        raise ValueError(f"half widths are {values!r}")
    return Sides(below, above)
