"""Candidates of the graph engines: IR ``Model`` of NNI 2.10, graph format of NNI 3.0, or a dumped IR."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnmeter_nni.candidates.build import build
from nnmeter_nni.candidates.candidate import Candidate, ChoicePaths
from nnmeter_nni.candidates.interpreter import ROOT, GraphModule, Ir, read_graph
from nnmeter_nni.candidates.python_engine import history
from predictor_core.errors import ModelFormatError
from predictor_core.ir.graph import Shape

#: Node types of choices that change more than which module runs.
_OTHER_CHOICES = ("InputChoice", "ValueChoice", "NasBench101Cell")


def read(candidate: Any) -> Candidate | None:
    """Read a model with ``graphs``, or the dict that its ``_dump()`` returns; None for anything else."""
    if isinstance(candidate, Mapping):
        if ROOT not in candidate:
            raise ModelFormatError(
                f"expected the IR of an NNI model, a dict with a graph {ROOT!r}, but got one with "
                f"{', '.join(map(repr, list(candidate)[:5])) or 'nothing'}"
            )
        return Candidate(
            "graph",
            build=lambda: build(lambda: GraphModule(candidate)),
            input_shape=input_shape(candidate[ROOT]),
        )
    if not hasattr(candidate, "graphs") or not hasattr(candidate, "root_graph"):
        return None
    root = candidate._root_graph_name
    sample = getattr(candidate, "sample", None)
    base = _base(candidate)
    return Candidate(
        "graph",
        build=lambda: build(lambda: GraphModule(_dump(candidate), root)),
        sample=history(candidate) if sample is None else sample,
        space=("graph", id(base), root) if base is not candidate else None,
        choice_paths=lambda: _choice_paths(base),
        input_shape=input_shape(candidate.graphs[root]._dump()),
        more_inputs=tuple(read_graph(_dump(candidate), root).loose) if base is candidate else (),
        keep=base,
    )


def _dump(model: Any) -> dict[str, Any]:
    return {name: graph._dump() for name, graph in model.graphs.items()}


def _base(candidate: Any) -> Any:
    """Return the model that all candidates of a search are mutated from."""
    past = candidate.history
    return past[0].from_ if past else candidate


def _choice_paths(base: Any) -> ChoicePaths | None:
    """Return paths and values of the layer choices; None when the base has choices of other kinds."""
    paths: dict[str, list[str]] = {}
    values: dict[str, list[Any]] = {}
    for graph in base.graphs.values():
        for node in graph.hidden_nodes:
            parameters = node.operation.parameters or {}
            if parameters.get("mutation") == "layerchoice" and node.python_name:
                paths.setdefault(parameters["label"], []).append(node.python_name)
                values[parameters["label"]] = list(parameters["candidates"])
                continue
            composed = any(hasattr(value, "inner_choices") for value in parameters.values())
            if composed or "mutation" in parameters or node.operation.type.endswith(_OTHER_CHOICES):
                return None
    return (paths, values) if paths else None


def input_shape(graph: Ir) -> Shape | None:
    """Return the shape of the dummy input that NNI traced a graph with, or None when it traced none."""
    for edge in graph["edges"]:
        name, slot = edge["tail"]
        if edge["head"][0] != "_inputs" or name not in graph["nodes"]:
            continue
        attributes = graph["nodes"][name]["operation"].get("attributes") or {}
        shapes = attributes.get("input_shape") or []
        if (slot or 0) < len(shapes) and shapes[slot or 0]:
            return tuple(int(size) for size in shapes[slot or 0])
    return None
