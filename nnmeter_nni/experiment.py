"""Run NNI experiments: engine settings, a free port, and a manager that always stops."""

from __future__ import annotations

import functools
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

from nnmeter_nni._nni import for_major, nni_major
from nnmeter_nni.errors import ArgumentError, NoCandidateError
from predictor_core.ir.graph import Shape

#: Largest pickle, in bytes, that a checkpoint of a graph engine experiment may hold.
_CHECKPOINT_LIMIT = 2**30

#: Seconds that the manager may take to start; NNI gives it three.
_MANAGER_START_S = 180


def retiarii_config(
    engine: Literal["python", "graph"] = "python",
    dummy_input: Shape | None = None,
    **settings: Any,
) -> Any:
    """Return a ``RetiariiExeConfig`` for a local experiment of NNI 2.10.

    NNI 2.10.1 takes a dummy input only inside the configuration of the graph engine (the documented
    ``config.dummy_input = ...`` fails): write ``retiarii_config("graph", dummy_input=(1, 3, 32, 32))``. Run
    the experiment with `run_experiment`, which also lets the graph engine save mutators above 4 KB.

    Parameters
    ----------
    engine : {"python", "graph"}
        Execution engine.
    dummy_input : tuple of int, optional
        Graph engine only: shape with which NNI traces the space. That takes minutes for a large space, and
        nothing here needs it: give the `LatencyFilter` an ``input_shape`` instead.
    **settings
        Attributes of the configuration, e.g. ``max_trial_number=10, trial_concurrency=2``.

    Raises
    ------
    ArgumentError
        When an argument can't be used, or the configuration has no such setting.
    NniVersionError
        Under NNI 3.0, which has no ``RetiariiExperiment``.
    MissingDependencyError
        When NNI or torch is not installed.
    """
    config = for_major(
        "nnmeter_nni.retiarii_config",
        retiarii="nni.retiarii.experiment.pytorch:RetiariiExeConfig",
        nas=None,
        instead="under NNI 3.0 write NasExperiment(space, evaluator, strategy) and set its config, e.g. "
        "experiment.config.max_trial_number = 10",
    )("local")
    if engine not in ("python", "graph"):
        raise ArgumentError(f"engine must be 'python' or 'graph', but got {engine!r}")
    if dummy_input is not None and engine == "python":
        raise ArgumentError("the Python engine takes no dummy_input; give the LatencyFilter an input_shape")
    from nni.nas.experiment.config import BaseEngineConfig, PyEngineConfig

    config.training_service.use_active_gpu = False
    config.trial_gpu_number = 0
    if engine == "python":
        config.execution_engine = PyEngineConfig()
    else:
        config.execution_engine = BaseEngineConfig(
            dummy_input=None if dummy_input is None else list(dummy_input)
        )
    for name, value in settings.items():
        if not hasattr(config, name):
            raise ArgumentError(f"RetiariiExeConfig has no setting {name!r}")
        setattr(config, name, value)
    return config


@contextmanager
def run_experiment(experiment: Any, config: Any = None, port: int | None = None) -> Iterator[Any]:
    """Run an experiment to its end, and stop its manager when the ``with`` block ends, whatever happens.

    Parameters
    ----------
    experiment : RetiariiExperiment or NasExperiment
        Not yet run.
    config : RetiariiExeConfig, optional
        NNI 2.10 only; see `retiarii_config`.
    port : int, optional
        Port of the manager. Default: a free one.

    Raises
    ------
    NoCandidateError
        When the strategy ends without having submitted anything.

    Yields
    ------
    RetiariiExperiment or NasExperiment
        The finished experiment. NNI 3.0 exports models only until its manager stops, so do it in the block.

    Examples
    --------
    ::

        with run_experiment(experiment, retiarii_config(max_trial_number=10)):
            print(experiment.export_top_models(top_k=3, formatter="dict"))
    """
    major = nni_major("nnmeter_nni.run_experiment")
    port = free_port() if port is None else port
    try:
        with _patient_nni(major):
            if major == 2:
                _settle_before_waiting(experiment)
                experiment.run(config, port)
            else:
                experiment.run(port=port)
        yield experiment
    finally:
        experiment.stop()


@contextmanager
def _patient_nni(major: int) -> Iterator[None]:
    """Let NNI wait for its manager on a busy machine, and 2.10 save a space above 4 KB (PayloadTooLarge)."""
    from nni.experiment import launcher

    with ExitStack() as stack:
        stack.enter_context(_with_option(launcher, "_check_rest_server", retry=_MANAGER_START_S))
        if major == 2:
            from nni.nas.experiment import pytorch

            stack.enter_context(_with_option(pytorch, "dump", pickle_size_limit=_CHECKPOINT_LIMIT))
        yield


def _settle_before_waiting(experiment: Any) -> None:
    """Let NNI 2.10 wait for what its strategy has submitted, where it would wait for its whole budget."""
    wait = experiment._wait_completion

    def settle_and_wait() -> Any:
        from nni.nas.execution import list_models

        from nnmeter_nni.strategies.retiarii import RetiariiEngine

        submitted = len(list(list_models()))
        if submitted == 0:
            raise NoCandidateError(
                "the strategy has ended without a candidate to train: its filter rejected all that it drew"
            )
        RetiariiEngine().finish(submitted)
        return wait()

    experiment._wait_completion = settle_and_wait


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def _with_option(module: Any, name: str, **option: Any) -> Iterator[None]:
    """Have a function of NNI called with an option, for as long as an experiment runs."""
    function = getattr(module, name)
    setattr(module, name, functools.partial(function, **option))
    try:
        yield
    finally:
        setattr(module, name, function)
