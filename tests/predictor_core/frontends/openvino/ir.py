"""Write small OpenVINO networks."""

from __future__ import annotations

from collections.abc import Sequence

Shape = tuple[int, ...]


def _ports(shapes: Sequence[Shape], start: int, precision: str) -> str:
    return "".join(
        f'<port id="{index}"{precision}>' + "".join(f"<dim>{dim}</dim>" for dim in shape) + "</port>"
        for index, shape in enumerate(shapes, start)
    )


def layer(
    ident: int,
    kind: str,
    inputs: Sequence[Shape],
    outputs: Sequence[Shape],
    *,
    version: str = "opset1",
    inside: str = "",
    **data: str,
) -> str:
    """Return one layer; `inside` is what stands in it beside ports and attributes."""
    attrs = "".join(f' {key.replace("__", "-")}="{value}"' for key, value in data.items())
    opset = f' version="{version}"' if version else ""
    text = f'<layer id="{ident}" name="{kind}_{ident}" type="{kind}"{opset}>'
    text += f"<data{attrs}/>" if data else ""
    text += f"<input>{_ports(inputs, 0, '')}</input>" if inputs else ""
    precision = ' precision="FP32"'
    text += f"<output>{_ports(outputs, len(inputs), precision)}</output>" if outputs else ""
    return f"{text}{inside}</layer>"


def net(
    layers: Sequence[str], edges: Sequence[tuple[int, int, int, int]], version: int = 11, tag: str = "net"
) -> str:
    """Return a network; an edge is (from layer, from port, to layer, to port)."""
    lines = "".join(
        f'<edge from-layer="{a}" from-port="{b}" to-layer="{c}" to-port="{d}"/>' for a, b, c, d in edges
    )
    head = f'net name="model" version="{version}"' if tag == "net" else tag
    return f"<{head}><layers>{''.join(layers)}</layers><edges>{lines}</edges></{tag}>"
