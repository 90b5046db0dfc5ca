"""`measure_latency`: one model, timed on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from predictor_core.errors import PredictorError
from predictor_core.ir.graph import Graph
from predictor_core.ir.inputs import GivenShapes
from predictor_core.measuring import runtimes
from predictor_core.measuring.machine import cpu_name, pinned
from predictor_core.measuring.pace import Pace
from predictor_core.measuring.rows import environment, threads_text
from predictor_core.measuring.runtimes.base import Runtime
from predictor_core.measuring.timing import Timing, time_call

#: Seconds that one model is timed for, unless its runs are steady before.
BUDGET_S = 3.0
#: Seconds, beside those, to wait while other work slows the processor.
WAIT_S = 10.0
#: Ending of a file -> model type.
SUFFIXES = {".onnx": "onnx", ".tflite": "tflite", ".xml": "openvino", ".pb": "pb"}


@dataclass(frozen=True)
class Measurement:
    """Latency of one model on this machine.

    Parameters
    ----------
    latency_ms : float
        Median of the runs.
    std_ms : float
        Standard deviation of the runs.
    runs : int
        Timed runs, after the warm-up.
    environment : mapping
        ``cpu``, ``runtime``, ``version``, ``threads``, ``pinned`` and ``precision``.
    warnings : tuple of str
        What makes the median doubtful.
    timing : Timing
        Every run.
    """

    latency_ms: float
    std_ms: float
    runs: int
    environment: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    timing: Timing | None = field(default=None, repr=False, compare=False)

    @property
    def is_slowed(self) -> bool:
        """Whether other work slowed the processor during the runs."""
        return self.timing is not None and self.timing.slowed


def measure_latency(
    model: Any,
    model_type: str | None = None,
    runtime: str = "onnxruntime",
    threads: int = 1,
    *,
    input_shape: GivenShapes = None,
    budget_s: float = BUDGET_S,
    wait_s: float = WAIT_S,
    pace: Pace | None = None,
) -> Measurement:
    """Time a model on this machine.

    Parameters
    ----------
    model : path or object
        What the runtime takes: ONNX for ``onnxruntime``; ``.tflite`` for ``litert``; ONNX, OpenVINO IR,
        TFLite or TensorFlow for ``openvino``; a module for ``torch``. The first and the third also take torch
        modules and names of torchvision models, by way of ONNX; all but ``torch`` take Graphs.
    model_type : str, optional
        ``"onnx"``, ``"tflite"``, ``"openvino"``, ``"pb"``, ``"torch"`` or ``"torchvision"``. Default: told by
        the ending of the file, or by the object.
    runtime : str
        ``"onnxruntime"``, ``"litert"``, ``"openvino"`` or ``"torch"``.
    threads : int
        Threads that an inference may use; bound to as many cores where the system allows.
    input_shape : sequence of int, several, or mapping from names to them, optional
        For torch modules and for files that leave dimensions open.
    budget_s : float
        Seconds that the model is timed for, at most; loading it is not counted.
    wait_s : float
        Seconds to wait, beside these, while other work slows the processor.
    pace : Pace, optional
        What tells that. One for many models knows the processor better. Default: a new one.

    Returns
    -------
    Measurement

    Raises
    ------
    PredictorError
        When the runtime is unknown or does not take the model, or an argument is out of range.
    MissingDependencyError
        When the runtime is not installed.

    Examples
    --------
    >>> from predictor_core import zoo
    >>> from predictor_core.measuring import measure_latency
    >>> net = zoo.build("squeezenet", input_shape=(1, 32, 32, 3))
    >>> measure_latency(net, budget_s=0.05).latency_ms > 0.0  # doctest: +SKIP
    True
    """
    if not isinstance(threads, int) or threads < 1:
        raise PredictorError(f"threads must be a positive whole number, got {threads!r}")
    if not budget_s > 0.0:
        raise PredictorError(f"budget_s must be positive, got {budget_s!r}")
    if not wait_s >= 0.0:
        raise PredictorError(f"wait_s must not be negative, got {wait_s!r}")
    adapter = runtimes.find(runtime)
    kind = checked_type(model, model_type, adapter)
    # Threads that the runtime starts while it loads the model are bound as well.
    with pinned(threads) as bound:
        session = adapter.open(model, kind, threads, input_shape)
        with session.around():
            timing = time_call(session.run, budget_s, pace=pace or Pace(), wait_s=wait_s)
    found = {
        "cpu": cpu_name(),
        "runtime": adapter.name,
        "version": adapter.version,
        "threads": threads,
        "pinned": bound,
        "precision": session.precision,
    }
    return Measurement(
        timing.median_ms,
        timing.std_ms,
        len(timing.seconds),
        found,
        timing.warnings,
        timing,
    )


def environment_text(adapter: Runtime, threads: int, precision: str = "") -> str:
    """Return an environment in one line, as measurements files hold it."""
    return environment(f"{adapter.name} {adapter.version}", cpu_name(), threads_text(threads), precision)


def checked_type(model: Any, model_type: str | None, adapter: Runtime) -> str:
    """Return the type of a model, given or told by it, or raise where the runtime does not take it."""
    kind = model_type.lower() if model_type else _type_of(model)
    if kind not in adapter.model_types:
        able = [name for name in runtimes.RUNTIMES if kind in runtimes.adapter(name).model_types]
        advice = f"; runtimes that take {kind}: {', '.join(able)}" if able else ""
        raise PredictorError(
            f"{adapter.name} runs {', '.join(adapter.model_types)} models, got {kind!r}{advice}"
        )
    return kind


def _type_of(model: Any) -> str:
    if isinstance(model, Graph):
        return "graph"
    if isinstance(model, (str, os.PathLike)):
        suffix = Path(model).suffix.lower()
        if suffix in SUFFIXES:
            return SUFFIXES[suffix]
        if isinstance(model, str) and not suffix and not Path(model).exists():
            return "torchvision"
        raise PredictorError(
            f"{model}: the ending does not tell the model type; give model_type, or a file that ends in "
            f"{', '.join(SUFFIXES)}"
        )
    for base in type(model).__mro__:
        if base.__module__.startswith("torch.nn"):
            return "torch"
        if base.__module__.startswith("onnx") and base.__name__ == "ModelProto":
            return "onnx"
    raise PredictorError(f"can't tell the model type of a {type(model).__name__}; give model_type")
