"""The header of a learned device: what it has of its own, over the forests of its source.

A header is a small JSON file, ``header.json``. It names the predictor that it was learned from (name, version
and SHA-256 of the forests), the base rates, the coefficients that multiply the source's kernel latencies, and
what is known about the accuracy. It is data: it is checked whole before anything is built from it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from predictor_core.errors import PackError
from predictor_core.files import HEADER_FILE, write_atomically

FORMAT = 1
MAX_HEADER_BYTES = 2**20
#: Largest logarithm of a factor: a kernel is never thought e^12 times faster or slower than a base.
MAX_LOG = 12.0
_MAX_CENTERS = 1024
_MAX_ABSOLUTE = 1e9


@dataclass(frozen=True)
class Source:
    """The predictor whose kernel latencies a header multiplies.

    Parameters
    ----------
    name, version : str
        As in the list of predictors.
    sha256 : str
        Digest of its forests: with others the coefficients would mean something else.
    """

    name: str
    version: str
    sha256: str


@dataclass(frozen=True)
class DeviceHeader:
    """What a learned device has of its own.

    Parameters
    ----------
    name, version, category, description : str
        As in the list of predictors; `description` heads every report.
    sources : tuple of Source
        The first gives kernels, fusion rules and bases; others take part as ratios to it.
    scale_ms : dict of str to float
        Base rates in ms: ``launch`` once a kernel, ``byte``, ``mac``, ``constant`` once a model.
    centers : dict of str to tuple of tuples of float
        For each group of kernels, the points of `predictor_core.kernels.coordinates` that the smooth part of
        the correction is spanned by.
    coefficients : dict of str to float
        Logarithms of factors, by the names of `predictor_core.predictor.design`.
    variances : dict of str to float
        Posterior variances of the coefficients.
    ranges : dict of str to tuple of (float, float)
        For each group, lowest and highest coordinates of the measured kernels.
    measured : tuple of str
        Ops that the measurements hold.
    interval : dict of str to float
        Constants of `predictor_core.predictor.interval`.
    accuracy : dict
        Cross-validated table.
    facts : dict
        Provenance: number of models, runtime, seed...
    length : float
        Distance over which the smooth part fades, in units of the coordinates.
    """

    name: str
    version: str
    category: str
    description: str
    sources: tuple[Source, ...]
    scale_ms: Mapping[str, float]
    centers: Mapping[str, tuple[tuple[float, ...], ...]]
    coefficients: Mapping[str, float]
    variances: Mapping[str, float]
    ranges: Mapping[str, tuple[tuple[float, float], ...]]
    measured: tuple[str, ...]
    interval: Mapping[str, float]
    accuracy: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    length: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they are written."""
        return {
            "format": FORMAT,
            "name": self.name,
            "version": self.version,
            "category": self.category,
            "description": self.description,
            "sources": [vars(source) for source in self.sources],
            "scale_ms": dict(self.scale_ms),
            "centers": {group: [list(point) for point in points] for group, points in self.centers.items()},
            "coefficients": dict(self.coefficients),
            "variances": dict(self.variances),
            "ranges": {group: [list(pair) for pair in pairs] for group, pairs in self.ranges.items()},
            "measured": list(self.measured),
            "interval": dict(self.interval),
            "accuracy": dict(self.accuracy),
            "facts": dict(self.facts),
            **({} if self.length == 1.0 else {"length": self.length}),
        }

    def to_json(self) -> str:
        """Return the content of the file: the same header gives the same bytes."""
        return json.dumps(self.to_dict(), separators=(",", ":"), allow_nan=False, ensure_ascii=False) + "\n"

    def write(self, folder: Path) -> Path:
        """Write ``header.json`` into a folder, whole or not at all."""
        path = folder / HEADER_FILE
        write_atomically(path, self.to_json())
        return path

    @classmethod
    def read(cls, folder: Path) -> DeviceHeader:
        """Read and check the header in a folder.

        Raises
        ------
        PackError
            It is absent, too large, not JSON, of another format, or holds a value out of range.
        """
        path = folder / HEADER_FILE
        try:
            if path.stat().st_size > MAX_HEADER_BYTES:
                raise PackError(f"{path} has more than {MAX_HEADER_BYTES} bytes; it is no device header")
            content = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise PackError(f"can't read the device header {path}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise PackError(f"{path} is not a device header: {error}") from error
        return cls.from_dict(content, str(path))

    @classmethod
    def from_dict(cls, content: Any, origin: str = "device header") -> DeviceHeader:
        """Build a header from plain values, after checking all of them.

        Raises
        ------
        PackError
            The message names the key.
        """
        if not isinstance(content, dict):
            raise PackError(f"{origin} holds a {type(content).__name__}; expected a mapping")
        if content.get("format") != FORMAT:
            raise PackError(
                f"{origin} has format {content.get('format')!r}; this version of the package reads {FORMAT}"
            )
        check = _Checker(content, origin)
        sources = tuple(
            Source(*(str(item.get(key, "")) for key in ("name", "version", "sha256")))
            for item in check.entries("sources")
            if isinstance(item, dict)
        )
        if not sources or not all(source.name and len(source.sha256) == 64 for source in sources):
            raise PackError(f"{origin}: 'sources' must hold name, version and sha256 of a predictor")
        centers = check.points("centers")
        if sum(map(len, centers.values())) > _MAX_CENTERS:
            raise PackError(f"{origin}: 'centers' holds more than {_MAX_CENTERS} points")
        coefficients = check.numbers("coefficients", -4 * MAX_LOG, 4 * MAX_LOG)
        scale_ms = check.numbers("scale_ms", 1e-18, 1e6)
        if set(scale_ms) != {"launch", "byte", "mac", "constant"}:
            raise PackError(f"{origin}: 'scale_ms' must hold launch, byte, mac and constant")
        interval = check.numbers("interval", 0.0, 10.0)
        missing = {"inside", "outside", "estimated", "unfamiliar", "spread_scale"} - set(interval)
        if missing or not interval["spread_scale"] > 0.0:
            raise PackError(
                f"{origin}: 'interval' lacks {', '.join(sorted(missing)) or 'a spread_scale > 0'}"
            )
        ranges = {
            group: tuple((pair[0], pair[1]) for pair in pairs if len(pair) == 2)
            for group, pairs in check.points("ranges").items()
        }
        return cls(
            name=check.text("name", required=True),
            version=check.text("version", required=True),
            category=check.text("category", required=True),
            description=check.text("description"),
            sources=sources,
            scale_ms=scale_ms,
            centers=centers,
            coefficients=coefficients,
            variances=check.numbers("variances", 0.0, 1e3),
            ranges=ranges,
            measured=tuple(map(str, check.entries("measured"))),
            interval=interval,
            accuracy=check.mapping("accuracy"),
            facts=check.mapping("facts"),
            length=check.number("length", 0.01, 100.0, default=1.0),
        )


class _Checker:
    """Typed access to the values of a header."""

    def __init__(self, content: dict[str, Any], origin: str) -> None:
        self.content = content
        self.origin = origin

    def text(self, key: str, required: bool = False) -> str:
        value = self.content.get(key, "")
        if not isinstance(value, str) or len(value) > 10_000 or (required and not value.strip()):
            raise PackError(f"{self.origin}: {key!r} is {value!r:.60}; expected a text")
        return value

    def mapping(self, key: str) -> dict[str, Any]:
        value = self.content.get(key, {})
        if not isinstance(value, dict):
            raise PackError(f"{self.origin}: {key!r} is {value!r:.60}; expected a mapping")
        return value

    def entries(self, key: str) -> list[Any]:
        value = self.content.get(key, [])
        if not isinstance(value, list):
            raise PackError(f"{self.origin}: {key!r} is {value!r:.60}; expected a list")
        return value

    def numbers(self, key: str, lowest: float, highest: float) -> dict[str, float]:
        return {
            name: self._number(f"{key}.{name}", value, lowest, highest)
            for name, value in self.mapping(key).items()
        }

    def number(self, key: str, lowest: float, highest: float, default: float) -> float:
        return self._number(key, self.content.get(key, default), lowest, highest)

    def points(self, key: str) -> dict[str, tuple[tuple[float, ...], ...]]:
        out = {}
        for group, points in self.mapping(key).items():
            if not isinstance(points, list) or not all(isinstance(point, list) for point in points):
                raise PackError(f"{self.origin}: {key}.{group} is {points!r:.60}; expected lists of numbers")
            out[group] = tuple(
                tuple(self._number(f"{key}.{group}", x, -_MAX_ABSOLUTE, _MAX_ABSOLUTE) for x in point)
                for point in points
            )
        return out

    def _number(self, where: str, value: Any, lowest: float, highest: float) -> float:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or not lowest <= value <= highest:
            raise PackError(
                f"{self.origin}: {where} is {value!r:.60}; expected a number from {lowest:g} to {highest:g}"
            )
        return float(value)
