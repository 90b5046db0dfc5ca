"""Layers taken by patterns are those that the XML parser finds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from predictor_core.errors import PredictorError
from predictor_core.frontends.openvino.document import Network
from predictor_core.frontends.openvino.plain import take_plain
from predictor_core.frontends.openvino.reader import read_network

Models = Callable[[str], Path]

PORT = '\t\t\t\t<port id="0" precision="FP32" names="x">\n\t\t\t\t\t<dim>1</dim>\n\t\t\t\t\t<dim>8</dim>\n'
MODEL = (
    '<?xml version="1.0"?>\n<net name="model" version="11">\n\t<layers>\n'
    '\t\t<layer id="0" name="x" type="Parameter" version="opset1">\n'
    '\t\t\t<data shape="1,8" element_type="f32" />\n'
    '\t\t\t<rt_info>\n\t\t\t\t<attribute name="layout" version="0" layout="[N,C]" />\n\t\t\t</rt_info>\n'
    f"\t\t\t<output>\n{PORT}"
    '\t\t\t\t\t<rt_info>\n\t\t\t\t\t\t<attribute name="element_type" value="f32" />\n\t\t\t\t\t</rt_info>\n'
    "\t\t\t\t</port>\n\t\t\t</output>\n\t\t</layer>\n"
    '\t\t<layer id="1" name="relu" type="ReLU" version="opset1">\n'
    f"\t\t\t<input>\n{PORT}\t\t\t\t</port>\n\t\t\t</input>\n"
    '\t\t\t<output>\n\t\t\t\t<port id="1" />\n\t\t\t</output>\n\t\t</layer>\n'
    "\t</layers>\n\t<edges>\n"
    '\t\t<edge from-layer="0" from-port="0" to-layer="1" to-port="0" />\n'
    "\t</edges>\n\t<rt_info>\n\t\t<any>thing</any>\n\t</rt_info>\n</net>\n"
)

#: What makes the model another: the text to replace, at its first place, and what stands there instead.
CHANGES = [
    ('name="relu"', 'name="a&b"'),
    ('name="relu"', 'name="a&lt;b"'),
    ('name="relu"', 'name="a<b"'),
    ('name="relu"', 'name="a\tb"'),
    ('name="relu"', 'name="a\x01b"'),
    ('name="relu"', 'name="été"'),
    ('name="relu"', "name='relu'"),
    ('name="relu"', 'name="relu" name="relu"'),
    ('name="x"', 'name="a</dim>\n\t\t\t\t\t<dim>b"'),
    ('names="x"', 'names="a</dim>\n\t\t\t\t\t<dim>b"'),
    ('shape="1,8"', 'shape="1,8" shape="1,9"'),
    ('shape="1,8"', 'shape="1,8"other="1"'),
    ('shape="1,8"', 'shape="1,8"\x0b'),
    ("<dim>1</dim>", "<dim>1</dim>2"),
    ("<dim>1</dim>", "<dim><!-- one -->1</dim>"),
    ("<dim>1</dim>", "<dim>?</dim>"),
    ("<dim>1</dim>", "<dim>1\r2</dim>"),
    ("<dim>1</dim>\n", "<dim>1</dim>\n\n"),
    ("\t\t\t\t<attribute", "\t\t\t</dim>\n\t\t\t\t\t<dim><attribute"),
    ("\t\t<layer", "</dim>\n\t\t\t\t\t<dim>\t<layer"),
    ("\t\t</layer>", "\t\t</layer>]]>"),
    ("\t\t</layer>", "\t\t<body></body></layer>"),
    ("\t</layers>", "\t</layers><!-- \n\t</layers> -->"),
    ("\t\t<edge ", '\t\t<edge from-layer="1" from-port="1" to-layer="1" to-port="0" />\n\t\t<edge '),
    ("\t</edges>", "\t</edge>"),
    ("</net>", "</net><net>"),
    ("</net>", "\t<dim>3</dim></net>"),
    ("thing", "</dim>\n\t\t\t\t\t<dim>"),
    ("<layers>", "<!-- \n\t<layers>"),
    ("<net", "<!DOCTYPE net><net"),
    ('version="11"', 'version="12"'),
]


def parts(network: Network) -> list[Any]:
    """Return all that a network says."""
    fields = ("ident", "name", "type", "version", "element_type", "data", "inputs", "outputs", "shapes")
    layers = [[getattr(layer, field) for field in fields] for layer in network.layers]
    return [network.has_layers, layers, list(network.sources.items())]


def said(path: Path, text: str) -> Any:
    """Return what is read of a text, or the error."""
    path.write_bytes(text.encode("utf-8"))
    try:
        return parts(read_network(path))
    except PredictorError as error:
        # What is no XML is no XML in one way or another.
        return type(error), str(error).partition(" IR: ")[0]


def parsed(path: Path, text: str) -> Any:
    """Return the same through the parser alone."""
    commented = text.replace("</layers>", "</layers ><!-- -->", 1)
    assert take_plain(commented.encode()) is None
    return said(path, commented)


@pytest.mark.parametrize(
    "name", ["mobilenet_v2", "mobilenet_v2_int8", "inception_v3", "decoder", "v10_resnet18"]
)
def test_a_file_of_openvino_is_read_without_the_parser(model: Models, tmp_path: Path, name: str) -> None:
    text = model(name).read_text(encoding="utf-8")
    taken = take_plain(text.encode())
    assert taken is not None
    assert b"<layer " not in taken[0]
    assert said(tmp_path / "model.xml", text) == parsed(tmp_path / "model.xml", text)


@pytest.mark.parametrize(("before", "after"), [("", ""), *CHANGES])
def test_a_changed_file_says_what_the_parser_says(tmp_path: Path, before: str, after: str) -> None:
    text = MODEL.replace(before, after, 1)
    assert text != MODEL or not before
    assert said(tmp_path / "model.xml", text) == parsed(tmp_path / "model.xml", text)


def test_the_model_that_is_changed_is_read_without_the_parser() -> None:
    assert take_plain(MODEL.encode()) is not None
