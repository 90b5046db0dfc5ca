"""What around a kernel changes its latency on a device with an engine of its own for some ops.

While the engine runs a kernel, the processors run another one that does not depend on it: the two overlap,
and the shorter of them costs next to nothing. Measured networks are explained by pairs: every kernel of the
engine takes the first kernel of the processors, in the order of execution and near it, that neither needs it
nor is needed by it. What the processors run also costs more or less with who wrote its inputs.
"""

from __future__ import annotations

from collections.abc import Sequence

from predictor_core.kernels.registry import has_context, has_weights
from predictor_core.kernels.spec import ONE, KernelSpec

#: Places in the order of execution between kernels that may run at once.
REACH = 8

#: Places over which it matters what waits for what: several times `REACH`, for pairs pass it on.
_SPAN = 8 * REACH
_ALL = (1 << 2 * _SPAN + 1) - 1

#: What a kernel overlaps with: nothing, a kernel without weights, a product of single pixels, one of windows.
NO_OVERLAP, WITHOUT_WEIGHTS, POINTWISE, WINDOW = range(4)


def contexts(
    specs: Sequence[KernelSpec], reads: Sequence[Sequence[int]], engine: frozenset[str]
) -> list[tuple[int, ...]]:
    """Context of each kernel, as `predictor_core.kernels.feature_sets.CONTEXT` names it.

    Parameters
    ----------
    specs : sequence of KernelSpec
        Kernels of one model, each after those that it reads.
    reads : sequence of sequence of int
        Indices of the kernels that make the inputs of each.
    engine : frozenset of str
        Main ops that the engine runs.

    Returns
    -------
    list of tuple of int
        Empty for kernels that the engine runs or whose forest does not look at it.
    """
    waiting = {i for i, spec in enumerate(specs) if spec.op not in engine and has_context(spec.op)}
    found: list[tuple[int, ...]] = [()] * len(specs)
    if not waiting:
        return found
    partners = pair_up(specs, reads, engine, waiting)
    for i in waiting:
        makers = [specs[maker] for maker in reads[i] if specs[maker].op in engine]
        convs = sum([has_weights(maker.op) for maker in makers])
        overlap = NO_OVERLAP
        if i in partners:
            other = specs[partners[i]]
            if not has_weights(other.op):
                overlap = WITHOUT_WEIGHTS
            else:
                overlap = POINTWISE if other.kernel == ONE else WINDOW
        found[i] = (overlap, convs, len(makers) - convs)
    return found


def pair_up(
    specs: Sequence[KernelSpec], reads: Sequence[Sequence[int]], engine: frozenset[str], waiting: set[int]
) -> dict[int, int]:
    """Find what runs at once: kernel of the processors -> kernel of the engine.

    Parameters
    ----------
    specs, reads, engine
        As for `contexts`.
    waiting : set of int
        Kernels of the processors that may be paired.
    """
    order = _order(reads)
    place_of = {kernel: place for place, kernel in enumerate(order)}
    # What a kernel waits for, as bits of an integer: bit `_SPAN + k` is the kernel k places after it. Whoever
    # is further away than `_SPAN` is never paired, so that its bits may go.
    needs = [0] * len(order)
    for place, kernel in enumerate(order):
        for maker in reads[kernel]:
            distance = place - place_of[maker]
            if distance <= _SPAN:
                needs[place] |= _seen(needs[place - distance], distance) | 1 << _SPAN - distance
    free = set(waiting)
    partners: dict[int, int] = {}
    for place, busy in enumerate(order):
        if specs[busy].op not in engine:
            continue
        start = max(place - REACH, 0)
        for other in range(start, min(place + REACH + 1, len(order))):
            paired, distance = order[other], other - place
            waits = needs[other] >> _SPAN - distance | needs[place] >> _SPAN + distance
            if paired not in free or waits & 1:
                continue
            free.remove(paired)
            partners[paired] = busy
            # From now on, what waits for one of them waits for both.
            pair = 1 << _SPAN | 1 << _SPAN + distance
            needed = needs[place] | _seen(needs[other], -distance) | pair
            needs[place], needs[other] = needed, _seen(needed, distance)
            for later in range(start, min(place + 2 * REACH + 1, len(order))):
                if needs[later] & _seen(pair, later - place):
                    needs[later] |= _seen(needed, later - place)
            break
    return partners


def _seen(bits: int, distance: int) -> int:
    """Bits of a kernel as they are counted from the kernel `distance` places after it."""
    return bits >> distance if distance >= 0 else bits << -distance & _ALL


def _order(reads: Sequence[Sequence[int]]) -> list[int]:
    """Order of execution: depth first, branch by branch, each kernel after those that it reads."""
    readers: list[list[int]] = [[] for _ in reads]
    stack = []
    for i, makers in enumerate(reads):
        for maker in dict.fromkeys(makers):
            readers[maker].append(i)
        if not makers:
            stack.append(i)
    seen: set[int] = set()
    order: list[int] = []
    while stack:
        i = stack.pop()
        if i < 0:
            order.append(~i)
        elif i not in seen:
            seen.add(i)
            stack.append(~i)
            stack.extend(readers[i])
    return order[::-1]
