"""Candidates of the graph engines: IR ``Model`` of NNI 2.10, graph format of NNI 3.0, or a dumped IR."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from nnmeter_nni.candidates.build import build
from nnmeter_nni.candidates.candidate import Candidate
from nnmeter_nni.candidates.interpreter import GraphModule, refuse_choices
from nnmeter_nni.candidates.ir import ROOT, Ir, read_graph
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
            build=lambda: _build(candidate, ROOT),
            input_shape=input_shape(candidate[ROOT]),
        )
    if not hasattr(candidate, "graphs") or not hasattr(candidate, "root_graph"):
        return None
    root = candidate._root_graph_name
    sample = getattr(candidate, "sample", None)
    base = _base(candidate)
    return Candidate(
        "graph",
        build=lambda: _build(_dump(candidate), root),
        sample=history(candidate) if sample is None else sample,
        space=("graph", id(base), root) if base is not candidate else None,
        build_space=lambda: _build_space(base, root),
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


def _build(ir: Ir, root: str) -> nn.Module:
    refuse_choices(ir, root)
    return build(lambda: GraphModule(ir, root))


def _build_space(base: Any, root: str) -> nn.Module | None:
    """Make the space with its layer choices open; None when it has choices of other kinds."""
    for graph in base.graphs.values():
        for node in graph.hidden_nodes:
            parameters = node.operation.parameters or {}
            composed = any(hasattr(value, "inner_choices") for value in parameters.values())
            other = parameters.get("mutation", "layerchoice") != "layerchoice"
            if composed or other or node.operation.type.endswith(_OTHER_CHOICES):
                return None
    return build(lambda: GraphModule(_dump(base), root))


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
