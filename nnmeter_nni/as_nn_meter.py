"""Stand in for ``nn_meter``, so that scripts and NNI's own users of it run on this package.

``python -m nnmeter_nni.as_nn_meter SCRIPT [ARGUMENT...]`` runs a script that imports ``nn_meter``, unchanged;
``-m MODULE`` in place of the script runs a module.
"""

from __future__ import annotations

import runpy
import sys
import types
from collections.abc import Sequence
from pathlib import Path

from predictor_core.errors import PredictorError

#: Mark of the module that stands in for ``nn_meter``.
_PROVIDER = "nnmeter_nni"
_USAGE = "usage: python -m nnmeter_nni.as_nn_meter SCRIPT [ARGUMENT...]  or  -m MODULE [ARGUMENT...]"


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
        if getattr(present, "__provided_by__", None) == _PROVIDER:
            return present
        raise PredictorError(
            f"nn_meter is imported already, from {getattr(present, '__file__', None)}; "
            "call install_as_nn_meter() before anything that imports it"
        )
    import predictor_core

    module = types.ModuleType("nn_meter", "nn-Meter's public names, taken from nnmeter-nni.")
    module.__dict__.update(
        __provided_by__=_PROVIDER,
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a script or a module to which ``import nn_meter`` gives this package.

    Parameters
    ----------
    arguments : sequence of str, optional
        The script and its arguments. Default: those of the process.

    Returns
    -------
    int
        0; 2 when there is nothing to run. What the script raises is not caught.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_module = words[:1] == ["-m"]
    target = words[as_module] if len(words) > as_module else ""
    if not target or (not as_module and not Path(target).exists()):
        sys.stderr.write(f"{f'no such script: {target}. ' if target else ''}{_USAGE}\n")
        return 2
    install_as_nn_meter()
    # As `python SCRIPT` and `python -m MODULE` have them.
    sys.argv[:] = words[as_module:]
    if as_module:
        sys.path[0] = str(Path.cwd())
        runpy.run_module(target, run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = str(Path(target).resolve().parent)
        runpy.run_path(target, run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
