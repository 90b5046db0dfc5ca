"""Recognise indices that a model lets count from the end."""

from __future__ import annotations

from predictor_core.ir.passes.draft import Draft


def wrapped_indices(draft: Draft) -> None:
    """Drop ``where(i < 0, i + size, i)``: a look-up pays nothing for it, and most formats do not write it."""
    for node in draft.of("where"):
        if len(node.inputs) != 3:
            continue
        condition, wrapped, plain = node.inputs
        test, sum_ = draft.producer(condition), draft.producer(wrapped)
        if test.op == "Less" and test.inputs == (plain,) and sum_.op == "add" and sum_.inputs == (plain,):
            draft.bypass(node, plain)
