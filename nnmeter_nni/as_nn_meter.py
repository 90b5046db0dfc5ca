"""Answer ``import nn_meter`` with this package, so that NNI's own users of nn-Meter run on it."""

from __future__ import annotations

import sys
import types

from predictor_core.errors import PredictorError


def install_as_nn_meter() -> types.ModuleType:
    """Make ``import nn_meter`` give a module with nn-Meter's public names, taken from this package.

    NNI's ``NnMeterProfiler`` (3.0) and ``HardwareLatencyEstimator`` (2.10) import it.

    Returns
    -------
    module
        What ``import nn_meter`` gives from now on.

    Raises
    ------
    PredictorError
        When the real nn-Meter is imported already.

    Examples
    --------
    >>> _ = install_as_nn_meter()
    >>> from nn_meter import load_latency_predictor
    """
    present = sys.modules.get("nn_meter")
    if present is not None:
        if getattr(present, "__provided_by__", None) == __name__:
            return present
        raise PredictorError(
            f"nn_meter is imported already, from {getattr(present, '__file__', None)}; "
            "call install_as_nn_meter() before anything that imports it"
        )
    import predictor_core

    module = types.ModuleType("nn_meter", "nn-Meter's public names, taken from nnmeter-nni.")
    module.__dict__.update(
        __provided_by__=__name__,
        __version__=predictor_core.__version__,
        nnMeterPredictor=predictor_core.LatencyPredictor,
        load_latency_predictor=predictor_core.load_latency_predictor,
        list_latency_predictors=predictor_core.list_latency_predictors,
        model_file_to_graph=predictor_core.model_file_to_graph,
        model_to_graph=predictor_core.model_to_graph,
    )
    module.__all__ = [name for name in module.__dict__ if not name.startswith("__")]  # type: ignore[attr-defined]
    sys.modules["nn_meter"] = module
    return module
