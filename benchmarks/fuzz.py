"""Feed mutated files to everything that reads files of others: refused or read, within the budgets.

    python benchmarks/fuzz.py --minutes 10 [--seed 0] [--cases N] [--only onnx pickle ...]

Each kind of file runs in a process of its own under limits of memory, so that a crash is counted and named.
Reported is what left as anything else than an error of the package, on one line, in time. Exits with 1 where
there is any. Where the package atheris is installed, its coverage guides half of the mutations (``--engine``
chooses); otherwise all of them are the structural ones below.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
import yaml

from predictor_core import load_latency_predictor, zoo
from predictor_core.catalog.registry import check_entry
from predictor_core.errors import PackError, PredictorError
from predictor_core.forest import Forest, load_pack, save_pack
from predictor_core.forest.arrays import Tree
from predictor_core.frontends.nnmeter_ir import to_document
from predictor_core.legacy.compact import CompactForests
from predictor_core.legacy.sklearn_forest import parse_forest
from predictor_core.text import MAX_LINE
from predictor_core.yaml_files import read_yaml

ROOT = Path(__file__).resolve().parents[1]
FIXTURES = ROOT / "tests" / "fixtures"
PICKLES = ROOT / "tests" / "predictor_core" / "legacy" / "pickles"

#: Larger files of a format are no seeds: their weights would take all mutations, their reading the time.
MAX_SEED_BYTES = 70_000
#: Nodes that a seed keeps of a large model.
KEPT_NODES = (6, 20)
#: Address space of a process that reads mutated files.
MEMORY_BYTES = 4 * 2**30
#: Processor time that a file of less than a megabyte may take.
MOST_SECONDS = 20.0

#: Numbers that break what is not checked.
NUMBERS = (0, 1, -1, 2, 3, 4097, 2**31 - 1, 2**31, 2**40, 2**62, -(2**63), 1e308, float("inf"), float("nan"))
WORDS = ("", "x", "conv", "lstm", "Einsum", "\n[RESULT]", "\x1b[2J", "a" * 3000, "../..", "\u202e")


class Target(NamedTuple):
    """One kind of file.

    Parameters
    ----------
    seeds : callable
        Returns sound files.
    mutate : callable
        (seeds, random source) -> a file with faults.
    attempt : callable
        (content, a folder to write it to) -> whether it was read; anything but a `PredictorError` is a leak.
    """

    seeds: Callable[[], Sequence[bytes]]
    mutate: Callable[[Sequence[bytes], random.Random], bytes]
    attempt: Callable[[bytes, Path], bool]


class Outcome(NamedTuple):
    """What came of some cases of one target."""

    cases: int
    read: int
    slowest_s: float
    leaks: list[str]


#: Opcodes and operands that reach rare paths: calls, sizes near the limits, attacks in every protocol.
TOKENS = (
    *(
        b"R",
        b"\x81",
        b"b",
        b"0",
        b"1",
        b"2",
        b"(",
        b".",
        b"t",
        b"e",
        b"u",
        b"s",
        b"a",
        b"N",
        b"]",
        b"}",
        b")",
        b"Q",
    ),
    *(
        b"\x85",
        b"\x86",
        b"\x87",
        b"\x88",
        b"\x93",
        b"\x94",
        b"\x97",
        b"\x98",
        b"\x82\x01",
        b"\x80\x05",
        b"P1\n",
    ),
    *(b"h\x00", b"h\xff", b"j\xff\xff\xff\xff", b"r\xff\xff\xff\xff", b"K\xff", b"I1\n", b"S'x'\n"),
    *(b"cos\nsystem\n", b"cbuiltins\neval\n", b"inumpy\nndarray\n"),
    *(b"J\xff\xff\xff\xff", b"J\xff\xff\xff\x7f", b"G\x7f\xf8\x00\x00\x00\x00\x00\x00", b"\x8a\xff"),
    *(b"B\xff\xff\xff\xff", b"X\xff\xff\xff\x7f", b"\x8b\xff\xff\xff\x7f"),
    *(b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x96\x00\x00\x00\x00\x00\x00\x00\x80"),
    b"\x95\xff\xff\xff\xff\xff\xff\xff\xff",
)


def mutate_pickle(pickles: Sequence[bytes], rng: random.Random) -> bytes:
    """Return one of `pickles` with a few random changes."""
    data = bytearray(rng.choice(pickles))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        # Most of a pickle is raw array content; the opcodes stand in its first part and between arrays.
        at = rng.randrange(max(1, len(data)))
        if rng.random() < 0.5:
            at = min(at, rng.randrange(1, 1500))
        kind = rng.randrange(7)
        if kind == 0:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            data[at : at + 1] = bytes([data[at] ^ (1 << rng.randrange(8))]) if at < len(data) else b""
        elif kind == 2:
            del data[at : at + rng.choice((1, 2, 4, 30, 400))]
        elif kind == 3:
            data[at:at] = rng.choice(TOKENS)
        elif kind == 4:
            token = rng.choice(TOKENS)
            data[at : at + len(token)] = token
        elif kind == 5:
            other = rng.choice(pickles)
            start = rng.randrange(len(other))
            data[at:at] = other[start : start + rng.choice((1, 8, 100))]
        else:
            del data[at:]
    return bytes(data)


def read_pickled_forest(content: bytes, folder: Path) -> bool:
    """Read one pickle and, where it is accepted, evaluate its forest; return whether it was accepted."""
    try:
        forest = parse_forest(content)
        rows = np.zeros((2, forest.n_features), dtype=np.float32)
        CompactForests.from_pickled([("forest", forest)]).predict({"forest": rows})
    except PackError:
        return False
    return True


def mutate_bytes(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return one of `seeds` with wrong bytes, wrong numbers, and pieces cut, doubled or swapped."""
    data = rng.choice(seeds)
    content = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        place = rng.randrange(len(content))
        kind = rng.randrange(6)
        if kind == 0:
            content[place] = rng.randrange(256)
        elif kind == 1:
            content[place] ^= 1 << rng.randrange(8)
        elif kind == 2:
            number = rng.choice((0, 1, 2**31 - 1, 2**32 - 1, 2**31, len(data), rng.randrange(2**32)))
            content[place : place + 4] = number.to_bytes(4, "little")
        elif kind == 3:
            piece = content[place : place + rng.randrange(1, 200)]
            other = rng.randrange(len(content))
            content[other : other + (0 if rng.random() < 0.5 else len(piece))] = piece
        elif kind == 4:
            del content[place : place + rng.randrange(1, 200)]
        else:
            digits = [i for i in range(place, min(place + 400, len(content))) if 48 <= content[i] < 58]
            for i in digits[:1]:
                content[i : i + 1] = rng.choice((b"-1", b"0", b"99999999999", b"1e9", b"3"))
        if len(content) < 2:
            break
    if content and rng.random() < 0.05:
        del content[rng.randrange(len(content)) :]
    return bytes(content)


def mutate_tree(value: Any, rng: random.Random) -> Any:
    """Return a value of JSON with one wrong part."""
    if isinstance(value, dict) and value and rng.random() < 0.95:
        key = rng.choice(list(value))
        kind = rng.random()
        if kind < 0.05:
            return {name: part for name, part in value.items() if name != key}
        if kind < 0.1:
            return {(rng.choice(WORDS) if name == key else name): part for name, part in value.items()}
        return {**value, key: mutate_tree(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = rng.randrange(len(value))
        kind = rng.random()
        if kind < 0.1:
            return value[:place] + value[place + 1 :]
        if kind < 0.2:
            return [*value, *value]
        return [*value[:place], mutate_tree(value[place], rng), *value[place + 1 :]]
    wrong = (rng.choice(NUMBERS), rng.choice(WORDS), None, True, [], {}, [[]], [rng.choice(NUMBERS)] * 3)
    return rng.choice(wrong)


def mutate_json(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return a JSON file with wrong values, or wrong bytes."""
    if rng.random() < 0.2:
        return mutate_bytes(seeds, rng)
    value = json.loads(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 4))):
        value = mutate_tree(value, rng)
    return json.dumps(value).encode()


def mutate_onnx(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return an ONNX model with wrong fields, or wrong bytes."""
    import onnx

    if rng.random() < 0.3:
        return mutate_bytes(seeds, rng)
    model = onnx.ModelProto.FromString(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 4))):
        mutate_message(model.graph, rng)
    return bytes(model.SerializeToString())


def mutate_message(message: Any, rng: random.Random) -> None:
    """Put a wrong value into a protobuf message or into one inside of it."""
    fields = message.ListFields()
    if not fields:
        return
    field, value = rng.choice(fields)
    several = hasattr(value, "__len__") and not isinstance(value, (str, bytes))
    if several and len(value) and rng.random() < 0.1:
        del value[rng.randrange(len(value))]
        return
    if field.message_type is not None:
        mutate_message(rng.choice(value) if several else value, rng)
        return
    try:
        if isinstance(value, bytes):
            wrong: Any = rng.choice(WORDS).encode()
        elif isinstance(value, str) or (several and len(value) and isinstance(value[0], str)):
            wrong = rng.choice(WORDS)
        else:
            wrong = rng.choice(NUMBERS)
        if several:
            value[rng.randrange(len(value))] = wrong
        else:
            setattr(message, field.name, wrong)
    except (TypeError, ValueError, OverflowError, IndexError):
        # The field takes no such value.
        message.ClearField(field.name)


def varint(value: int) -> bytes:
    """Return a number as protobuf writes it."""
    out = bytearray()
    value &= 2**64 - 1
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def wire_fields(data: bytes) -> list[tuple[int, int, int, int]]:
    """Return tag, start, start of the content and end of each field of a serialised message.

    Raises
    ------
    ValueError, IndexError
        The bytes are no message.
    """

    def number(place: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            byte = data[place]
            value |= (byte & 0x7F) << shift
            place, shift = place + 1, shift + 7
            if byte < 128:
                return value, place

    found, place = [], 0
    while place < len(data):
        start = place
        tag, place = number(place)
        body = place
        if tag & 7 == 2:
            length, body = number(place)
            place = body + length
        elif tag & 7 == 0:
            place = number(place)[1]
        elif tag & 7 in (1, 5):
            place += 8 if tag & 7 == 1 else 4
        else:
            raise ValueError(f"wire type {tag & 7}")
        if place > len(data) or not tag >> 3:
            raise ValueError("cut short")
        found.append((tag, start, body, place))
    return found


def mutate_wire(data: bytes, rng: random.Random, depth: int = 0) -> bytes:
    """Return a serialised message with one wrong field, the lengths around it kept right."""
    try:
        fields = wire_fields(data)
    except (ValueError, IndexError):
        fields = []
    if not fields or depth > 7 or (depth > 2 and rng.random() < 0.3):
        place = rng.randrange(len(data) + 1)
        piece = rng.choice((b"", bytes([rng.randrange(256)]), rng.choice(WORDS).encode(), data))
        return data[:place] + piece + data[place + rng.randrange(2) :]
    tag, start, body, end = rng.choice(fields)
    kind = rng.random()
    if tag & 7 == 2 and kind < 0.8:
        inner = mutate_wire(data[body:end], rng, depth + 1)
        return data[:start] + varint(tag) + varint(len(inner)) + inner + data[end:]
    if kind < 0.85:
        return data[:start] + data[end:]
    if kind < 0.9:
        return data[:end] + data[start:end] + data[end:]
    if tag & 7 == 0:
        number = rng.choice((0, 1, -1, 2, 3, 7, 64, 2**31, 2**62, -(2**63)))
        return data[:start] + varint(tag) + varint(number) + data[end:]
    return data[:start] + varint(rng.randrange(1, 12) << 3 | tag & 7) + data[body if tag & 7 != 2 else end :]


def mutate_pb(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return a TensorFlow graph with wrong fields, or wrong bytes."""
    if rng.random() < 0.2:
        return mutate_bytes(seeds, rng)
    data = rng.choice(seeds)
    for _ in range(rng.choice((1, 1, 2, 4))):
        data = mutate_wire(data, rng)
    return data


def mutate_xml(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return an XML file with wrong attributes, texts and elements, or wrong bytes."""
    if rng.random() < 0.2:
        return mutate_bytes(seeds, rng)
    root = ElementTree.fromstring(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 4))):
        parents = [element for element in root.iter() if len(element)]
        if not parents:
            break
        parent = rng.choice(parents)
        element, kind = rng.choice(list(parent)), rng.random()
        wrong = rng.choice((*map(str, NUMBERS), *WORDS, "1,2", "-1,-1", "1,,2", "f32", "Relu"))
        wrong = "".join(char for char in wrong if char.isprintable())
        if kind < 0.5 and element.attrib:
            element.set(rng.choice(list(element.attrib)), wrong)
        elif kind < 0.7:
            element.text = wrong
        elif kind < 0.8:
            parent.remove(element)
        elif kind < 0.9:
            parent.append(element)
        else:
            other = rng.choice(parents)
            # An element inside of itself would have no end.
            if all(inner is not other for inner in element.iter()):
                other.append(element)
    return ElementTree.tostring(root)


def mutate_zip(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return a zip with a wrong JSON member, or wrong bytes."""
    if rng.random() < 0.2:
        return mutate_bytes(seeds, rng)
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(rng.choice(seeds))) as source, zipfile.ZipFile(made, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, mutate_json([content], rng) if name.endswith("model.json") else content)
    return made.getvalue()


def mutate_pack(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return a pack with a wrong header or wrong trees, and mostly the right digest."""
    content = rng.choice(seeds)
    (length,) = struct.unpack_from("<I", content, 8)
    header, rest = json.loads(content[12 : 12 + length]), bytearray(content[12 + length : -32])
    if rng.random() < 0.7:
        header = mutate_tree(header, rng)
    else:
        for _ in range(rng.choice((1, 4))):
            rest[rng.randrange(len(rest))] = rng.randrange(256)
    text = json.dumps(header).encode()
    body = content[:8] + struct.pack("<I", len(text)) + text + rest
    if rng.random() < 0.1:
        return mutate_bytes([body], rng)
    return body + hashlib.sha256(body).digest()


@lru_cache(maxsize=1)
def _predictor() -> Any:
    return load_latency_predictor("cortexA76cpu_tflite21")


def _predicts(model_type: str, suffix: str) -> Callable[[bytes, Path], bool]:
    def attempt(content: bytes, folder: Path) -> bool:
        path = folder / f"model{suffix}"
        path.write_bytes(content)
        _predictor().predict(path, model_type)
        return True

    return attempt


def read_pack(content: bytes, folder: Path) -> bool:
    """Load a pack and predict with it."""
    from predictor_core.predictor import LatencyPredictor

    path = folder / "forests.pack"
    path.write_bytes(content)
    device = ROOT / "predictor_core" / "devices" / "cortexA76cpu_tflite21"
    (folder / "fusion_rules.yaml").write_bytes((device / "fusion_rules.yaml").read_bytes())
    LatencyPredictor.from_pack(path).profile(zoo.build("squeezenet"))
    return True


def read_entry(content: bytes, folder: Path) -> bool:
    """Read a meta file of a predictor."""
    path = folder / "meta.yaml"
    path.write_bytes(content)
    try:
        entry = read_yaml(path)
    except ValueError as error:
        raise PredictorError(str(error)) from error
    check_entry(entry, str(path), folder)
    return True


def _packed(folder: str, ending: str) -> Callable[[], list[bytes]]:
    def seeds() -> list[bytes]:
        found = [
            gzip.decompress(path.read_bytes()) for path in sorted((FIXTURES / folder).glob(f"*{ending}.gz"))
        ]
        return [data for data in found if len(data) <= MAX_SEED_BYTES]

    return seeds


def onnx_seeds() -> list[bytes]:
    """Return the starts of published models without their weights, and small models of rare ops."""
    from onnx import FunctionProto, ModelProto, helper

    from predictor_core.frontends.onnx.file import without_payloads

    def model(nodes: Sequence[Any], outputs: Sequence[str], init: Sequence[Any] = (), **more: Any) -> bytes:
        graph = helper.make_graph(
            list(nodes),
            "seed",
            [helper.make_tensor_value_info("x", 1, ["N", 4, 8, 8])],
            [helper.make_tensor_value_info(name, 1, None) for name in outputs],
            [helper.make_tensor(name, kind, shape, numbers) for name, kind, shape, numbers in init],
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("my", 1)]
        return bytes(helper.make_model(graph, opset_imports=opsets, **more).SerializeToString())

    node, found = helper.make_node, []
    for path in sorted((ROOT / "examples" / "models").glob("*.onnx")):
        for count in KEPT_NODES:
            whole = ModelProto.FromString(without_payloads(path.read_bytes()))
            del whole.graph.node[count:]
            whole.graph.output[0].name = whole.graph.node[-1].output[0]
            read = {name for kept in whole.graph.node for name in kept.input}
            weights = [tensor for tensor in whole.graph.initializer if tensor.name in read]
            del whole.graph.initializer[:], whole.graph.value_info[:]
            whole.graph.initializer.extend(weights)
            found.append(bytes(whole.SerializeToString()))
    taken = helper.make_graph(
        [node("Relu", ["x"], ["r"])], "then", [], [helper.make_tensor_value_info("r", 1, None)]
    )
    function = helper.make_function(
        "my", "F", ["a"], ["b"], [node("Relu", ["a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    assert isinstance(function, FunctionProto)
    sizes = [node("Shape", ["x"], ["s"]), node("Gather", ["s", "zero"], ["n"])]
    sizes += [node("Unsqueeze", ["n", "axes"], ["n1"]), node("Concat", ["n1", "rest"], ["to"], axis=0)]
    one = ("zero", 7, [], [0]), ("axes", 7, [1], [0]), ("rest", 7, [1], [-1])
    windows = ("w", 1, [4, 4, 1, 1], [0.0] * 16), ("roi", 1, [4], [1.0, 1.0, 2.0, 2.0])
    cuts = ("a", 7, [2], [0, 1]), ("b", 7, [2], [2, 9]), ("p", 7, [8], [0, 0, 1, 1, 0, 0, 1, 1])
    found += [
        model([*sizes, node("Reshape", ["x", "to"], ["y"])], ["y"], one),
        model(
            [
                node("Conv", ["x", "w"], ["c"], pads=[0] * 4),
                node("Resize", ["c", "", "roi"], ["r"], mode="linear"),
                node("Where", ["e", "r", "r"], ["y"]),
                node("Equal", ["r", "r"], ["e"]),
            ],
            ["y"],
            windows,
        ),
        model(
            [
                node("Slice", ["x", "a", "b"], ["s"]),
                node("Pad", ["s", "p"], ["q"]),
                node("Split", ["q"], ["l", "r"], axis=2),
                node("Concat", ["l", "r"], ["y"], axis=-1),
                node("Tile", ["y", "b"], ["t"]),
            ],
            ["y", "t"],
            cuts,
        ),
        model(
            [node("If", ["c"], ["y"], then_branch=taken, else_branch=taken)], ["y"], [("c", 9, [], [True])]
        ),
        model([node("F", ["x"], ["y"], domain="my")], ["y"], functions=[function]),
        model(
            [
                node("Einsum", ["x", "x"], ["e"], equation="abcd,abed->abce"),
                node("ReduceMean", ["e"], ["m"], axes=[-1]),
                node("TopK", ["m", "axes"], ["v", "i"]),
                node("NonZero", ["v"], ["z"]),
                node("Unknown", ["v"], ["u"], domain="my"),
                node("Softmax", ["e"], ["y"], axis=1),
            ],
            ["y"],
            one,
        ),
        model(
            [
                node("DequantizeLinear", ["x", "f"], ["d"]),
                node("Expand", ["d", "to"], ["e"]),
                node("ConstantOfShape", ["to"], ["k"]),
                node("Range", ["g", "h", "g"], ["n"]),
                node("DepthToSpace", ["e"], ["t"], blocksize=2),
                node("LSTM", ["d", "w", "w"], ["y"], hidden_size=1),
            ],
            ["t", "y"],
            [
                *(("f", 1, [], [1.0]), ("g", 7, [], [1]), ("h", 7, [], [5])),
                *(("to", 7, [4], [1, 4, 8, 8]), windows[0]),
            ],
        ),
    ]
    return found


def pb_seeds() -> list[bytes]:
    """Return the small TensorFlow graphs, and the starts of the others."""
    found = []
    for path in sorted((FIXTURES / "tensorflow").glob("*_frozen.pb.gz")):
        data = gzip.decompress(path.read_bytes())
        fields = wire_fields(data)
        for count in KEPT_NODES:
            kept = [data[start:end] for tag, start, _, end in fields if tag == 10]
            found.append(b"".join(kept[: 2 * count]))
        if len(data) <= MAX_SEED_BYTES // 4:
            found.append(data)
    return found


def xml_seeds() -> list[bytes]:
    """Return the starts of the OpenVINO models."""
    found = []
    for path in sorted((FIXTURES / "openvino").glob("*.xml.gz")):
        root = ElementTree.fromstring(gzip.decompress(path.read_bytes()))
        layers, edges = root.find("layers"), root.find("edges")
        if layers is None or edges is None:
            continue
        kept = {layer.get("id") for layer in list(layers)[: KEPT_NODES[1]]}
        for layer in list(layers):
            if layer.get("id") not in kept:
                layers.remove(layer)
        for edge in list(edges):
            if not {edge.get("from-layer"), edge.get("to-layer")} <= kept:
                edges.remove(edge)
        found.append(ElementTree.tostring(root))
    return found


def ir_seeds() -> list[bytes]:
    """Return the starts of documents of this package and of nn-Meter."""
    documents = [to_document(zoo.build(name)) for name in ("squeezenet", "mobilenetv3", "shufflenetv2")]
    documents += [json.loads(data) for data in _packed("legacy/ir", ".json")()]
    return [
        json.dumps(dict(list(document.items())[: 2 * count])).encode()
        for document in documents
        for count in KEPT_NODES
    ]


def program_seeds() -> list[bytes]:
    """Return small programs of torch."""
    import torch
    from torch import nn

    found = []
    for module, shape in (
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()), (1, 3, 8, 8)),
        (nn.TransformerEncoderLayer(8, 2, 8, batch_first=True), (1, 4, 8)),
        (nn.Sequential(nn.Flatten(), nn.Linear(48, 2), nn.Softmax(-1)), (1, 3, 4, 4)),
    ):
        target = io.BytesIO()
        torch.export.save(torch.export.export(module.eval(), (torch.zeros(shape),)), target)
        found.append(target.getvalue())
    return found


def pack_seeds() -> list[bytes]:
    """Return a pack with every part of an embedded one and the smallest forest of it."""
    path = next((ROOT / "predictor_core" / "devices" / "cortexA76cpu_tflite21").glob("*.pack"))
    header = dict(load_pack(path).header)
    name, facts = min(
        header["forests"].items(), key=lambda item: item[1]["last_tree"] - item[1]["first_tree"]
    )
    width = facts["n_features"]
    leaf, root = np.array([1, -1, -1]), np.array([2, -1, -1])
    tree = Tree(leaf, root, np.array([width - 1, 0, 0]), np.array([1.0, 0, 0]), np.array([0.0, 0.1, -0.1]))
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "small.pack"
        save_pack(
            target, {**header, "forests": {name: facts}}, {name: Forest.from_trees([tree, tree], width)}
        )
        return [target.read_bytes()]


def entry_seeds() -> list[bytes]:
    """Meta files."""
    entry = {
        "name": "mine",
        "version": 1.0,
        "category": "cpu",
        "package_location": ".",
        "kernel_predictors": ["a"],
    }
    return [yaml.safe_dump(entry).encode(), json.dumps(entry).encode()]


TARGETS: Mapping[str, Target] = {
    "onnx": Target(onnx_seeds, mutate_onnx, _predicts("onnx", ".onnx")),
    "pb": Target(pb_seeds, mutate_pb, _predicts("pb", ".pb")),
    "tflite": Target(_packed("tflite", ".tflite"), mutate_bytes, _predicts("tflite", ".tflite")),
    "openvino": Target(xml_seeds, mutate_xml, _predicts("openvino", ".xml")),
    "pt2": Target(program_seeds, mutate_zip, _predicts("torch", ".pt2")),
    "nnmeter-ir": Target(ir_seeds, mutate_json, _predicts("nnmeter-ir", ".json")),
    "pack": Target(pack_seeds, mutate_pack, read_pack),
    "pickle": Target(
        lambda: [path.read_bytes() for path in sorted(PICKLES.glob("*.pkl"))],
        mutate_pickle,
        read_pickled_forest,
    ),
    "meta": Target(
        entry_seeds,
        lambda seeds, rng: mutate_json([seeds[1]], rng) if rng.random() < 0.7 else mutate_bytes(seeds, rng),
        read_entry,
    ),
}


class Tally:
    """Tries cases of one target, one after the other, and counts what comes of them."""

    def __init__(self, target: Target, folder: Path) -> None:
        self._target = target
        self._folder = folder
        self.cases = self.read = 0
        self.slowest_s = 0.0
        self.leaks: list[str] = []

    def try_one(self, content: bytes) -> None:
        """Try one file."""
        case, start_s = self.cases, time.thread_time()
        self.cases += 1
        try:
            self.read += self._target.attempt(content, self._folder)
        except PredictorError as error:
            text = str(error)
            if len(text) > MAX_LINE or not text.isprintable():
                self.leaks.append(f"case {case}: a message of {len(text)} characters, or of several lines")
        except Exception as error:  # noqa: BLE001  any escape is what this looks for
            self.leaks.append(f"case {case}: {type(error).__name__}: {error}")
        spent_s = time.thread_time() - start_s
        if spent_s > MOST_SECONDS:
            self.leaks.append(f"case {case}: {spent_s:.1f} s")
        self.slowest_s = max(self.slowest_s, spent_s)

    def outcome(self) -> Outcome:
        """Return what came of the cases so far."""
        return Outcome(self.cases, self.read, self.slowest_s, self.leaks)


def fuzz(name: str, seed: int, *, cases: int | None = None, seconds: float | None = None) -> Outcome:
    """Try mutated files of one kind in this process.

    Parameters
    ----------
    name : str
        Of `TARGETS`.
    seed : int
        Equal seeds make equal files.
    cases : int, optional
        How many at most.
    seconds : float, optional
        How long at most.
    """
    target, rng = TARGETS[name], random.Random(seed)
    seeds = target.seeds()
    end_s = time.monotonic() + (seconds or float("inf"))
    with tempfile.TemporaryDirectory() as folder:
        tally = Tally(target, Path(folder))
        while (cases is None or tally.cases < cases) and time.monotonic() < end_s:
            tally.try_one(target.mutate(seeds, rng))
    return tally.outcome()


def own_functions() -> Iterator[FunctionType]:
    """Return the functions and methods of the package that are loaded, each once."""
    modules = [module for name, module in sys.modules.items() if name.startswith("predictor_core.")]
    seen: set[int] = set()
    for owner in modules:
        members = list(vars(owner).values())
        members += [part for kind in members if isinstance(kind, type) for part in vars(kind).values()]
        for member in members:
            function = getattr(member, "__func__", member)
            own = isinstance(function, FunctionType) and function.__module__.startswith("predictor_core.")
            if own and id(function) not in seen:
                seen.add(id(function))
                yield function


def fuzz_guided(name: str, seed: int, report: Callable[[Outcome], None], cases: int, seconds: float) -> None:
    """Do the same, guided by what atheris sees of the coverage; it ends the process, so it reports before."""
    import atheris

    target = TARGETS[name]
    seeds = target.seeds()
    with tempfile.TemporaryDirectory() as folder:
        for content in seeds:
            # So that what reads such files is loaded.
            Tally(target, Path(folder)).try_one(content)
        for function in own_functions():
            atheris.instrument_func(function)
        corpus = Path(folder, "corpus")
        corpus.mkdir()
        for place, content in enumerate(seeds):
            (corpus / str(place)).write_bytes(content)
        tally = Tally(target, Path(folder))
        end_s = time.monotonic() + seconds

        def one(content: bytes) -> None:
            tally.try_one(content)
            over = tally.cases >= cases or time.monotonic() > end_s
            if over or tally.cases % 1000 == 0:
                report(tally.outcome())

        def mutate(content: bytes, most: int, number: int) -> bytes:
            rng = random.Random(number)
            if not content or rng.random() < 0.5:
                return bytes(atheris.Mutate(content, most))
            try:
                return target.mutate([content], rng)[:most]
            except Exception:  # noqa: BLE001  no longer a file of its kind
                return bytes(atheris.Mutate(content, most))

        options = [f"-seed={seed + 1}", f"-max_total_time={int(seconds)}", f"-runs={cases}"]
        options += ["-max_len=100000", "-rss_limit_mb=0", "-timeout=120"]
        atheris.Setup([sys.argv[0], *options, str(corpus)], one, custom_mutator=mutate)
        atheris.Fuzz()


def _row(name: str, found: Outcome) -> dict[str, Any]:
    return {
        "target": name,
        "cases": found.cases,
        "read": found.read,
        "slowest (s)": round(found.slowest_s, 3),
        "peak (MB)": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "peak of its processes (MB)": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        "leaks": len(found.leaks),
        "first": found.leaks[:5],
    }


def _apart(name: str, arguments: argparse.Namespace, seconds: float) -> dict[str, Any]:
    """Fuzz one target in a process of its own; return a row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "row.json"
        command = [sys.executable, __file__, "--child", name, str(report), "--seed", str(arguments.seed)]
        command += ["--minutes", str(seconds / 60), "--cases", str(arguments.cases)]
        command += ["--engine", arguments.engine]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found: dict[str, Any] = json.loads(report.read_text()) if report.exists() else {"target": name}
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [""]
        found["leaks"] = f"the process ended with {done.returncode}: {last[0]}"
    return found


def _child(arguments: argparse.Namespace) -> int:
    name, path = arguments.child
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    seconds = 60 * arguments.minutes

    def report(found: Outcome) -> None:
        Path(path).write_text(json.dumps(_row(name, found)))

    if arguments.engine == "atheris":
        fuzz_guided(name, arguments.seed, report, arguments.cases, seconds)
    else:
        report(fuzz(name, arguments.seed, cases=arguments.cases, seconds=seconds))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="for all kinds of files together, at most"
    )
    parser.add_argument("--cases", type=int, default=10**9, help="of each kind, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=list(TARGETS), default=list(TARGETS))
    engine = "atheris" if find_spec("atheris") else "structural"
    parser.add_argument("--engine", choices=("atheris", "structural"), default=engine)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return _child(arguments)
    from harness import publish, published  # beside this script; the tests import the functions above alone

    rows, end_s = [], time.monotonic() + 60 * arguments.minutes
    for place, name in enumerate(arguments.only):
        # What one kind leaves of its share of the time is for those that follow.
        rows.append(_apart(name, arguments, (end_s - time.monotonic()) / (len(arguments.only) - place)))
        print(rows[-1], flush=True)
    for row in rows:
        for leak in row.pop("first", ()):
            print(f"{row['target']}: {leak}")
    others = [row for row in published("fuzz") if row["target"] not in arguments.only]
    publish("fuzz", "Mutated files, read or refused", [*others, *rows])
    return 1 if any(row["leaks"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
