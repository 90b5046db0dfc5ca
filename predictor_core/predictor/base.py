"""Predictor: the contract that every predictor keeps."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from predictor_core.errors import own_errors
from predictor_core.frontends.reading import DEFAULT_INPUT_SHAPE
from predictor_core.ir.graph import Graph
from predictor_core.ir.inputs import GivenShapes
from predictor_core.predictor.batch import checked_ms, numbered, predict_many
from predictor_core.predictor.report import LatencyReport


class SpecifiedKernel(Protocol):
    """A kernel in a model: what determines its latency is its ``spec``."""

    @property
    def spec(self) -> Hashable:
        """Equal for kernels of equal latency."""


class Predictor(ABC):
    """Predicts the latency of models on one device.

    A subclass says how it reads a model (`read`, `read_graph`, `reader`), how it cuts what it has read into
    kernels (`kernels`, `rules`), and what those cost (`predict_kernels`, `report`, `refuse_estimates`).
    Everything else follows. Instances can be shared by threads and pickled.

    Parameters
    ----------
    name, version : str
        As in the list of predictors.
    """

    def __init__(self, name: str, version: str) -> None:
        self.name = name
        self.version = version

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, version {self.version!r})"

    @property
    @abstractmethod
    def reader(self) -> Hashable:
        """Predictors with equal readers read every model alike, so that one reading serves them all."""

    @property
    @abstractmethod
    def rules(self) -> object:
        """Fusion rules: predictors with equal readers and rules cut what they read alike."""

    @property
    @abstractmethod
    def header(self) -> Mapping[str, Any]:
        """Where the predictor comes from, and how accurate it is."""

    @abstractmethod
    def read(
        self,
        model: Any,
        model_type: str | None = None,
        input_shape: GivenShapes = DEFAULT_INPUT_SHAPE,
        apply_nni: bool = False,
        **options: Any,
    ) -> Any:
        """Read a model; parameters as for `predict`."""

    @abstractmethod
    def read_graph(self, graph: Graph) -> Any:
        """Read a canonical Graph."""

    @abstractmethod
    def kernels(self, reading: Any) -> Sequence[SpecifiedKernel]:
        """Cut what `read` has returned into kernels."""

    @abstractmethod
    def predict_kernels(self, specs: Sequence[Any], models: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Latencies in ms of models that are given as their kernels.

        Parameters
        ----------
        specs : sequence
            Distinct specs of kernels.
        models : sequence of sequence of int
            For each model, the places of its kernels in `specs` (`numbered` makes both).

        Returns
        -------
        (number of models,) float64
        """

    @abstractmethod
    def refuse_estimates(self, kernels: Sequence[Any]) -> None:
        """Raise `UnsupportedOpError` where a kernel's latency has no measurement behind it."""

    @abstractmethod
    def report(
        self,
        reading: Any,
        name: str = "",
        *,
        strict: bool = False,
        kernels: Sequence[Any] | None = None,
    ) -> LatencyReport:
        """Report on what `read` has returned, kernel by kernel.

        Parameters
        ----------
        reading : object
            Returned by `read`.
        name : str
            What to call the model.
        strict : bool
            As for `predict`.
        kernels : sequence, optional
            What `kernels` returns for it, of a predictor with equal reader and rules.
        """

    def predict(
        self,
        model: Any,
        model_type: str | None = None,
        input_shape: GivenShapes = DEFAULT_INPUT_SHAPE,
        apply_nni: bool = False,
        *,
        strict: bool = False,
        **options: Any,
    ) -> float:
        """Predict the latency of a model.

        Parameters
        ----------
        model : path or object
            A file, an object of the model type, or a `Graph`.
        model_type : str, optional
            ``"onnx"``, ``"torch"``, ``"torchvision"``, ``"pb"``, ``"tflite"``, ``"openvino"``, ``"keras"``,
            ``"nnmeter-ir"`` or ``"nni-ir"``. Default: told by the ending of the path, or by the object.
        input_shape : tuple of int, several, or mapping from names to them
            Shape of each input, with or without the batch, in the order of the model's framework: of torch
            modules, and of what a file leaves open.
        apply_nni : bool
            Read a torch module that is written with NNI's ``nn`` through NNI's converter.
        strict : bool
            Refuse what no measurement supports, instead of estimating it.
        **options
            Of the front end of the model type: ``example_inputs`` and ``via`` of torch, ``signature`` of
            SavedModels and TensorFlow Lite.

        Returns
        -------
        float
            Latency in ms.

        Raises
        ------
        PredictorError
            When the model can't be read, or `strict` and a kernel would be estimated.
        """
        with own_errors(model):
            kernels = self.kernels(self.read(model, model_type, input_shape, apply_nni, **options))
            if strict:
                self.refuse_estimates(kernels)
            specs, models = numbered([[kernel.spec for kernel in kernels]])
            return float(checked_ms(self.predict_kernels(specs, models), self)[0])

    def predict_many(
        self,
        models: Iterable[Any],
        model_type: str | None = None,
        input_shape: GivenShapes = DEFAULT_INPUT_SHAPE,
        apply_nni: bool = False,
        *,
        strict: bool = False,
        n_jobs: int | None = None,
        **options: Any,
    ) -> NDArray[np.float64]:
        """Predict the latency of many models.

        Parameters
        ----------
        models : iterable
            Paths or objects; see `predict` for the other parameters.
        n_jobs : int, optional
            Worker processes, through joblib and whatever backend it is set to. Default: this process.

        Returns
        -------
        (n,) float64
            Latencies in ms.
        """
        rows = predict_many(
            [self], models, model_type, input_shape, apply_nni, strict=strict, n_jobs=n_jobs, **options
        )
        return np.asarray(rows[0])

    def predict_graphs(self, graphs: Iterable[Graph], *, strict: bool = False) -> NDArray[np.float64]:
        """Latencies in ms of canonical Graphs, shape (n,)."""
        with own_errors():
            models = [self.kernels(self.read_graph(graph)) for graph in graphs]
            if strict:
                for kernels in models:
                    self.refuse_estimates(kernels)
            specs, numbers = numbered([[kernel.spec for kernel in kernels] for kernels in models])
            return checked_ms(self.predict_kernels(specs, numbers), self)

    def profile(
        self,
        model: Any,
        model_type: str | None = None,
        input_shape: GivenShapes = DEFAULT_INPUT_SHAPE,
        apply_nni: bool = False,
        *,
        strict: bool = False,
        **options: Any,
    ) -> LatencyReport:
        """Predict the latency of a model, kernel by kernel; parameters as for `predict`.

        Returns
        -------
        LatencyReport
        """
        with own_errors(model):
            reading = self.read(model, model_type, input_shape, apply_nni, **options)
            report = self.report(reading, model_name(model), strict=strict)
            checked_ms(np.array([report.latency_ms]), self)
        return report


def model_name(model: Any) -> str:
    """Name of a model in a report: that of its file, or its type."""
    if isinstance(model, (str, os.PathLike)):
        return Path(model).stem
    return type(model).__name__
