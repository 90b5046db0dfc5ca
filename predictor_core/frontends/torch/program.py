"""Programs that ``torch.export.save`` has written, read without running anything that they hold.

torch's own loader evaluates the expressions of a program and may unpickle its weights. Here the program is
data: its ops are looked up by name among torch's own, and its weights stay in the file.
"""

from __future__ import annotations

import json
import operator
import os
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from predictor_core.budget import meter
from predictor_core.errors import GraphError, ModelFormatError, UnsupportedOpError
from predictor_core.frontends.torch.exported import ProgramInput

#: Largest program that is read, in bytes: the structure of a model of ten thousand ops takes 20 MB.
MAX_BYTES = 64 * 2**20
#: Most graphs inside of graphs.
MAX_DEPTH = 16
#: Most tensors that one op cuts a tensor into.
MAX_PARTS = 4096
#: What parsing makes of a byte of a program, in bytes.
_EXPANSION = 8

_ENDINGS = ("models/model.json", "serialized_exported_program.json")
_ATEN = "torch.ops.aten."
_CHECKS = ("torch.ops.aten._assert_", "torch._check", "torch._assert_scalar")
_QUANTISING = ("torch.ops.quantized_decomposed.", "torch.ops.torchao.")
_CUTS = frozenset({"aten::chunk", "aten::split", "aten::tensor_split", "aten::unbind"})
_SCALARS = frozenset({"add", "sub", "mul", "floordiv", "truediv", "mod", "neg", "pow", "getitem"})
_SCALARS |= {"eq", "ne", "lt", "le", "gt", "ge", "and_", "or_"}

#: Types by their numbers in a program.
_DTYPES = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    10: torch.complex64,
    11: torch.complex128,
    12: torch.bool,
    13: torch.bfloat16,
}
_PLAIN = frozenset({"as_int", "as_ints", "as_bool", "as_bools", "as_string", "as_strings"})


class Program(torch.nn.Module):
    """An exported program as a module without weights.

    Parameters
    ----------
    document : mapping
        The program as its file holds it.

    Attributes
    ----------
    inputs : list of ProgramInput
        Its tensors, in order.
    quantised : bool
        Whether ops of PT2E quantise.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        super().__init__()
        module = document["graph_module"]
        self._graph = module["graph"]
        self._results = [
            spec["user_output"]["arg"]
            for spec in module["signature"]["output_specs"]
            if "user_output" in spec
        ]
        self._written = {
            spec["buffer_mutation"]["buffer_name"]: spec["buffer_mutation"]["arg"]["name"]
            for spec in module["signature"]["output_specs"]
            if "buffer_mutation" in spec
        }
        self._places: dict[str, str] = {}
        self._inputs: list[str] = []
        self._weights: dict[str, torch.Tensor] = {}
        self.quantised = any(node["target"].startswith(_QUANTISING) for node in self._graph["nodes"])
        for spec in module["signature"]["input_specs"]:
            ((kind, entry),) = spec.items()
            argument = entry.get("arg", {})
            if kind == "user_input":
                self._inputs.append(argument["as_tensor"]["name"] if "as_tensor" in argument else "")
            elif "name" in argument:
                self._weights[argument["name"]] = self._empty(argument["name"])
                if "buffer_name" in entry:
                    self._places[entry["buffer_name"]] = argument["name"]
        self.inputs = [self._input(name) for name in self._inputs if name]

    def _input(self, name: str) -> ProgramInput:
        sizes = self._graph["tensor_values"][name]["sizes"]
        stated = [int(size["as_int"]) if "as_int" in size else size["as_expr"]["expr_str"] for size in sizes]
        return ProgramInput(name, tuple(stated), self._empty(name))

    def _empty(self, name: str) -> torch.Tensor:
        meta = self._graph["tensor_values"][name]
        sizes = [_size(size) for size in meta["sizes"]]
        dtype = _DTYPES.get(meta["dtype"])
        if dtype is None:
            raise ModelFormatError(f"tensor {name!r} has a type that is not known: {meta['dtype']}")
        return torch.empty(sizes, dtype=dtype, device="meta")

    def forward(self, *inputs: Any) -> Any:
        """Run the ops of the program."""
        values: dict[str, Any] = dict(self._weights)
        values.update(zip([name for name in self._inputs if name], inputs))
        _run(self._graph, values, 0)
        for buffer, result in self._written.items():
            self._weights[self._places[buffer]].copy_(values[result])
        return [_argument(result, values, 0) for result in self._results]


def read_program(path: str | os.PathLike[str]) -> Program:
    """Return the program of a ``.pt2`` file.

    Raises
    ------
    ModelFormatError
        When the file can't be read, or holds something else: the message tells what to do.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            found = next((name for name in names if name.endswith(_ENDINGS)), None)
            if found is None:
                raise ModelFormatError(_reason(names))
            if archive.getinfo(found).file_size > MAX_BYTES:
                raise ModelFormatError(f"its program is larger than {MAX_BYTES} bytes")
            with archive.open(found) as file:
                data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ModelFormatError(f"its program is larger than {MAX_BYTES} bytes")
        meter().spend(memory_bytes=_EXPANSION * len(data))
        return Program(json.loads(data))
    except OSError as error:
        raise ModelFormatError(f"it can't be read: {error.strerror or error}") from error
    except zipfile.BadZipFile:
        raise ModelFormatError(
            "this is no program of torch.export: expected a zip archive. A pickled module runs code when "
            "it is loaded, so it is refused: write it with torch.export.save, or give the module itself"
        ) from None
    except (AttributeError, EOFError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ModelFormatError(f"its program is malformed: {error}") from error


def _reason(names: Sequence[str]) -> str:
    if any("/code/" in name for name in names):
        return (
            "it is a TorchScript archive; its program is code, which is not run here. Give the module from "
            "torch.jit.load if you trust the file, or write it with torch.export.save"
        )
    return (
        "it holds a pickle, which runs code when it is loaded, so it is refused. Write the module with "
        "torch.export.save, or give the module itself"
    )


def _size(size: Mapping[str, Any]) -> int:
    """Return a dimension: as it is, or as it was while the program was exported."""
    if "as_int" in size:
        return int(size["as_int"])
    hint = size["as_expr"].get("hint")
    return int(hint["as_int"]) if hint else 1


def _run(graph: Mapping[str, Any], values: dict[str, Any], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise GraphError(f"its graphs stand inside of each other more than {MAX_DEPTH} deep")
    for node in graph["nodes"]:
        args, kwargs = [], {}
        for given in node["inputs"]:
            value = _argument(given["arg"], values, depth)
            if given.get("kind", 1) == 2:
                kwargs[given["name"]] = value
            else:
                args.append(value)
        outputs = node["outputs"]
        meter().spend(1 + len(outputs))
        result = _call(node["target"], args, kwargs, depth)
        # An op whose further outputs cost nothing may give its first one alone.
        several = len(outputs) != 1 and not isinstance(result, torch.Tensor)
        results = list(result or ()) if several else [result]
        for output, one in zip(outputs, results):
            _keep(output, one, values)


def _call(target: str, args: list[Any], kwargs: dict[str, Any], depth: int) -> Any:
    """Call one of torch's ops, or a function on numbers; nothing else has a name here."""
    if target.startswith(_CHECKS):
        return None
    if target.startswith(_ATEN):
        packet, _, overload = target[len(_ATEN) :].partition(".")
        op = getattr(getattr(torch.ops.aten, packet, None), overload or "default", None)
        if isinstance(op, torch._ops.OpOverload):
            return call_op(op, args, kwargs)
    elif target.startswith(_QUANTISING):
        if "choose_qparams" in target:
            return torch.ones(1), torch.zeros(1, dtype=torch.int64)
        return args[0] if args[0].is_floating_point() else torch.empty(args[0].shape, device="meta")
    elif target.startswith("_operator.") and target[len("_operator.") :] in _SCALARS:
        return getattr(operator, target[len("_operator.") :])(*args)
    elif target.endswith(("wrap_with_set_grad_enabled", "wrap_with_autocast")):
        place = next(index for index, value in enumerate(args) if isinstance(value, dict))
        inner, inputs = args[place], args[place + 1 :]
        names = [entry["as_tensor"]["name"] for entry in inner["inputs"]]
        values = dict(zip(names, inputs))
        _run(inner, values, depth + 1)
        results = [_argument(output, values, depth + 1) for output in inner["outputs"]]
        return results[0] if len(results) == 1 else results
    raise UnsupportedOpError(f"the program calls {target!r}, which is none of torch's own ops")


def call_op(op: torch._ops.OpOverload, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Call an op on meta tensors, whatever device it names, where that gives no more tensors than accepted.

    Raises
    ------
    GraphError
        When a tensor would be cut into more than `MAX_PARTS` tensors.
    """
    names = [argument.name for argument in op._schema.arguments]
    if "device" in names:
        kwargs = {**kwargs, "device": torch.device("meta")}
    if op._schema.name in _CUTS:
        bound = {**dict(zip(names, args)), **kwargs}
        size = bound["self"].shape[bound.get("dim", 0)]
        # Cut at listed places, a tensor has no more parts than the program has numbers.
        listed = any(isinstance(bound.get(name), list) for name in ("indices", "split_size"))
        parts = 1 if listed else bound.get("chunks", bound.get("sections", size))
        if isinstance(bound.get("split_size"), int):
            parts = size // max(bound["split_size"], 1)
        if isinstance(parts, int) and parts > MAX_PARTS:
            raise GraphError(f"{op} cuts a tensor into {parts} parts; at most {MAX_PARTS} are accepted")
    return op(*args, **kwargs)


def _argument(argument: Mapping[str, Any], values: dict[str, Any], depth: int) -> Any:
    """Return what an argument stands for."""
    ((kind, value),) = argument.items()
    if kind == "as_tensor":
        return values[value["name"]]
    if kind in ("as_float", "as_floats"):
        # JSON has no infinity, which masks are made of: it is written as text.
        return float(value) if kind == "as_float" else [float(one) for one in value]
    if kind in _PLAIN:
        return value
    if kind in ("as_none", "as_memory_format", "as_layout"):
        return None
    if kind == "as_tensors":
        return [values[one["name"]] for one in value]
    if kind in ("as_optional_tensors", "as_nested_tensors"):
        return [_argument(one, values, depth) for one in value]
    if kind in ("as_sym_int", "as_sym_bool", "as_sym_float", "as_optional_tensor"):
        return _argument(value, values, depth)
    if kind == "as_sym_ints":
        return [_argument(one, values, depth) for one in value]
    if kind == "as_name":
        return values[value]
    if kind == "as_scalar_type":
        return _DTYPES.get(value)
    if kind == "as_device":
        return torch.device("meta")
    if kind == "as_graph":
        return value["graph"]
    raise UnsupportedOpError(f"the program has an argument of the kind {kind!r}, which is not known")


def _keep(output: Mapping[str, Any], result: Any, values: dict[str, Any]) -> None:
    """Note the result of an op under the names that the program gives it."""
    ((kind, value),) = output.items()
    if kind == "as_tensor":
        values[value["name"]] = result
    elif kind == "as_tensors":
        values.update(zip([one["name"] for one in value], result))
    elif kind in ("as_sym_int", "as_sym_bool", "as_sym_float"):
        if "as_name" in value:
            values[value["as_name"]] = result
    elif kind == "as_optional_tensors":
        for one, part in zip(value, result):
            _keep(one, part, values)
