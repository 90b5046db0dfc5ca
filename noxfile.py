"""Sessions for developers: every supported Python, the oldest packages, both lines of NNI, the site.

``nox --list`` shows them; ``nox -s tests-3.12`` runs one. ``.ci/run`` checks the same on one version.
"""

from __future__ import annotations

import nox

PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13")

nox.options.sessions = ["lint", "types", "tests", "lowest", "docs"]
nox.options.error_on_missing_interpreters = False


@nox.session(python="3.11")
def lint(session: nox.Session) -> None:
    """Check the style, as pre-commit does."""
    session.install("-c", "constraints.txt", "ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(python="3.11")
def types(session: nox.Session) -> None:
    """Check the types of the packages."""
    session.install("-c", "constraints.txt", "mypy", "types-PyYAML", ".")
    session.run("mypy")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests with the packages of today."""
    session.install("-c", "constraints.txt", "-e", ".[dev]")
    session.run("pytest", "-n", "2", *session.posargs)


@nox.session(python="3.9")
def lowest(session: nox.Session) -> None:
    """Run the tests of the core with the lowest versions that `pyproject.toml` declares."""
    session.install("-c", ".ci/lowest.txt", "-e", ".[onnx,learn,plot,completion,onnxruntime]")
    session.install("-c", ".ci/lowest.txt", "hypothesis", "pytest", "scikit-learn", "lightgbm")
    session.run("pytest", *(session.posargs or ["tests/predictor_core", "tests/golden"]))


@nox.session(python="3.11")
@nox.parametrize("line", ["nni2", "nni3"])
def nni(session: nox.Session, line: str) -> None:
    """Run whole experiments on NNI 2.10 and 3.0."""
    extra = "retiarii" if line == "nni2" else "nni"
    constraints = ("-c", "constraints.txt", "-c", f".ci/{line}.txt")
    session.install(*constraints, "-e", f".[{extra},learn,onnxruntime,plot]")
    session.install(*constraints, "hypothesis", "ipykernel", "nbclient", "pytest", "scikit-learn")
    session.run("pytest", *(session.posargs or ["tests/nnmeter_nni", "tests/docs"]))


@nox.session(python="3.11")
def runtimes(session: nox.Session) -> None:
    """Read what Keras holds, and time models on LiteRT and OpenVINO."""
    constraints = ("-c", "constraints.txt", "-c", ".ci/runtimes.txt")
    session.install(*constraints, "-e", ".[onnx,tensorflow,learn,onnxruntime,litert,openvino]")
    session.install(*constraints, "hypothesis", "keras", "pytest", "tensorflow-cpu")
    tests = ["frontends/test_keras.py", "frontends/tflite/test_writing.py", "measuring"]
    session.run("pytest", *(session.posargs or [f"tests/predictor_core/{one}" for one in tests]))


@nox.session(python="3.11")
def docs(session: nox.Session) -> None:
    """Build the documentation site; warnings are errors."""
    session.install("-c", "constraints.txt", "-e", ".[docs]")
    session.run("mkdocs", "build", "--strict", *session.posargs, env={"NO_MKDOCS_2_WARNING": "1"})
