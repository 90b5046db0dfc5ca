"""What one model may cost while it is read: memory, nodes, seconds. One budget for all front ends.

Sizes and counts are computed and compared before anything is made. A caller who trusts a larger model
raises the budget::

    with predictor_core.budget.limits(nodes=2_000_000, seconds=600):
        predictor.predict("huge.onnx")
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from predictor_core.errors import ModelFormatError


class Budget(NamedTuple):
    """Limits for one model.

    Parameters
    ----------
    memory_bytes : int
        What all that is made of a file may take together: its structure without the weights, the bodies of
        its functions where they are called, numbers that shapes are computed from.
    nodes : int
        Nodes, with functions inlined, and outputs of nodes.
    seconds : float
        Processor time of the thread that reads; that of a file larger than a megabyte grows with it.
    """

    memory_bytes: int = 2**29
    nodes: int = 200_000
    seconds: float = 15.0


_DEFAULT = Budget()
_LIMITS: ContextVar[Budget] = ContextVar("limits", default=_DEFAULT)
_METER: ContextVar[Meter | None] = ContextVar("meter", default=None)

#: Nodes between two looks at the clock.
NODES_PER_LOOK = 256


def current() -> Budget:
    """Return the budget that holds here."""
    return _LIMITS.get()


@contextmanager
def limits(**changes: float) -> Iterator[Budget]:
    """Hold another budget in a block, in this thread.

    Parameters
    ----------
    **changes
        Fields of `Budget` with their new values.

    Raises
    ------
    TypeError
        For a name that is no field.
    """
    token = _LIMITS.set(Budget(**{**_LIMITS.get()._asdict(), **changes}))
    try:
        yield _LIMITS.get()
    finally:
        _LIMITS.reset(token)


class Meter:
    """What reading one model has spent so far."""

    __slots__ = ("_deadline_s", "_limits", "_next_look", "_safe_until_s", "bytes", "nodes")

    def __init__(self, limits: Budget) -> None:
        self._limits = limits
        self._next_look = 0
        self.nodes = 0
        self.bytes = 0
        self.restart()

    def restart(self) -> None:
        """Start the time again: what ran so far was code of the caller or of a library that exports."""
        # A thread has no more processor time than has passed, and the clock of the latter is cheap to read:
        # the other one is looked at when all of the seconds have passed.
        self._safe_until_s = time.monotonic() + self._limits.seconds
        self._deadline_s = time.thread_time() + self._limits.seconds

    def allow_for(self, file_bytes: int) -> None:
        """Give a file of more than a megabyte its share of time."""
        self.spend_time(-self._limits.seconds * (file_bytes // 2**20))

    def spend_time(self, seconds: float) -> None:
        """Note processor time that another process has taken for this one."""
        self._safe_until_s -= seconds
        self._deadline_s -= seconds

    def spend(self, nodes: int = 0, memory_bytes: int = 0) -> None:
        """Note what is about to be made.

        Raises
        ------
        ModelFormatError
            Where that is over the budget, or the time is.
        """
        self.nodes += nodes
        self.bytes += memory_bytes
        if self.nodes > self._limits.nodes:
            raise ModelFormatError(
                f"the model has more than {self._limits.nodes} nodes with its functions inlined, outputs "
                "counted; predictor_core.budget.limits(nodes=...) allows for more"
            )
        if self.bytes > self._limits.memory_bytes:
            raise ModelFormatError(
                f"reading the model takes {self.bytes} bytes, more than the {self._limits.memory_bytes} of "
                "the budget; predictor_core.budget.limits(memory_bytes=...) allows for more"
            )
        if self.nodes >= self._next_look:
            self._next_look = self.nodes + NODES_PER_LOOK
            self.look()

    def look(self) -> None:
        """Raise `ModelFormatError` where the time is over."""
        if time.monotonic() >= self._safe_until_s and time.thread_time() >= self._deadline_s:
            raise ModelFormatError(
                f"reading the model takes more than {self._limits.seconds:g} s of processor time; "
                "predictor_core.budget.limits(seconds=...) allows for more"
            )


@contextmanager
def metered() -> Iterator[Meter]:
    """Meter a block that reads one model; one inside of another goes on with its meter."""
    running = _METER.get()
    if running is not None:
        yield running
        return
    meter = Meter(_LIMITS.get())
    token = _METER.set(meter)
    try:
        yield meter
    finally:
        _METER.reset(token)


def meter() -> Meter:
    """Return the meter of the model that is being read; outside of a reading a new one."""
    return _METER.get() or Meter(_LIMITS.get())
