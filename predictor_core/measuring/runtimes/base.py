"""Runtime and Session: what an adapter offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from predictor_core.errors import PredictorError, requires
from predictor_core.ir.graph import Shape
from predictor_core.ir.inputs import GivenShapes, InputShapes


@dataclass(frozen=True)
class Session:
    """A model, loaded and ready to run.

    Parameters
    ----------
    run : callable
        Runs one inference on fixed inputs.
    precision : str
        What it computes in: ``"fp32"``, ``"fp16"``, ``"int8"``...
    around : callable
        Makes the context that has to be entered around the runs.
    """

    run: Callable[[], object]
    precision: str
    around: Callable[[], AbstractContextManager[object]] = nullcontext


class Runtime(ABC):
    """Adapter of a runtime.

    Attributes
    ----------
    name : str
        As users write it; the extra that installs the runtime is called the same.
    module, package : str
        What is imported, and what pip calls it.
    model_types : tuple of str
        Model types that `open` takes.
    """

    name: ClassVar[str]
    module: ClassVar[str]
    package: ClassVar[str]
    model_types: ClassVar[tuple[str, ...]]

    def check_installed(self) -> None:
        """Import the runtime, or raise `MissingDependencyError`."""
        with requires(self.package, self.name, f"Timing models with {self.name}"):
            import_module(self.module)

    @property
    def version(self) -> str:
        """Version of the installed runtime."""
        try:
            return version(self.package)
        except PackageNotFoundError:
            return str(getattr(import_module(self.module), "__version__", "unknown version"))

    @abstractmethod
    def open(self, model: Any, model_type: str, threads: int, input_shape: GivenShapes = None) -> Session:
        """Load a model.

        Parameters
        ----------
        model : path or object
            Of a type in `model_types`.
        threads : int
            Threads that an inference may use.
        input_shape : sequence of int, several, or mapping from names to them, optional
            Shapes of the inputs, where the model leaves dimensions open.

        Raises
        ------
        PredictorError
            When the runtime can't load the model; the message is the runtime's.
        """


def input_shapes(
    stated: Sequence[tuple[str, Sequence[int | None]]], input_shape: GivenShapes
) -> list[tuple[str, Shape]]:
    """Return the shape of every input; parameters and errors as for `predictor_core.ir.inputs.InputShapes`.

    Parameters
    ----------
    stated : sequence of (name, dimensions)
        What the model states; None is an open dimension. An open batch that nobody gives is 1.
    input_shape : as for `Runtime.open`
    """
    shapes = InputShapes(input_shape)
    found = [(name, shapes.resolve(name, dims)) for name, dims in stated]
    shapes.check_all_used()
    return found


def random_input(shape: Shape, dtype: Any) -> NDArray[Any]:
    """Return an input: normal numbers, small indices for integers, true for booleans."""
    kind = np.dtype(dtype)
    random = np.random.default_rng(0)
    if kind == np.bool_:
        return np.ones(shape, dtype=np.bool_)
    if np.issubdtype(kind, np.integer):
        # Indices of tokens as well as quantised images: valid for both.
        return random.integers(0, 2, size=shape).astype(kind)
    return random.standard_normal(shape, dtype=np.float32).astype(kind)


@contextmanager
def trying(runtime: str) -> Iterator[None]:
    """Raise a `PredictorError` for whatever a runtime raises in a block that loads and runs a model."""
    try:
        yield
    except PredictorError:
        raise
    except Exception as error:
        reason = " ".join(str(error).strip().splitlines())[:300] or type(error).__name__
        raise PredictorError(f"{runtime} can't run the model: {reason}") from error
