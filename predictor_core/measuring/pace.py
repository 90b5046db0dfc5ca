"""Whether the processor runs at its full speed: a fixed loop, timed beside the runs, tells.

Other virtual machines on the host, a busy sibling of the core and a lowered clock slow loop and runs alike,
by up to two times and for seconds on end: no median of one model's runs removes that.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

#: A loop that takes this much longer than when the processor is free tells that it is not. On a virtual
#: machine whose host was busy half of the time, loops took 1.0 to 1.2 times the best where only the clock
#: varied, and 1.5 to 1.9 times beside a busy sibling of the core.
SLOWER = 1.2
_LENGTH = 20_000
#: Loops are compared with the best of some blocks of them, that is of the last five to ten minutes.
_BLOCK, _BLOCKS = 100, 600
_NAP_S = 0.02


class Pace:
    """Times a fixed loop and compares it with the fast ones of the past.

    Parameters
    ----------
    seconds_of_loop : callable, optional
        Runs the loop and returns its seconds.
    sleep : callable, optional
        Waits for some seconds.
    """

    def __init__(
        self,
        seconds_of_loop: Callable[[], float] | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._loop = seconds_of_loop or _seconds_of_loop
        self._sleep = sleep
        self._block: list[float] = []
        self._past: deque[float] = deque(maxlen=_BLOCKS)

    def is_full(self) -> bool:
        """Whether the processor runs at its full speed right now."""
        seconds = self._timed_loop()
        while not self._past:
            seconds = self._timed_loop()
        return seconds <= SLOWER * min(self._past)

    def _timed_loop(self) -> float:
        seconds = self._loop()
        self._block.append(seconds)
        if len(self._block) == _BLOCK:
            # The tenth percentile: the very fastest loop may be a stroke of luck.
            self._past.append(sorted(self._block)[_BLOCK // 10])
            self._block = []
        return seconds

    def wait(self, seconds: float) -> tuple[float, bool]:
        """Wait until the processor runs at its full speed, and at most some seconds.

        Returns
        -------
        float
            Seconds that were waited.
        bool
            Whether it runs at its full speed now.
        """
        waited = 0.0
        while not (full := self.is_full()) and waited < seconds:
            self._sleep(_NAP_S)
            waited += _NAP_S
        return waited, full


def _seconds_of_loop() -> float:
    """Time of the loop, the better of two so that an interrupt does not count."""
    best = float("inf")
    for _ in range(2):
        began = time.perf_counter()
        sum(range(_LENGTH))
        best = min(best, time.perf_counter() - began)
    return best
