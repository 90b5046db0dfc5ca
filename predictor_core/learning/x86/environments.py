"""The measured environments: runtimes and threads, and what their predictors are called."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from predictor_core.errors import LearningError

#: Predictor that all start from.
SOURCE, SOURCE_VERSION = "cortexA76cpu_tflite21", "2.0"
#: Models that no fit sees.
HELD_OUT = "held_out"
#: Those that are learned from.
SETS = ("planned", "real", "random")
#: runtime -> its title, and the end of its predictors' names.
RUNTIMES = {
    "onnxruntime": ("ONNX Runtime 1.32", "onnxruntime132"),
    "litert": ("LiteRT 2.3 (XNNPACK)", "litert23"),
    "openvino": ("OpenVINO 2026.4", "openvino20264"),
}
#: Environments of all runtimes are one population: the processor is the same, and the algorithms are alike.
POPULATION = "x86 fp32"


class Environment(NamedTuple):
    """A runtime with a number of threads."""

    runtime: str
    threads: int

    @property
    def name(self) -> str:
        """Name of the predictor."""
        return f"zen3_cpu{self.threads}_fp32_{RUNTIMES[self.runtime][1]}"

    @property
    def description(self) -> str:
        """One line for people."""
        entry = self.entry()
        return f"{entry['hardware']}, {entry['cores']}, fp32, {entry['runtime']}"

    def entry(self) -> dict[str, str]:
        """Part of the entry in the list of predictors that tells what the environment is."""
        return {
            "category": "cpu",
            "hardware": "AMD EPYC server",
            "chip": "Zen 3, virtual machine",
            "cores": f"{self.threads} x Zen 3",
            "precision": "fp32",
            "runtime": RUNTIMES[self.runtime][0],
            "population": POPULATION,
        }


ENVIRONMENTS = tuple(Environment(runtime, threads) for threads, runtime in product((1, 2), RUNTIMES))


def passes(path: Path) -> dict[str, list[float]]:
    """Read the latencies of each model in ms, one a pass; none where there is no file.

    Raises
    ------
    LearningError
        The file can't be read, or holds a row without a model or a number.
    """
    found: dict[str, list[float]] = {}
    if not path.is_file():
        return found
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                found.setdefault(row["model"], []).append(float(row["latency_ms"]))
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise LearningError(f"{path} holds no measurements with model and latency_ms: {error}") from error
    return found


def fastest(path: Path) -> dict[str, float]:
    """Latency of each model in ms by its fastest pass: other work only adds to it."""
    return {model: min(latencies) for model, latencies in passes(path).items()}


class Measured:
    """What was measured, and the models.

    Parameters
    ----------
    folder : Path
        With ``RUNTIME_THREADS_SET.csv`` and the ONNX files that they name.
    read : function
        Gives the Graph of a path.
    """

    def __init__(self, folder: Path, read: Callable[[Path], Any]) -> None:
        self._folder = folder
        self._read = read
        self._graphs: dict[str, Any] = {}

    def graph(self, model: str) -> Any:
        """Return the Graph of a model, read once."""
        if model not in self._graphs:
            self._graphs[model] = self._read(self._folder / model)
        return self._graphs[model]

    def latencies(self, environment: Environment, sets: Sequence[str] = SETS) -> dict[str, float]:
        """Latencies in ms of the models of some sets in an environment."""
        start = f"{environment.runtime}_{environment.threads}"
        return {
            model: ms for name in sets for model, ms in fastest(self._folder / f"{start}_{name}.csv").items()
        }

    def held_out(self) -> list[str]:
        """Models that no fit sees, in any environment."""
        return sorted({model for one in ENVIRONMENTS for model in self.latencies(one, (HELD_OUT,))})
