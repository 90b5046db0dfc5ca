"""How torch functions on sequences become Nodes: attention, recurrent layers and their cells."""

from __future__ import annotations

from math import sqrt
from typing import Any

import torch

from predictor_core.errors import GraphError
from predictor_core.frontends.torch.call import BatchMissing, Call, Handler, Untraceable
from predictor_core.frontends.torch.math_ops import constant_operand
from predictor_core.frontends.torch.view_ops import reshaped, transposed
from predictor_core.ir.shapes import broadcast


def attention(
    call: Call,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """softmax(q·kᵀ·scale + mask)·v; the scale goes half to q and half to k, as exporters write it."""
    emit = call.emit_unless_constant
    *batch, rows, width = query.shape
    columns = key.shape[-2]
    if enable_gqa and key.shape[-3] != query.shape[-3]:
        # Groups of queries share a head of keys and values.
        key, value = [emit("expand", (one,), (*query.shape[:-2], *one.shape[-2:])) for one in (key, value)]
    half = {"const": sqrt(1 / sqrt(width) if scale is None else scale)}
    rank = key.dim()
    turned_shape = (*key.shape[:-2], key.shape[-1], columns)
    turned = emit("transpose", (key,), turned_shape, {"perm": (*range(rank - 2), rank - 1, rank - 2)})
    turned = emit("mul", (turned,), turned_shape, half)
    query = emit("mul", (query,), tuple(query.shape), half)
    scores_shape = (*broadcast(tuple(batch), tuple(key.shape[:-2])), rows, columns)
    scores = emit("matmul", (query, turned), scores_shape, constant_operand(call, query, turned))
    if attn_mask is not None or is_causal:
        mask_shape = tuple(attn_mask.shape) if attn_mask is not None else (rows, columns)
        if call.tracked(attn_mask):
            scores = call.emit("add", (scores, attn_mask), scores_shape)
        else:
            scores = call.emit("add", (scores,), scores_shape, {"const_shape": mask_shape})
    weights = emit("softmax", (scores,), scores_shape, {"axis": len(scores_shape) - 1})
    shape = (*scores_shape[:-1], value.shape[-1])
    return emit("matmul", (weights, value), shape, constant_operand(call, weights, value))


def _recurrent(op: str) -> Handler:
    def recurrent(
        call: Call,
        input: torch.Tensor,
        hx: Any,
        params: Any,
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool = False,
    ) -> Any:
        if isinstance(hx, torch.Tensor) and isinstance(params, torch.Tensor):
            raise Untraceable("packed sequences have lengths that only values tell")
        if input.dim() != 3:
            raise BatchMissing(
                f"a recurrent layer over an input of shape {list(input.shape)}: is the batch missing?"
            )
        initial = list(hx) if isinstance(hx, (tuple, list)) else [hx]
        directions = 2 if bidirectional else 1
        # Each has weights for its input and for its state, and a bias for both.
        if not 0 < num_layers * directions * (4 if has_biases else 2) <= len(params):
            raise GraphError(
                f"a recurrent op of {num_layers} layers in {directions} directions has {len(params)} weights"
            )
        hidden = initial[0].shape[-1]
        steps, batch = (input.shape[1], input.shape[0]) if batch_first else (input.shape[0], input.shape[1])
        x = transposed(call, input, (1, 0, 2)) if batch_first else input
        width = directions * hidden
        attrs = {"hidden": initial[-1].shape[-1], "layers": 1, "bidirectional": bool(bidirectional)}
        if hidden != attrs["hidden"]:
            attrs["projection"] = hidden
        finals: list[list[Any]] = [[] for _ in initial]
        for _ in range(num_layers):
            own = [one for one in initial if call.tracked(one)]
            state_shapes = [(directions, batch, one.shape[-1]) for one in initial]
            made = call.emit(
                op, (x, *own), [(steps, directions, batch, width // directions), *state_shapes], attrs
            )
            x = made[0]
            if directions == 2:
                x = transposed(call, x, (0, 2, 1, 3))
            x = reshaped(call, x, (steps, batch, width))
            for collected, state in zip(finals, made[1:]):
                collected.append(state)
        if batch_first:
            x = transposed(call, x, (1, 0, 2))
        last = []
        for collected in finals:
            total = (num_layers * directions, batch, collected[0].shape[-1])
            last.append(
                collected[0] if num_layers == 1 else call.emit("concat", collected, total, {"axis": 0})
            )
        return (x, *last)

    return recurrent


def _cell(op: str) -> Handler:
    """One step of a recurrent layer: the layer over a sequence of one."""

    def cell(call: Call, input: torch.Tensor, hx: Any, *_: Any, **__: Any) -> Any:
        state = list(hx) if isinstance(hx, (tuple, list)) else [hx]
        hidden = state[0].shape[-1]
        shapes = [(*input.shape[:-1], hidden)] * len(state)
        sources = [one for one in (input, *state) if call.tracked(one)]
        attrs = {"hidden": hidden, "layers": 1, "bidirectional": False}
        if not call.tracked(input):
            attrs["const_shape"], attrs["const_first"] = tuple(input.shape), True
        made = call.emit(op, sources, shapes, attrs)
        return tuple(made) if len(made) > 1 else made[0]

    return cell


SEQUENCE_HANDLERS: dict[str, Handler] = {
    "scaled_dot_product_attention": attention,
    "lstm": _recurrent("lstm"),
    "gru": _recurrent("gru"),
    **dict.fromkeys(("rnn_tanh", "rnn_relu"), _recurrent("rnn")),
    "lstm_cell": _cell("lstm"),
    "gru_cell": _cell("gru"),
    **dict.fromkeys(("rnn_tanh_cell", "rnn_relu_cell"), _cell("rnn")),
}
