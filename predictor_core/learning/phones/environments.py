"""The measured environments: phones, cores and precisions, and what their predictors are called."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from predictor_core.errors import LearningError

_COLUMNS = ("model", "environment", "latency_ms")
_UNIT = re.compile(r"(\d)(large|med|small)")
#: A phone whose latencies with TFLite are those of transformers only, and which has no CNN to learn from.
_LEFT_OUT = {"tflite": ("onefusion",)}


class Phone(NamedTuple):
    """A phone: its name, its chip, its cores of each kind and its GPU."""

    hardware: str
    chip: str
    cores: Mapping[str, str]
    gpu: str


PHONES = {
    "pixel4": Phone(
        "Google Pixel 4",
        "Snapdragon 855",
        {"large": "Cortex-A76 2.84 GHz", "med": "Cortex-A76 2.42 GHz", "small": "Cortex-A55 1.80 GHz"},
        "Adreno 640",
    ),
    "s10": Phone(
        "Samsung Galaxy S10",
        "Exynos 9820",
        {"large": "Mongoose M4 2.73 GHz", "med": "Cortex-A75 2.31 GHz", "small": "Cortex-A55 1.95 GHz"},
        "Mali-G76",
    ),
    "mi8se": Phone(
        "Xiaomi Mi 8 SE",
        "Snapdragon 710",
        {"large": "Kryo 360 Gold 2.20 GHz", "small": "Kryo 360 Silver 1.70 GHz"},
        "Adreno 616",
    ),
    "onefusion": Phone(
        "Motorola One Fusion",
        "Snapdragon 710",
        {"large": "Kryo 360 Gold 2.20 GHz", "small": "Kryo 360 Silver 1.70 GHz"},
        "Adreno 616",
    ),
    "a03s": Phone(
        "Samsung Galaxy A03s",
        "Helio P35",
        {"large": "Cortex-A53 2.30 GHz", "small": "Cortex-A53 1.80 GHz"},
        "PowerVR GE8320",
    ),
    "iphonexs": Phone(
        "Apple iPhone XS",
        "A12",
        {"large": "A12 large 2.49 GHz", "small": "A12 small 1.52 GHz"},
        "Apple G11P",
    ),
    "iphone7": Phone("Apple iPhone 7", "A10", {"large": "A10 large 2.34 GHz"}, "PowerVR GT7600 Plus"),
}


@dataclass(frozen=True)
class Runtime:
    """A runtime of the measurements.

    Parameters
    ----------
    key : str
        Prefix of its files.
    suffix : str
        Of the predictors' names.
    title : str
    transformers : str
        Release that the transformers were measured with.
    int8 : str
        How its int8 latencies were measured.
    """

    key: str
    suffix: str
    title: str
    transformers: str
    int8: str


RUNTIMES = (
    Runtime(
        "tflite",
        "tflite210",
        "TFLite 2.10",
        "2.15",
        "weights and activations quantised to int8 after training; the prediction takes the float model and "
        "is for its int8 conversion",
    ),
    Runtime(
        "torch",
        "torch20",
        "PyTorch Mobile 2.0",
        "2.0",
        "quantised to int8 after training; the prediction takes the float model and is for its int8 "
        "conversion",
    ),
)


@dataclass(frozen=True)
class Environment:
    """A phone with its cores or GPU, a precision and a runtime.

    Parameters
    ----------
    key : str
        As the measurements have it, such as ``pixel4_1med_fp32``.
    runtime : Runtime
    """

    key: str
    runtime: Runtime

    @property
    def phone(self) -> str:
        """Its key of `PHONES`."""
        return self.key.split("_")[0]

    @property
    def unit(self) -> str:
        """Cores, such as ``1med``, or ``gpu``."""
        return self.key.split("_")[1]

    @property
    def precision(self) -> str:
        """``fp32``, ``int8`` or ``fp16``."""
        return self.key.split("_")[2]

    @property
    def gpu(self) -> bool:
        """Whether the GPU runs the models."""
        return self.unit == "gpu"

    @property
    def group(self) -> str:
        """Environments of one group run the same code: runtime, and precision or GPU."""
        return f"{self.runtime.key}_{'gpu' if self.gpu else self.precision}"

    @property
    def name(self) -> str:
        """Name of the predictor."""
        unit = "gpu" if self.gpu else f"cpu{self.unit}"
        return f"{self.phone}_{unit}_{self.precision}_{self.runtime.suffix}"

    @property
    def cores(self) -> str:
        """Cores or GPU as text."""
        phone = PHONES[self.phone]
        if self.gpu:
            return phone.gpu
        return " + ".join(f"{count} x {phone.cores[kind]}" for count, kind in _UNIT.findall(self.unit))

    def entry(self) -> dict[str, Any]:
        """Part of the entry in the list of predictors that tells what the environment is."""
        phone = PHONES[self.phone]
        return {
            "category": "gpu" if self.gpu else "cpu",
            "hardware": phone.hardware,
            "chip": phone.chip,
            "cores": self.cores,
            "precision": self.precision,
            "runtime": self.runtime.title,
        }


def read_environments(folder: Path) -> dict[Environment, dict[str, float]]:
    """Read the latencies in ms of all models in all environments.

    Parameters
    ----------
    folder : Path
        With ``RUNTIME_cnn.csv`` and ``RUNTIME_vit.csv``.

    Raises
    ------
    LearningError
        A file or column is absent, or a latency is not a positive number.
    """
    found: dict[Environment, dict[str, float]] = {}
    for runtime in RUNTIMES:
        for kind in ("cnn", "vit"):
            path = folder / f"{runtime.key}_{kind}.csv"
            for row, (model, key, latency_ms) in enumerate(_rows(path), 2):
                if key.split("_")[0] in _LEFT_OUT.get(runtime.key, ()):
                    continue
                try:
                    value = float(latency_ms)
                except ValueError:
                    value = float("nan")
                if not 0.0 < value < float("inf"):
                    raise LearningError(
                        f"{path}, row {row}: the latency is {latency_ms!r}; expected a number of ms"
                    )
                found.setdefault(Environment(key, runtime), {})[model] = value
    return found


def column(names: list[str], latencies: Mapping[str, float]) -> NDArray[np.float64]:
    """Latency of each named model, NaN where it was not measured, shape (n,)."""
    return np.array([latencies.get(name, np.nan) for name in names])


def _rows(path: Path) -> list[tuple[str, str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise LearningError(f"{path} has no column {', '.join(missing)}")
            return [(row["model"], row["environment"], row["latency_ms"]) for row in reader]
    except OSError as error:
        raise LearningError(f"can't read the measurements {path}: {error.strerror}") from error
