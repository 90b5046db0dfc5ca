"""Look-ups in the table of kernels, and the ops that users add to it.

An op without a row is not known: it is estimated from the bytes it moves, and flagged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from predictor_core.errors import PredictorError
from predictor_core.ir import ops
from predictor_core.ir.ops import OpSpec
from predictor_core.kernels.costs import Cost, CostFunction, no_weights
from predictor_core.kernels.decomposition import Decomposition, direct
from predictor_core.kernels.feature_matrix import FeatureSet
from predictor_core.kernels.feature_sets import CHANNELWISE, CONCAT, CONTEXT, CONV, FC, MAPPED, SE
from predictor_core.kernels.spec import KernelSpec
from predictor_core.kernels.table import KERNEL_OPS, LIGHT, KernelOp

#: Features of each forest that a pack may hold.
FORESTS: dict[str, FeatureSet] = {
    "conv": CONV,
    "dwconv": CHANNELWISE,
    "fc": FC,
    "maxpool": CHANNELWISE,
    "avgpool": CHANNELWISE,
    "global-avgpool": MAPPED,
    "se": SE,
    "hswish": MAPPED,
    "relu": MAPPED,
    "bn": MAPPED,
    "add": MAPPED,
    "mul": MAPPED,
    "concat": CONCAT,
    "split": MAPPED,
    "channelshuffle": MAPPED,
}

#: Forests of ops that treat every element alike, wherever it stands.
ELEMENTWISE = frozenset({"hswish", "relu", "bn", "add", "mul"})

_CONTEXTUAL = frozenset(name for name, found in FORESTS.items() if CONTEXT[0] in found.names)
_UNKNOWN = KernelOp(LIGHT)


class Registration(NamedTuple):
    """One call of `register_op`, as it is carried to worker processes.

    Parameters
    ----------
    op : OpSpec
        Row of the op in Graphs.
    kernel : KernelOp or None
        Row of the op in kernels; None where it is free.
    """

    op: OpSpec
    kernel: KernelOp | None


_REGISTERED: dict[str, Registration] = {}
#: The table with the rows that users have registered in it.
_ROWS = dict(KERNEL_OPS)


def register_op(
    name: str,
    *,
    cost: CostFunction | None = None,
    forest: str | None = None,
    shape: ops.ShapeFunction | None = None,
    layout: ops.LayoutClass | None = None,
    attrs: Mapping[str, type] | None = None,
    free: bool = False,
) -> None:
    """Add an op, or the cost of one whose latency is estimated; what is measured stays as it is.

    Register ops before the first prediction: predictors remember the kernels that they have seen
    (`LatencyPredictor.clear_memo`). Worker processes of ``predict_many`` get them, too; other processes have
    to make the call themselves. The latency of a registered op is an estimate, and reports say so.

    Parameters
    ----------
    name : str
        The op as Graphs have it: that of the source, such as ``"NonMaxSuppression"``; names that begin with
        a small letter in the source have ``custom:`` before them.
    cost : callable, optional
        Pure function from a `KernelSpec` to a `Cost`: multiply-accumulates, and bytes at four an element.
        Default: one for each element that it writes, and the bytes that it reads and writes.
    forest : str, optional
        One of `FORESTS` whose kernels work alike, instead of the estimate by peak rates.
    shape : callable, optional
        ``(attrs, input shapes) -> output shapes``, channels last; default: the source states them.
    layout : str, optional
        One of `predictor_core.ir.ops.LAYOUTS`: how the op is written channels last. Default: as it stands.
    attrs : mapping of str to type, optional
        Attributes that nodes of the op carry.
    free : bool
        The op costs nothing on any device, because converters remove it.

    Raises
    ------
    PredictorError
        When there is nothing to add, the name is that of a measured op, or an argument does not exist.

    Examples
    --------
    >>> from predictor_core.kernels import Cost, KernelSpec, cost, register_op, unregister_op
    >>> register_op("FFT", cost=lambda spec: Cost(64.0 * spec.output[-1], 8.0 * spec.output[-1]))
    >>> cost(KernelSpec("FFT", "FFT", ((1, 128),), (1, 128)))
    Cost(macs=8192.0, bytes=1024.0)
    >>> unregister_op("FFT")
    """
    if free and (cost is not None or forest is not None):
        raise PredictorError(f"{name!r} is either free or has a cost; got both")
    if not (free or cost or forest or shape or layout or attrs):
        raise PredictorError(
            f"nothing to register for {name!r}; give cost, forest, shape, layout, attrs or free"
        )
    if forest is not None and forest not in FORESTS:
        raise PredictorError(
            f"there is no forest {forest!r} for {name!r}; expected one of {', '.join(FORESTS)}"
        )
    if layout is not None and layout not in ops.LAYOUTS:
        raise PredictorError(
            f"there is no layout {layout!r} for {name!r}; expected one of {', '.join(ops.LAYOUTS)}"
        )
    known = KERNEL_OPS.get(name)
    if ops.is_free(name) or (known is not None and known.decompose is not direct):
        raise PredictorError(
            f"{name!r} is measured, or free, on the devices; only estimated ops can be changed"
        )
    base = known or _UNKNOWN
    kernel = KernelOp(
        cost or base.cost, forest or base.forest, forest is not None or base.alike, base.weights, base.fields
    )
    old = ops.OPS.get(name)
    group = old.group if old is not None else "other"
    row = OpSpec(
        name,
        "free" if free else group,
        layout or (old.layout if old else ""),
        shape or (old.shape if old else None),
        attrs or (old.attrs if old else {}),
        old.ir_names if old else "",
    )
    add_registrations([Registration(row, None if free else kernel)])


def unregister_op(name: str) -> None:
    """Take back `register_op`; a name that is not registered is left alone."""
    _REGISTERED.pop(name, None)
    ops.USER_OPS.pop(name, None)
    _ROWS.pop(name, None)
    if name in KERNEL_OPS:
        _ROWS[name] = KERNEL_OPS[name]


def registrations() -> tuple[Registration, ...]:
    """Return what users have registered."""
    return tuple(_REGISTERED.values())


def add_registrations(made: Iterable[Registration]) -> None:
    """Register what `registrations` has returned, in another process perhaps."""
    for one in made:
        _REGISTERED[one.op.name] = one
        ops.USER_OPS[one.op.name] = one.op
        _ROWS[one.op.name] = one.kernel or _UNKNOWN


def kernel_op(op: str) -> KernelOp:
    """Row of an op; one that is not known is costed by what it reads and writes."""
    return _ROWS.get(op, _UNKNOWN)


def is_free(op: str) -> bool:
    """Whether an op costs nothing on any device."""
    return ops.is_free(op)


def has_context(op: str) -> bool:
    """Whether the forest of an op looks at the context of a kernel."""
    return kernel_op(op).forest in _CONTEXTUAL


def has_weights(op: str) -> bool:
    """Whether kernels of an op have constant weights."""
    return kernel_op(op).weights is not no_weights


def cost(spec: KernelSpec) -> Cost:
    """Analytic cost of a kernel: multiply-accumulates and bytes moved."""
    return _ROWS.get(spec[1], _UNKNOWN).cost(spec)


def weights(spec: KernelSpec) -> int:
    """Elements of the constant weights of a kernel."""
    return kernel_op(spec.op).weights(spec)


def features(forest: str, specs: Sequence[KernelSpec]) -> NDArray[np.float64]:
    """Feature matrix of kernels that one forest answers for, shape (len(specs), number of features)."""
    return FORESTS[forest].matrix(specs, [cost(spec) for spec in specs])


def decompose(spec: KernelSpec) -> Decomposition:
    """Express a kernel by kernels of the sorts that were measured."""
    entry = _ROWS.get(spec[1], _UNKNOWN)
    found = entry.decompose(spec)
    if found.measured and not entry.measured:
        return found._replace(measured=False)
    return found
