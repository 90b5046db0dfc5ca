"""Kinds of estimates: kernels that no forest serves, by what is known of how wrong their estimates are."""

from __future__ import annotations

#: Kinds, in the order of columns; the last one holds what the peak rates of the device bound.
KINDS = ("grouped", "attention", "shuffle", "other", "bounded")

_GROUPED, _ATTENTION, _SHUFFLE, _OTHER, _ = range(len(KINDS))
_OPS = {
    "groupconv": _GROUPED,
    # What vision transformers are made of: only their sum was seen.
    **dict.fromkeys(("fc", "matmul", "softmax", "layernorm", "gelu"), _ATTENTION),
    **dict.fromkeys(("channelshuffle", "split"), _SHUFFLE),
}


def kind(op: str) -> int:
    """Place in `KINDS` of an estimated kernel's op."""
    return _OPS.get(op, _OTHER)
