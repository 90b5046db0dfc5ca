"""The IR of NNI's graph engine, written by hand: NNI is not needed to read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nnmeter_nni import candidate_to_graph
from nnmeter_nni.candidates import load
from nnmeter_nni.candidates.interpreter import GraphModule
from predictor_core.errors import GraphError, ModelFormatError, PredictorError, UnsupportedOpError
from predictor_core.ir.graph import Graph

CONV = "__torch__.nni.nas.nn.pytorch.layers.Conv2d"
SHAPE = (1, 3, 16, 16)


def node(kind: str, shapes: Any = (), cell: str | None = None, **parameters: Any) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "type": kind,
        "parameters": parameters,
        "attributes": {"input_shape": list(shapes)},
    }
    if cell is not None:
        operation["cell_name"] = cell
    return {"operation": operation}


def edge(head: str, tail: str, head_slot: int | None = None, tail_slot: int | None = None) -> dict[str, Any]:
    return {"head": [head, head_slot], "tail": [tail, tail_slot]}


def constant(value: Any) -> dict[str, Any]:
    return node("prim::Constant", type=type(value).__name__, value=value)


def conv(channels_in: int, channels_out: int, kernel: int = 3) -> dict[str, Any]:
    return node(
        CONV, in_channels=channels_in, out_channels=channels_out, kernel_size=kernel, padding=kernel // 2
    )


def residual() -> dict[str, Any]:
    """Conv, then a cell that adds a conv of its input to it, relu, chunk, cat, mean, view."""
    cell = {
        "inputs": ["x"],
        "outputs": ["out"],
        "nodes": {"conv": conv(8, 8, 5), "add": node("aten::add"), "alpha": constant(1)},
        "edges": [
            edge("_inputs", "conv", 0),
            edge("conv", "add", None, 0),
            edge("_inputs", "add", 0, 1),
            edge("alpha", "add", None, 2),
            edge("add", "_outputs"),
        ],
    }
    nodes = {
        "stem": conv(3, 8),
        "cell": node("_cell", cell="block"),
        "relu": node("Function.relu"),
        "two": constant(2),
        "one": constant(1),
        "chunk": node("aten::chunk"),
        "list": node("prim::ListConstruct"),
        "cat": node("aten::cat"),
        "size": node("aten::size"),
        "zero": constant(0),
        "minus": constant(-1),
        "dims": node("prim::ListConstruct"),
        "pool": node("__torch__.torch.nn.modules.pooling.AdaptiveAvgPool2d", output_size=1),
        "view": node("aten::view"),
        "fc": node("__torch__.torch.nn.modules.linear.Linear", in_features=8, out_features=10),
    }
    edges = [
        edge("_inputs", "stem", 0),
        edge("stem", "cell"),
        edge("cell", "relu"),
        edge("relu", "chunk", None, 0),
        edge("two", "chunk", None, 1),
        edge("one", "chunk", None, 2),
        edge("chunk", "list", 1, 0),
        edge("chunk", "list", 0, 1),
        edge("list", "cat", None, 0),
        edge("one", "cat", None, 1),
        edge("cat", "pool"),
        edge("pool", "size", None, 0),
        edge("zero", "size", None, 1),
        edge("size", "dims", None, 0),
        edge("minus", "dims", None, 1),
        edge("pool", "view", None, 0),
        edge("dims", "view", None, 1),
        edge("view", "fc"),
        edge("fc", "_outputs"),
    ]
    return {"_model": {"inputs": ["x"], "outputs": ["out"], "nodes": nodes, "edges": edges}, "block": cell}


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.conv = nn.Conv2d(8, 8, 5, padding=2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> Any:
        x = self.stem(x)
        x = torch.relu(self.conv(x) + x)
        left, right = torch.chunk(x, 2, 1)
        x = self.pool(torch.cat([right, left], 1))
        return self.fc(x.view(x.size(0), -1))


def shape_of(graph: Graph) -> list[Any]:
    return [(one.op, dict(one.attrs), one.outputs) for one in graph.nodes]


def test_it_gives_the_graph_of_the_module_it_was_written_from() -> None:
    found = candidate_to_graph(residual(), SHAPE)
    assert shape_of(found) == shape_of(candidate_to_graph(Residual(), SHAPE))


def test_it_computes_what_the_module_computes() -> None:
    module, interpreted = Residual().eval(), GraphModule(residual()).eval()
    interpreted.load_state_dict(
        {key.replace("conv.", "cell.conv."): value for key, value in module.state_dict().items()}
    )
    x = torch.rand(SHAPE)
    with torch.no_grad():
        torch.testing.assert_close(interpreted(x), module(x))


def test_nodes_may_stand_in_any_order() -> None:
    ir = residual()
    ir["_model"]["nodes"] = dict(reversed(ir["_model"]["nodes"].items()))
    assert shape_of(candidate_to_graph(ir, SHAPE)) == shape_of(candidate_to_graph(residual(), SHAPE))


def test_both_values_of_a_branch_that_nni_has_settled() -> None:
    ir = residual()
    graph = ir["_model"]
    graph["nodes"]["branch"] = node("noop_identity")
    for one in graph["edges"]:
        if one["head"][0] == "chunk":
            one["head"][0] = "branch"
    graph["edges"] += [edge("chunk", "branch", 0, 0), edge("chunk", "branch", 1, 1)]
    assert shape_of(candidate_to_graph(ir, SHAPE)) == shape_of(candidate_to_graph(residual(), SHAPE))


def test_a_dumped_ir_is_read_from_a_file_with_the_input_shape_that_it_records(tmp_path: Path) -> None:
    ir = residual()
    ir["_model"]["nodes"]["stem"]["operation"]["attributes"]["input_shape"] = [[1, 3, 48, 40]]
    path = tmp_path / "ir.json"
    path.write_text(json.dumps(ir))
    assert load(path).inputs[0].shape == (1, 48, 40, 3)
    assert load(path, input_shape=SHAPE).inputs[0].shape == (1, 16, 16, 3)
    path.write_text("not json")
    with pytest.raises(ModelFormatError, match="is not the JSON of an NNI graph"):
        load(path)


def test_what_nni_cut_out_leaves_loose_ends_that_are_predicted() -> None:
    ir = residual()
    del ir["block"]
    ir["_model"]["nodes"]["relu"]["operation"]["attributes"]["input_shape"] = [[1, 8, 16, 16]]
    module = GraphModule(ir)
    found = module(torch.rand(SHAPE), torch.rand(1, 8, 16, 16))
    assert [tuple(one.shape) for one in found] == [(1, 10), (1, 8, 16, 16)]


def wrong(change: str) -> dict[str, Any]:
    ir = residual()
    graph = ir["_model"]
    if change == "cycle":
        graph["edges"][0] = edge("fc", "stem")
    elif change == "dangling":
        graph["edges"].append(edge("nothing", "relu", None, 1))
    elif change == "no output":
        graph["edges"].pop()
    elif change == "unknown type":
        graph["nodes"]["relu"] = node("prim::NoSuchThing")
    elif change == "unknown op":
        graph["nodes"]["relu"] = node("aten::no_such_op")
    elif change == "unknown class":
        graph["nodes"]["stem"] = node("__torch__.no.such.module.Stem")
    elif change == "choice":
        graph["nodes"]["cell"]["operation"]["parameters"] = {"mutation": "layerchoice", "label": "b"}
    elif change == "attribute":
        graph["nodes"]["two"] = node("prim::GetAttr", name="scale", value=None)
    elif change == "no graph":
        return {"other": graph}
    return ir


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ("cycle", GraphError, "cycle through node"),
        ("dangling", GraphError, "reads node 'nothing'"),
        ("no output", GraphError, "returns nothing"),
        ("unknown type", UnsupportedOpError, "prim::NoSuchThing"),
        ("unknown op", UnsupportedOpError, "aten::no_such_op"),
        ("unknown class", ModelFormatError, "import 'no.such.module' first"),
        ("choice", ModelFormatError, "still has the choice 'b'"),
        ("attribute", UnsupportedOpError, "attribute 'scale'"),
        ("no graph", ModelFormatError, "a dict with a graph '_model'"),
    ],
)
def test_what_is_wrong_is_named(change: str, kind: type[PredictorError], message: str) -> None:
    with pytest.raises(kind, match=message):
        candidate_to_graph(wrong(change), SHAPE)


def test_naming_a_class_does_not_import_its_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trap_module.py").write_text("raise SystemExit('executed')")
    monkeypatch.syspath_prepend(tmp_path)
    ir = residual()
    ir["_model"]["nodes"]["stem"] = node("__torch__.trap_module.Stem")
    with pytest.raises(ModelFormatError, match="not imported here"):
        candidate_to_graph(ir, SHAPE)


@pytest.mark.parametrize("kind", ["subprocess.Popen", "pathlib.Path", "torch.nn.Parameter", "builtins.open"])
def test_only_modules_are_constructed(kind: str) -> None:
    ir = residual()
    ir["_model"]["nodes"]["stem"] = node(f"__torch__.{kind}", args=["touch", "executed"])
    with pytest.raises(ModelFormatError, match=r"is no torch\.nn\.Module"):
        candidate_to_graph(ir, SHAPE)
