"""The fastest and the slowest candidate, found by eliminating one choice after the other."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import chain, product
from math import prod
from typing import Any

from nnmeter_nni.space.memo import SpaceMemo

#: Entries of the largest table that the elimination may make.
_MAX_TABLE = 2**20

Table = tuple[tuple[str, ...], Mapping[tuple[Hashable, ...], float]]


def extreme_sample(memo: SpaceMemo, device: int, sign: float) -> dict[str, Any] | None:
    """Return the fastest (`sign` 1) or the slowest (-1) candidate on one device, proven.

    None where it can't be proven: the latency is not known as a sum of factors, or the elimination needs a
    table that is too large.
    """
    if not memo.fill() or memo.factors is None or memo.choices is None or not memo.factors.complete:
        return None
    tables = [
        (labels, {key: sign * float(part[device]) for key, part in table.items()})
        for labels, table in memo.factors.tables
    ]
    return least_sum(tables, memo.choices.values)


def proven_bounds(memo: SpaceMemo) -> list[tuple[float, float]] | None:
    """Return latencies in ms of the fastest and the slowest candidate on each device; None if unproven."""
    found = []
    for device in range(len(memo.predictors)):
        ends = []
        for sign in (1.0, -1.0):
            sample = extreme_sample(memo, device, sign)
            answer = None if sample is None or memo.factors is None else memo.factors.lookup(sample)
            if answer is None:
                return None
            ends.append(float(answer[device]))
        found.append((ends[0], ends[1]))
    return found


def least_sum(tables: Sequence[Table], values: Mapping[str, Sequence[Any]]) -> dict[str, Any] | None:
    """Return the sample with the least sum over tables, by variable elimination.

    None when that needs a table of more than `_MAX_TABLE` entries.

    Parameters
    ----------
    tables : sequence of (labels, mapping)
        Each one: choices of its labels -> term of the sum.
    values : mapping of str to sequence
        Label of each choice -> what can be chosen.
    """
    remaining = list(tables)
    decisions: list[tuple[str, tuple[str, ...], dict[tuple[Hashable, ...], Any]]] = []
    waiting = set(values)
    while waiting:
        scopes = {
            label: set(chain.from_iterable(labels for labels, _ in remaining if label in labels)) - {label}
            for label in waiting
        }
        label = min(waiting, key=lambda one: (prod(len(values[other]) for other in scopes[one]), one))
        others = tuple(sorted(scopes[label]))
        if prod(len(values[other]) for other in (*others, label)) > _MAX_TABLE:
            return None
        touching = [table for table in remaining if label in table[0]]
        remaining = [table for table in remaining if label not in table[0]]
        least: dict[tuple[Hashable, ...], float] = {}
        chosen: dict[tuple[Hashable, ...], Any] = {}
        for key in product(*(values[other] for other in others)):
            known = dict(zip(others, key))
            for value in values[label]:
                known[label] = value
                total = sum(table[tuple([known[one] for one in labels])] for labels, table in touching)
                if key not in least or total < least[key]:
                    least[key], chosen[key] = total, value
        remaining.append((others, least))
        decisions.append((label, others, chosen))
        waiting.discard(label)
    sample: dict[str, Any] = {}
    for label, others, chosen in reversed(decisions):
        sample[label] = chosen[tuple([sample[other] for other in others])]
    return {label: sample[label] for label in values}
