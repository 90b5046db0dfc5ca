"""Time a call: warm it up until it is steady, then run it in rounds until its median is certain."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from predictor_core.measuring.pace import Pace

#: Medians of rounds that agree within this share are those of a quiet machine.
STEADY = 0.02
#: Rounds in which the runs are timed; their medians tell noise and throttling.
ROUNDS = 5
#: A median this certain (standard error over the median) needs no more runs.
_CERTAIN = 0.0025
_WARM_UP_SHARE = 0.3
#: Between two looks at the processor's pace runs follow each other for this long.
_BURST_S = 0.01
_FEWEST_RUNS = 2 * ROUNDS
_MOST_RUNS = 20_000

Clock = Callable[[], float]


@dataclass(frozen=True)
class Timing:
    """Durations of single runs.

    Parameters
    ----------
    seconds : tuple of float
        Each timed run, in order.
    warm_up : int
        Runs before them.
    rounds : tuple of float
        Median of each round, in seconds.
    slowed : bool
        Whether the processor was below its full speed during some of the runs, for lack of better ones.
    """

    seconds: tuple[float, ...]
    warm_up: int
    rounds: tuple[float, ...]
    slowed: bool = False

    @property
    def median_ms(self) -> float:
        """Median of the runs."""
        return 1e3 * statistics.median(self.seconds)

    @property
    def std_ms(self) -> float:
        """Standard deviation of the runs."""
        return 1e3 * statistics.pstdev(self.seconds)

    @property
    def disagreement(self) -> float:
        """How far the medians of the rounds lie apart, over the median."""
        return (max(self.rounds) - min(self.rounds)) / statistics.median(self.rounds)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes the median doubtful: a noisy machine, or one that becomes slower."""
        if self.slowed:
            return (
                "other work slowed the processor during the runs: stop it, or move to another machine, "
                "and measure again",
            )
        if self.disagreement <= STEADY:
            return ()
        half = len(self.rounds) // 2
        rises = all(later > earlier for earlier, later in zip(self.rounds, self.rounds[1:]))
        if rises and min(self.rounds[-half:]) > (1.0 + STEADY) * max(self.rounds[:half]):
            slower = self.rounds[-1] / self.rounds[0] - 1.0
            return (
                f"the runs became {slower:.0%} slower from first to last: the processor is throttling; "
                "let it cool, or lower its clock",
            )
        return (
            f"medians of rounds differ by {self.disagreement:.1%}, more than {STEADY:.0%}: "
            "the machine is noisy; stop other work and measure again",
        )


def time_call(
    call: Callable[[], object],
    budget_s: float,
    clock: Clock = time.perf_counter,
    pace: Pace | None = None,
    wait_s: float = 0.0,
) -> Timing:
    """Time a call.

    Warm-up ends when two windows of runs agree within `STEADY`, at the latest after a third of the budget.
    The timed runs end when the standard error of their median is below 0.25 % and the rounds agree, at the
    latest when the budget is used. A call that is slower than the budget allows is still run a few times.

    Parameters
    ----------
    call : callable
        One inference.
    budget_s : float
        Seconds for all of it.
    clock : callable
        Time in seconds, never going back.
    pace : Pace, optional
        Tells whether the processor runs at its full speed; runs during which it does not are left out.
    wait_s : float
        Seconds, beside the budget, to wait for that speed.

    Returns
    -------
    Timing
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        waited = pace.wait(wait_s)[0] if pace is not None else 0.0
        start = clock()
        warm_up, last = _warm_up(call, _WARM_UP_SHARE * budget_s, clock)
        left = max(budget_s - (clock() - start), 0.0)
        per_round = max(left / (2 * ROUNDS), min(last, left))
        seconds: list[float] = []
        slowed: list[float] = []
        end = clock() + left
        timed = 0.0
        while True:
            if pace is None:
                runs, disturbed = _burst(call, per_round, clock), False
            else:
                more, full = pace.wait(wait_s - waited)
                waited, end = waited + more, end + more
                runs = _burst(call, min(per_round, _BURST_S), clock)
                disturbed = not (full and pace.is_full())
            (slowed if disturbed else seconds).extend(runs)
            timed += 0.0 if disturbed else sum(runs)
            enough = timed >= 0.99 * ROUNDS * per_round and len(seconds) >= _FEWEST_RUNS
            if enough and (clock() >= end or len(seconds) >= _MOST_RUNS or _is_certain(seconds)):
                break
            # Slow models: a few runs have to do once the budget is gone.
            if clock() >= end and len(seconds) + len(slowed) >= 3:
                break
    finally:
        if collects:
            gc.enable()
    too_few = len(seconds) < 3
    kept = seconds + slowed if too_few else seconds
    return Timing(tuple(kept), warm_up, tuple(_medians(kept)), too_few and bool(slowed))


def _warm_up(call: Callable[[], object], budget_s: float, clock: Clock) -> tuple[int, float]:
    """Run until steady; returns how many runs that took, and the seconds of the last."""
    start = clock()
    runs, last_median = 0, float("inf")
    while True:
        window: list[float] = []
        while len(window) < 3 or (sum(window) < 0.05 and len(window) < 200):
            began = clock()
            call()
            window.append(clock() - began)
            if clock() - start >= budget_s:
                return runs + len(window), window[-1]
        runs += len(window)
        median = statistics.median(window)
        if abs(median - last_median) <= STEADY * median:
            return runs, median
        last_median = median


def _burst(call: Callable[[], object], seconds: float, clock: Clock) -> list[float]:
    durations = []
    end = clock() + seconds
    while True:
        began = clock()
        call()
        now = clock()
        durations.append(now - began)
        if now >= end:
            return durations


def _medians(seconds: list[float]) -> list[float]:
    """Medians of `ROUNDS` equal parts of the runs (of fewer where there are fewer runs)."""
    parts = min(ROUNDS, len(seconds))
    edges = [round(i * len(seconds) / parts) for i in range(parts + 1)]
    return [statistics.median(seconds[a:b]) for a, b in zip(edges, edges[1:])]


def _is_certain(seconds: list[float]) -> bool:
    medians = _medians(seconds)
    middle = statistics.median(medians)
    # The median of n normal values has the standard error 1.25 sd / sqrt(n), here estimated from the rounds.
    error = 1.25 * statistics.stdev(medians) / len(medians) ** 0.5
    return error < _CERTAIN * middle and (max(medians) - min(medians)) < STEADY * middle
