"""The form of nn-Meter IR documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from predictor_core.errors import ModelFormatError
from predictor_core.frontends.nnmeter_ir.document import check_document


def entry(**changes: Any) -> dict[str, Any]:
    attr = {"type": "Relu", "attr": {}, **changes.pop("attr", {})}
    return {"inbounds": [], "outbounds": [], "attr": attr, **changes}


def without_outbounds(one: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in one.items() if key != "outbounds"}


@pytest.mark.parametrize("others", [dict, without_outbounds])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (entry(attr={"type": 5}), "'bad' states no type"),
        (entry(attr={"attr": [1]}), "attributes of node 'bad'"),
        (entry(inbounds="good"), "inbounds of node 'bad'"),
        (entry(inbounds=[5]), "inbounds of node 'bad'"),
        (entry(outbounds={"good": 1}), "outbounds of node 'bad'"),
        ({"attr": 5}, "node 'bad' has no attr"),
        (["attr"], "node 'bad' has no attr"),
    ],
)
def test_malformed_nodes_are_named(
    bad: Any, message: str, others: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """However the nodes beside them are written: with all their parts, or with those that are needed."""
    with pytest.raises(ModelFormatError, match=message):
        check_document({"good": others(entry()), "bad": bad})


def test_nodes_need_not_state_everything() -> None:
    check_document({"x": entry(), "y": {"attr": {"type": "Relu"}}, "z": entry(inbounds=("x",))})
