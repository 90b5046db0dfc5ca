"""LatencyFilter: accept a candidate when it is fast enough."""

from __future__ import annotations

import logging
import math
import weakref
from collections.abc import Mapping
from typing import Any, Literal, Union

from nnmeter_nni._guard import refuse_ignored_filters
from nnmeter_nni._nni import installed_major
from nnmeter_nni.errors import NoCandidateError
from nnmeter_nni.latency import CandidateLatency
from nnmeter_nni.stats import FilterStats
from predictor_core.errors import PredictorError
from predictor_core.ir.graph import Shape
from predictor_core.predictor import LatencyPredictor

_logger = logging.getLogger(__name__)

Predictor = Union[str, LatencyPredictor]
Policy = Literal["raise", "reject", "accept"]


class LatencyFilter:
    """Accept a candidate when its predicted latency is below a threshold.

    Use it as ``model_filter`` of NNI 2.10's ``Random`` and ``RegularizedEvolution``, as ``filter_fn`` of
    NNI 3.0's ``Filter``, in the strategies of this package, or by itself: call it with a candidate.

    Parameters
    ----------
    threshold : float, or mapping of predictor name to float
        Accept when ``latency < threshold``, in ms. A mapping sets one threshold for each of several devices;
        a candidate must be below all of them.
    predictor : str or LatencyPredictor, optional
        The device; left out when `threshold` is a mapping.
    predictor_version : str or float, optional
        Version of the predictor(s). Default: the latest.
    reverse : bool
        Accept exactly the candidates that would be rejected otherwise.
    input_shape : tuple of int, optional
        Input shape of the candidates, batch first, channels second. Default: the dummy input that the graph
        engine records, else (1, 3, 224, 224).
    min_latency : float, or mapping of predictor name to float, optional
        Accept only when ``min_latency <= latency`` as well.
    on_error : {"raise", "reject", "accept"}
        What to do with a candidate that can't be predicted, whatever `reverse` says.
    patience : int or None
        Raise `NoCandidateError` after this many rejections in a row, so that a search that can't succeed
        ends. None: never.

    Attributes
    ----------
    stats : FilterStats
        Counts and latencies so far; logged when the filter goes away or the program ends.

    Examples
    --------
    >>> LatencyFilter(threshold=100, predictor="cortexA76cpu_tflite21")
    LatencyFilter(threshold=100, predictor='cortexA76cpu_tflite21')
    """

    def __init__(
        self,
        threshold: float | Mapping[str, float],
        predictor: Predictor | None = None,
        predictor_version: str | float | None = None,
        reverse: bool = False,
        *,
        input_shape: Shape | None = None,
        min_latency: float | Mapping[str, float] | None = None,
        on_error: Policy = "raise",
        patience: int | None = 10_000,
    ) -> None:
        if on_error not in ("raise", "reject", "accept"):
            raise ValueError(f"on_error must be 'raise', 'reject' or 'accept', but got {on_error!r}")
        if patience is not None and patience < 1:
            raise ValueError(f"patience must be a positive number of candidates or None, but got {patience}")
        devices = _devices(threshold, predictor)
        self.threshold = threshold
        self.predictor = predictor
        self.predictor_version = predictor_version
        self.reverse = bool(reverse)
        self.min_latency = min_latency
        self.on_error = on_error
        self.patience = patience
        self.stats = FilterStats()
        self.latency = CandidateLatency(devices, predictor_version, input_shape=input_shape)
        names = self.latency.names
        self._below = _limits("threshold", threshold, names)
        self._at_least = {} if min_latency is None else _limits("min_latency", min_latency, names)
        for name, least in self._at_least.items():
            if least >= self._below[name]:
                raise ValueError(
                    f"min_latency of {name} is {least} ms, threshold {self._below[name]} ms: nothing can pass"
                )
        self._report_at_end()
        if installed_major() == 3:
            refuse_ignored_filters()

    @property
    def input_shape(self) -> Shape | None:
        """Input shape of the candidates, or None when each candidate tells."""
        return self.latency.input_shape

    def __call__(self, candidate: Any) -> bool:
        """Judge a candidate.

        Parameters
        ----------
        candidate : object
            Anything that `nnmeter_nni.candidate_to_graph` takes.

        Returns
        -------
        bool
            Whether to train it.

        Raises
        ------
        PredictorError
            When the candidate can't be predicted and `on_error` is ``"raise"``.
        NoCandidateError
            After `patience` rejections in a row.
        """
        return self.check(candidate)[0]

    def check(self, candidate: Any) -> tuple[bool, dict[str, float]]:
        """Judge a candidate as a call does, and return its latencies (ms by predictor name) too.

        The mapping is empty for a candidate that can't be predicted.
        """
        latency_ms: dict[str, float] = {}
        try:
            latency_ms = self.latency(candidate)
        except PredictorError as error:
            accepted = self._judge_failure(error)
        else:
            accepted = self.judge(latency_ms)
            self.stats.record(latency_ms)
            if not accepted:
                self.stats.miss(self.distance(latency_ms), self.latency.last_sample, latency_ms)
            _logger.debug("%s: %s", "accepted" if accepted else "rejected", latency_ms)
        self.stats.known = self.latency.known
        self.stats.count(accepted)
        if self.patience is not None and self.stats.rejected_in_a_row >= self.patience:
            raise NoCandidateError(
                f"no candidate passed the latency filter in {self.stats.rejected_in_a_row} draws "
                f"({self!r}); {self.stats}. Raise the threshold, or search a space with smaller models."
            )
        return accepted, latency_ms

    def judge(self, latency_ms: Mapping[str, float]) -> bool:
        """Whether these latencies (ms by predictor name) pass."""
        inside = all(latency_ms[name] < below for name, below in self._below.items()) and all(
            latency_ms[name] >= least for name, least in self._at_least.items()
        )
        return inside != self.reverse

    def distance(self, latency_ms: Mapping[str, float]) -> float:
        """Ms that a candidate is from passing, on the device where it is farthest; 0 when it passes."""
        if self.judge(latency_ms):
            return 0.0
        if self.reverse:
            return min(
                [self._below[name] - latency_ms[name] for name in self._below]
                + [latency_ms[name] - least for name, least in self._at_least.items()]
            )
        return max(
            [latency_ms[name] - below for name, below in self._below.items()]
            + [least - latency_ms[name] for name, least in self._at_least.items()]
        )

    def _judge_failure(self, error: PredictorError) -> bool:
        if self.on_error == "raise":
            raise error
        self.stats.failed += 1
        accepted = self.on_error == "accept"
        _logger.warning(
            "%s a candidate that can't be predicted: %s", "accepted" if accepted else "rejected", error
        )
        return accepted

    def _report_at_end(self) -> None:
        weakref.finalize(self, _log_summary, self.stats)

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._report_at_end()

    def __repr__(self) -> str:
        shown = [f"threshold={self.threshold!r}"]
        defaults = {"predictor_version": None, "reverse": False, "min_latency": None, "input_shape": None}
        if self.predictor is not None:
            shown.append(f"predictor={self.predictor!r}")
        shown += [
            f"{key}={getattr(self, key)!r}"
            for key, default in defaults.items()
            if getattr(self, key) != default
        ]
        return f"LatencyFilter({', '.join(shown)})"


def _devices(threshold: float | Mapping[str, float], predictor: Predictor | None) -> list[Predictor]:
    if isinstance(threshold, Mapping):
        if predictor is not None:
            raise ValueError(
                "threshold is a mapping of predictor name to ms, so the predictor must be left out, "
                f"but got predictor={predictor!r}"
            )
        if not threshold:
            raise ValueError("threshold is an empty mapping; expected predictor name -> ms")
        return list(threshold)
    if predictor is None:
        raise TypeError("LatencyFilter needs a predictor, e.g. LatencyFilter(100, 'cortexA76cpu_tflite21')")
    return [predictor]


def _limits(
    argument: str, given: float | Mapping[str, float], names: Mapping[Predictor, str]
) -> dict[str, float]:
    """Return predictor name -> ms, checked."""
    values = dict(given) if isinstance(given, Mapping) else dict.fromkeys(names, given)
    limits = {}
    for key, value in values.items():
        if key not in names:
            raise ValueError(
                f"{argument} names the predictor {key!r}; expected one of {', '.join(map(str, names))}"
            )
        if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
            raise ValueError(f"{argument} of {key} must be a number of ms, but got {value!r}")
        if argument == "threshold" and value <= 0:
            raise ValueError(
                f"threshold of {key} must be a positive number of ms, but got {value!r}: nothing can pass"
            )
        limits[names[key]] = float(value)
    return limits


def _log_summary(stats: FilterStats) -> None:
    if stats.seen:
        _logger.info("latency filter: %s", stats)
