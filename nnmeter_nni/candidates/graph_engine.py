"""Candidates of the graph engines: the IR ``Model`` of NNI 2.x, the graph format of NNI 3.x, or a dumped IR."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnmeter_nni.candidates.build import build
from nnmeter_nni.candidates.candidate import Candidate
from nnmeter_nni.candidates.interpreter import ROOT, GraphModule, Ir
from nnmeter_nni.candidates.python_engine import history
from predictor_core.errors import ModelFormatError
from predictor_core.ir.graph import Shape


def read(candidate: Any) -> Candidate | None:
    """Read a model with ``graphs``, or the dict that its ``_dump()`` returns; None for anything else."""
    if isinstance(candidate, Mapping):
        if ROOT not in candidate:
            raise ModelFormatError(
                f"expected the IR of an NNI model, a dict with a graph {ROOT!r}, but got one with "
                f"{', '.join(map(repr, list(candidate)[:5])) or 'nothing'}"
            )
        return Candidate(
            "graph", lambda: build(lambda: GraphModule(candidate)), input_shape=input_shape(candidate)
        )
    if not hasattr(candidate, "graphs") or not hasattr(candidate, "root_graph"):
        return None
    ir = {name: graph._dump() for name, graph in candidate.graphs.items()}
    sample = getattr(candidate, "sample", None)
    base = _base(candidate)
    return Candidate(
        "graph",
        build=lambda: build(lambda: GraphModule(ir)),
        sample=history(candidate) if sample is None else sample,
        space=("graph", id(base)),
        input_shape=input_shape(ir),
        keep=base,
    )


def _base(candidate: Any) -> Any:
    """Return the model that all candidates of a search are mutated from."""
    past = candidate.history
    return past[0].from_ if past else candidate


def input_shape(ir: Ir) -> Shape | None:
    """Return the shape of the dummy input that NNI traced the IR with, or None when it traced none."""
    for edge in ir[ROOT]["edges"]:
        name, slot = edge["tail"]
        if edge["head"][0] != "_inputs" or name not in ir[ROOT]["nodes"]:
            continue
        attributes = ir[ROOT]["nodes"][name]["operation"].get("attributes") or {}
        shapes = attributes.get("input_shape") or []
        if (slot or 0) < len(shapes) and shapes[slot or 0]:
            return tuple(int(size) for size in shapes[slot or 0])
    return None
