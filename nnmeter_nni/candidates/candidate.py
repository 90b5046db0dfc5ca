"""What every kind of candidate is brought to: a space, a sample of it, and a way to build the module."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from predictor_core.ir.graph import Shape


@dataclass(frozen=True)
class Candidate:
    """A model that a NAS strategy proposes.

    Parameters
    ----------
    kind : str
        ``"module"``, ``"python"`` (Python engine of NNI 2.10), ``"graph"`` (IR of either NNI) or ``"space"``
        (NNI 3.0).
    build : callable
        Makes the fixed module; expensive, called when a trace is needed.
    sample : mapping
        Label of each choice -> what was chosen; empty where the candidate records none.
    space : hashable, optional
        Identifies the model space. Candidates of one space with equal samples are the same architecture.
    build_space : callable, optional
        Makes the unmutated module of the space, or None where its choices do more than to pick modules.
    input_shape : tuple of int, optional
        Input shape that the candidate itself records, batch first, channels second.
    more_inputs : tuple of tuple of int
        Shapes of further inputs.
    keep : object
        Kept alive as long as the candidate, so that `space` stays unique.
    """

    kind: str
    build: Callable[[], nn.Module]
    sample: Mapping[str, Any] = field(default_factory=dict)
    space: Hashable | None = None
    build_space: Callable[[], nn.Module | None] | None = None
    input_shape: Shape | None = None
    more_inputs: tuple[Shape, ...] = ()
    keep: Any = None


def freeze(value: Any) -> Hashable:
    """Return a hashable form of nested dicts, lists and plain values."""
    if isinstance(value, Mapping):
        return tuple(sorted((str(key), freeze(item)) for key, item in value.items()))
    if isinstance(value, (list, tuple)):
        return tuple([freeze(item) for item in value])
    if isinstance(value, (set, frozenset)):
        return frozenset(freeze(item) for item in value)
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value  # type: ignore[no-any-return]
