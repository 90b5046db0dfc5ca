"""LatencyFilter: accept a candidate when it is fast enough."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, Literal

from nnmeter_nni._nni import installed_major
from nnmeter_nni.device import Predictor
from nnmeter_nni.errors import ArgumentError, NoCandidateError
from nnmeter_nni.latency import CandidateLatency
from nnmeter_nni.limits import devices, limits_ms, positive
from nnmeter_nni.stats import FilterStats
from predictor_core.errors import MissingDependencyError, PredictorError
from predictor_core.ir.graph import Shape

_logger = logging.getLogger(__name__)

Policy = Literal["raise", "reject", "accept"]

#: Rejections in a row after which, and after each doubling of which, the bounds of the space are computed.
_PROVE_AFTER = 50


class LatencyFilter:
    """Accept a candidate when its predicted latency is below a threshold.

    Use it as ``model_filter`` of NNI 2.10's ``Random`` and ``RegularizedEvolution``, as ``filter_fn`` of
    NNI 3.0's ``Filter``, in the strategies of this package, or by itself: call it with a candidate.

    Parameters
    ----------
    threshold : float, or mapping of predictor name to float
        Accept when ``latency < threshold``, in ms. A mapping sets one threshold for each of several devices;
        a candidate must be below all of them. It is read once for all.
    predictor : str or predictor, optional
        The device; left out when `threshold` is a mapping. Besides predictors of this package, an object
        with a ``name``, and a method ``predict(graph)`` that returns ms.
    predictor_version : str or float, optional
        Version of the predictor(s). Default: the latest.
    reverse : bool
        Accept exactly the candidates that would be rejected otherwise.
    input_shape : tuple of int, or several, optional
        Input shape of the candidates, batch first, channels second; of several inputs in order. Default:
        the dummy input that the graph engine records, else (1, 3, 224, 224). NNI 2.10 has no
        ``exp_config.dummy_input``: its Python engine needs none, and for its graph engine there is
        ``retiarii_config("graph", dummy_input=...)``.
    min_latency : float, or mapping of predictor name to float, optional
        Accept only when ``min_latency <= latency`` as well.
    on_error : {"raise", "reject", "accept"}
        What to do with a candidate that can't be predicted, whatever `reverse` says and whatever the
        candidate or a predictor of the user raises. A package that is not installed is always an error.
    patience : int or None
        Raise `NoCandidateError` after this many rejections in a row, or sooner, where the bounds of the
        space prove that no candidate can pass, so that a search that can't succeed ends. None: never.

    Attributes
    ----------
    stats : FilterStats
        Counts and latencies so far; logged when the filter goes away or the program ends.

    Raises
    ------
    ArgumentError
        When an argument can't be used, or no candidate could pass.
    UnknownPredictorError
        When there is no predictor of a name.

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
        input_shape: Shape | Sequence[Shape] | None = None,
        min_latency: float | Mapping[str, float] | None = None,
        on_error: Policy = "raise",
        patience: int | None = 10_000,
    ) -> None:
        if on_error not in ("raise", "reject", "accept"):
            raise ArgumentError(f"on_error must be 'raise', 'reject' or 'accept', but got {on_error!r}")
        given = devices(threshold, predictor)
        self.threshold = threshold
        self.predictor = predictor
        self.predictor_version = predictor_version
        self.reverse = bool(reverse)
        self.min_latency = min_latency
        self.on_error = on_error
        self.patience = None if patience is None else positive("patience", patience)
        self.stats = FilterStats()
        self.latency = CandidateLatency(given, predictor_version, input_shape=input_shape)
        names = self.latency.names
        below = limits_ms("threshold", threshold, names)
        at_least = {} if min_latency is None else limits_ms("min_latency", min_latency, names)
        for name, least in at_least.items():
            if least >= below[name]:
                raise ArgumentError(
                    f"min_latency of {name} is {least} ms, threshold {below[name]} ms: nothing can pass"
                )
        #: Predictor name -> least latency that passes, and the first that does not.
        self._limits_ms = {name: (at_least.get(name, -inf), first) for name, first in below.items()}
        self._report_at_end()
        if installed_major() == 3:
            from nnmeter_nni.guard import refuse_ignored_filters

            refuse_ignored_filters(LatencyFilter)
        elif installed_major() == 2 and input_shape is None:
            _logger.warning(
                "LatencyFilter without input_shape: write LatencyFilter(..., input_shape=(1, 3, 32, 32)) "
                "where NNI's documents have exp_config.dummy_input = [1, 3, 32, 32], which NNI 2.10 refuses; "
                "for its graph engine also exp_config = nnmeter_nni.retiarii_config('graph', (1, 3, 32, 32))"
            )

    @property
    def input_shape(self) -> Shape | Sequence[Shape] | None:
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
            After `patience` rejections in a row, or when no candidate of the space can pass.
        """
        return self.check(candidate)[0]

    def check(self, candidate: Any) -> tuple[bool, dict[str, float]]:
        """Judge a candidate as a call does, and return its latencies (ms by predictor name) too.

        The mapping is empty for a candidate that can't be predicted.
        """
        latency_ms: dict[str, float] = {}
        try:
            latency_ms = self.latency(candidate)
        except MissingDependencyError:
            raise
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
        self._end_what_can_not_succeed()
        return accepted, latency_ms

    def judge(self, latency_ms: Mapping[str, float]) -> bool:
        """Whether these latencies (ms by predictor name) pass."""
        inside = all(least <= latency_ms[name] < below for name, (least, below) in self._limits_ms.items())
        return inside != self.reverse

    def can_pass(self, bounds_ms: Mapping[str, tuple[float, float]]) -> bool:
        """Whether a candidate may pass, given the least and the largest latency in ms by predictor name."""
        limits = [(*bounds_ms[name], *limit) for name, limit in self._limits_ms.items()]
        if self.reverse:
            return any(high >= below or low < least for low, high, least, below in limits)
        return all(low < below and high >= least for low, high, least, below in limits)

    def distance(self, latency_ms: Mapping[str, float]) -> float:
        """Ms that a candidate is from passing, on the device where it is farthest; 0 when it passes."""
        if self.judge(latency_ms):
            return 0.0
        limits = [(latency_ms[name], *limit) for name, limit in self._limits_ms.items()]
        if self.reverse:
            return min(min(below - ms, ms - least) for ms, least, below in limits)
        return max(max(ms - below, least - ms) for ms, least, below in limits)

    def _judge_failure(self, error: PredictorError) -> bool:
        if self.on_error == "raise":
            raise error
        self.stats.failed += 1
        accepted = self.on_error == "accept"
        _logger.warning(
            "%s a candidate that can't be predicted: %s", "accepted" if accepted else "rejected", error
        )
        return accepted

    def _end_what_can_not_succeed(self) -> None:
        stats = self.stats
        if self.patience is None or not stats.rejected_in_a_row:
            return
        if stats.rejected_in_a_row >= self.patience:
            raise NoCandidateError(
                f"no candidate passed the latency filter in {stats.rejected_in_a_row} draws "
                f"({self!r}); {stats}. Raise the threshold, or search a space with smaller models."
            )
        doublings, rest = divmod(stats.rejected_in_a_row, _PROVE_AFTER)
        if rest or doublings & (doublings - 1) or stats.accepted or stats.failed:
            return
        bounds_ms = self.latency.bounds()
        if bounds_ms is not None and not self.can_pass(bounds_ms):
            ranges = ", ".join(
                f"{low:.4g} to {high:.4g} ms on {name}" for name, (low, high) in bounds_ms.items()
            )
            raise NoCandidateError(
                f"no candidate of this space can pass the latency filter ({self!r}): its candidates take "
                f"{ranges}; {stats}. Change the threshold, or search another space."
            )

    def _report_at_end(self) -> None:
        weakref.finalize(self, _log_summary, self.stats)

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


def _log_summary(stats: FilterStats) -> None:
    if stats.seen:
        _logger.info("latency filter: %s", stats)
