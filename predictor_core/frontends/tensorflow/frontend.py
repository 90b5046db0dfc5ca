"""Front end for TensorFlow models: frozen graphs and saved models, read without TensorFlow."""

from __future__ import annotations

import os
from pathlib import Path

from predictor_core.budget import meter
from predictor_core.errors import ModelFormatError, own_errors, suggestion
from predictor_core.frontends.common.file import Buffer, opened
from predictor_core.frontends.tensorflow.graph import Walk
from predictor_core.frontends.tensorflow.messages import GraphDef, Signature, read_model
from predictor_core.ir.graph import Graph
from predictor_core.ir.inputs import GivenShapes
from predictor_core.ir.layout import channels_last
from predictor_core.ir.passes import canonical_graph

_SIGNATURE = "serving_default"

#: Ops that give nothing to the user of a frozen graph, though nothing reads them.
_NO_RESULTS = frozenset({"Const", "NoOp", "Assert", "Placeholder", "PlaceholderWithDefault", "VarHandleOp"})
_NO_RESULT_PREFIXES = ("Assign", "Apply", "ResourceApply", "Save", "Restore", "Merge", "Summary", "Print")


def load(
    model: str | os.PathLike[str], *, input_shape: GivenShapes = None, signature: str | None = None
) -> Graph:
    """Convert a TensorFlow model to a Graph.

    Parameters
    ----------
    model : str or path
        A frozen graph (``.pb``, of TensorFlow 1 or 2), a ``saved_model.pb``, or a saved model's folder.
        Weights are not read; variables need not be there.
    input_shape : optional
        Fills what the model leaves open; see `predictor_core.ir.inputs.InputShapes`. An open batch is 1.
    signature : str, optional
        Of a saved model; default ``serving_default``, or the only one.

    Raises
    ------
    ModelFormatError
        When the file is missing, damaged, or no TensorFlow model.
    UnsupportedOpError
        When the model has loops or branches that depend on data, or an op without a known shape.
    GraphError
        When the nodes do not form a valid graph. The message names the node.
    MissingDependencyError
        When the package protobuf is not installed.
    """
    if not isinstance(model, (str, os.PathLike)):
        raise ModelFormatError(
            f"a TensorFlow model is given as the path of a file or folder, got a {type(model).__name__}"
        )
    path = Path(model)
    if path.is_dir():
        path = path / "saved_model.pb"
    with opened(path, "a TensorFlow model") as data:
        _refuse_others(data, path)
        with own_errors(path):
            return _graph(data, path, input_shape, signature)


def _refuse_others(data: Buffer, path: Path) -> None:
    """Say what to do with a file of another format that people keep TensorFlow models in."""
    suffix, start = path.suffix.lower(), bytes(data[:8])
    advice = None
    if start == b"\x89HDF\r\n\x1a\n" or suffix in (".keras", ".h5", ".hdf5"):
        advice = (
            "is a Keras file, which needs Keras to be read; load it there and write a SavedModel: "
            "keras.models.load_model(FILE).export(FOLDER), or tf.saved_model.save(model, FOLDER); then give "
            "that folder"
        )
    elif suffix == ".pbtxt":
        advice = "is a graph in text form; write it in binary form: tf.io.write_graph(..., as_text=False)"
    elif suffix in (".meta", ".index", ".ckpt") or ".data-" in path.name:
        advice = (
            "is a part of a checkpoint; freeze the graph (one .pb file), or write a SavedModel with "
            "tf.saved_model.save"
        )
    if advice:
        raise ModelFormatError(f"{path} {advice}")


def _graph(data: Buffer, path: Path, input_shape: GivenShapes, signature: str | None) -> Graph:
    try:
        graph, signatures = read_model(data)
        if not graph.nodes:
            raise ModelFormatError("it has no nodes")
    except ModelFormatError as error:
        raise ModelFormatError(
            f"this is no TensorFlow model: {error}; expected a frozen graph or a saved_model.pb"
        ) from error
    if signatures is not None:
        found = _signature(signatures, signature)
        inputs, wanted = found.inputs, found.outputs
    elif signature is not None:
        raise ModelFormatError(f"a frozen graph has no signatures, so none is called {signature!r}")
    else:
        inputs = [name for name, node in graph.nodes.items() if node.op == "Placeholder"]
        wanted = _results(graph)
    walk = Walk(graph, inputs, input_shape)
    outputs = walk.run(wanted)
    name = path.parent.name if path.name == "saved_model.pb" else path.stem
    if walk.orders == {True}:
        return channels_last(walk.nodes, name, outputs, walk.warnings, meter().look)
    if len(walk.orders) > 1:
        raise ModelFormatError(
            "it mixes images in NHWC and in NCHW; export it with one data_format, best channels_last"
        )
    return canonical_graph(walk.nodes, name, outputs, walk.free, walk.warnings, meter().look)


def _results(graph: GraphDef) -> list[str]:
    """Return the tensors of a frozen graph that nothing reads."""
    read = {ref.partition(":")[0] for node in graph.nodes.values() for ref in node.inputs if ref[:1] != "^"}
    return [
        name
        for name, node in graph.nodes.items()
        if name not in read and node.op not in _NO_RESULTS and not node.op.startswith(_NO_RESULT_PREFIXES)
    ]


def _signature(signatures: dict[str, Signature], name: str | None) -> Signature:
    usable = {key: value for key, value in signatures.items() if value.inputs}
    listed = ", ".join(sorted(usable))
    if not usable:
        raise ModelFormatError("the saved model has no signature with inputs; save it with one")
    if name is not None:
        if name not in usable:
            close = suggestion(name, usable)
            raise ModelFormatError(
                f"the saved model has no signature {name!r}{close or ';'} it has: {listed}"
            )
        return usable[name]
    if _SIGNATURE in usable:
        return usable[_SIGNATURE]
    if len(usable) == 1:
        return next(iter(usable.values()))
    raise ModelFormatError(
        f"the saved model has no signature {_SIGNATURE!r}; it has: {listed}. Choose one: --signature NAME on "
        "the command line, signature=NAME in Python"
    )
