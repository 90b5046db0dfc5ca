"""Fusion rules of a device, read from its ``fusion_rules.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

from predictor_core.errors import PredictorError

_PACKAGE = Path(__file__).resolve().parent.parent
_PATTERNS = Path(__file__).resolve().with_name("patterns.yaml")


class Step(NamedTuple):
    """One op of a Pattern.

    Parameters
    ----------
    ops : frozenset of str
        Ops that match.
    attrs : tuple of (str, value)
        Attributes that must be equal on nodes that have them.
    optional : bool
        Whether the step may be absent.
    closes : bool
        Whether the node also reads the tensor that the pattern started from.
    """

    ops: frozenset[str]
    attrs: tuple[tuple[str, Any], ...] = ()
    optional: bool = False
    closes: bool = False


class Pattern(NamedTuple):
    """A chain of ops that a device runs, or that is costed, as one kernel.

    Every step reads the step before it, which nothing else reads.
    """

    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Rules:
    """What a device merges into one kernel.

    Parameters
    ----------
    pairs : mapping of str to frozenset of str
        Last op of a kernel -> ops that are merged into it. ``bn`` and biases are folded before. A key
        ``main-last`` (``"conv-relu"``) speaks of kernels with that main op only, instead of ``last``.
    patterns : tuple of Pattern
        Chains that become one kernel, tried in this order, before the pairs.
    engine : frozenset of str
        Main ops that run on a unit of their own, with which kernels of the processors overlap. Empty on
        devices that run one kernel at a time.
    """

    pairs: Mapping[str, frozenset[str]]
    patterns: tuple[Pattern, ...] = ()
    engine: frozenset[str] = frozenset()

    @cached_property
    def patterns_from(self) -> Mapping[str, tuple[Pattern, ...]]:
        """Patterns by the ops that they may start with, in their order."""
        starts: dict[str, tuple[Pattern, ...]] = {}
        for pattern in self.patterns:
            for op in pattern.steps[0].ops:
                starts[op] = (*starts.get(op, ()), pattern)
        return starts


@cache
def load_rules(device: str) -> Rules:
    """Read the rules of an embedded device.

    Raises
    ------
    PredictorError
        When there is no such device.
    """
    path = _PACKAGE / "devices" / device / "fusion_rules.yaml"
    if not path.is_file():
        known = sorted(found.parent.name for found in (_PACKAGE / "devices").glob("*/fusion_rules.yaml"))
        raise PredictorError(f"no fusion rules for device {device!r}; devices with rules: {', '.join(known)}")
    return read_rules(path)


def read_rules(path: Path) -> Rules:
    """Read a rules file.

    Raises
    ------
    PredictorError
        When the file is not a rules file; the message names the file and the entry.
    """
    document = _yaml(path)
    unknown = sorted(set(document) - {"classes", "pairs", "patterns", "engine"})
    if unknown:
        raise PredictorError(f"{path}: unknown entries {unknown}; expected classes, pairs, patterns, engine")
    classes = _mapping(document.get("classes", {}), path, "classes")
    pairs: dict[str, frozenset[str]] = {}
    for left, right in _mapping(document.get("pairs", {}), path, "pairs").items():
        followers = _expand(right, classes, path)
        main, dash, last = str(left).rpartition("-")
        for op in _expand([last], classes, path):
            pairs[main + dash + op] = pairs.get(main + dash + op, frozenset()) | followers
    shared = _shared_patterns()
    names = document.get("patterns", [])
    if not isinstance(names, list):
        raise PredictorError(f"{path}: patterns must be a list of names, got {names!r}")
    missing = [name for name in names if name not in shared]
    if missing:
        raise PredictorError(f"{path}: unknown patterns {missing}; patterns.yaml has {sorted(shared)}")
    engine = _expand(document.get("engine", []), classes, path)
    return Rules(pairs, tuple(shared[name] for name in names), engine)


@cache
def _shared_patterns() -> dict[str, Pattern]:
    document = _yaml(_PATTERNS)
    classes = _mapping(document.get("classes", {}), _PATTERNS, "classes")
    return {
        name: Pattern(name, tuple(_step(step, classes) for step in steps))
        for name, steps in _mapping(document.get("patterns", {}), _PATTERNS, "patterns").items()
    }


def _step(entry: Mapping[str, Any], classes: Mapping[str, Any]) -> Step:
    attrs = tuple((name, _frozen(value)) for name, value in entry.get("attrs", {}).items())
    ops = _expand(entry["ops"], classes, _PATTERNS)
    return Step(ops, attrs, bool(entry.get("optional", False)), bool(entry.get("closes", False)))


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _expand(names: Any, classes: Mapping[str, Any], path: Path) -> frozenset[str]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise PredictorError(f"{path}: expected a list of ops or classes, got {names!r}")
    ops: set[str] = set()
    for name in names:
        members = classes.get(name, [name])
        if not isinstance(members, list):
            raise PredictorError(f"{path}: class {name!r} must be a list of ops, got {members!r}")
        ops.update(members)
    return frozenset(ops)


def _mapping(value: Any, path: Path, entry: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise PredictorError(f"{path}: {entry} must be a mapping, got {value!r}")
    return value


def _yaml(path: Path) -> Mapping[str, Any]:
    from predictor_core.yaml_files import read_yaml

    try:
        document = read_yaml(path)
    except ValueError as error:
        raise PredictorError(f"{path} is not a YAML file: {error}") from error
    return _mapping(document, path, "the document")
