"""TensorFlow: frozen graphs and SavedModels, read without TensorFlow."""

from typing import TYPE_CHECKING

from predictor_core.lazy import lazy_names

if TYPE_CHECKING:
    from predictor_core.frontends.tensorflow.frontend import load

__all__ = ["load"]

# Resolved on first use: other front ends use rules of this one and not the reader of its files.
__getattr__, __dir__ = lazy_names(__name__, {"frontend": ["load"]})
