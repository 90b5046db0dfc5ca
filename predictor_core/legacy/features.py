"""nn-Meter's feature vectors and its choice of forest, both by substrings of the kernel's op.

Faults included: only the height and the second entries of kernel size and strides are read, a group
convolution counts as dense, a global pool always has height 1, a concat of five inputs is cut to four.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

from predictor_core.legacy.detection import UpstreamKernel
from predictor_core.legacy.errors import upstream_fault

Features = tuple[float, ...]

_ALIASES: Mapping[str, str] = {
    "fc-relu": "fc",
    "max-pool": "maxpool",
    "avg-pool": "avgpool",
    "global-pool": "global-avgpool",
    "gap": "global-avgpool",
    "channel_shuffle": "channelshuffle",
    "bn-relu": "bnrelu",
    "add-relu": "addrelu",
    "SE": "se",
    "SE-relu": "se",
    "se-relu": "se",
}


def forest_name(op: str) -> str:
    """Name of the forest (the pickle's name) that predicts a kernel of this op.

    Examples
    --------
    >>> forest_name("conv-bn-add-relu"), forest_name("dwconv-relu"), forest_name("add-relu")
    ('conv-bn-relu', 'dwconv-bn-relu', 'addrelu')
    """
    if "dwconv" in op:
        return "dwconv-bn-relu"
    if "conv" in op:
        return "conv-bn-relu"
    return _ALIASES.get(op, op)


def feature_vectors(kernels: Sequence[UpstreamKernel]) -> list[Features | None]:
    """Feature vector of each kernel; None where nn-Meter knows none and silently counts 0 ms.

    They depend on each other: a fused split or channel shuffle takes height and channels from whatever
    kernel came before.

    Raises
    ------
    ParityError
        nn-Meter raises on one of the kernels.
    """
    vectors = []
    before: dict[str, Any] = {}
    for kernel in kernels:
        with upstream_fault(f"kernel {kernel.name!r}"):
            vector = _features(kernel.op, kernel.fields, before)
            if vector is not None and not all(isinstance(entry, Real) for entry in vector):
                raise TypeError(f"the features {vector!r:.80} are not numbers")
            vectors.append(vector)
    return vectors


def _features(op: str, fields: Mapping[str, Any], before: dict[str, Any]) -> Features | None:
    """Features of one kernel; `before` carries height and channels to the next."""
    tensors = fields["input_tensors"]
    window: Features = ()
    if "conv" in op or "maxpool" in op or "avgpool" in op:
        stride = fields["strides"][1] if "strides" in fields else 1
        window = (fields["inputh"], fields["cin"], fields["cout"], fields["ks"][1], stride)
        before.update(height=window[0], cin=window[1])
    if op in ("channelshuffle", "split"):
        _, before["height"], _, before["cin"] = tensors[0]

    if "conv" in op:
        return _convolution(op, *window)
    if "fc" in op:
        before["cin"], cout = fields["cin"], fields["cout"]
        flops = (2 * fields["cin"] + 1) * cout
        return (fields["cin"], cout, flops / 2e6, flops / 1e6)
    if "pool" in op and "global" not in op:
        if not window:
            raise KeyError("ks")
        return window
    if "global-pool" in op or "global-avgpool" in op or "gap" in op:
        before.update(height=1, cin=fields["cin"])
    elif "channelshuffle" in op or "split" in op:
        pass
    elif "se" in op or "SE" in op:
        before.update(height=tensors[-1][-2], cin=tensors[-1][-1])
    elif "concat" in op:
        before["height"] = tensors[0][1]
        channels = [tensor[-1] for tensor in tensors]
        if len(channels) > 4:
            return (before["height"], 6, *channels[:4])
        return (before["height"], len(channels), *channels, *[0] * (4 - len(channels)))
    elif op == "hswish":
        height = fields["inputh"] if "inputh" in fields else tensors[0][0 if len(tensors[0]) == 2 else 1]
        before.update(height=height, cin=fields["cin"])
    elif op in ("bn", "relu", "bn-relu"):
        rank4 = len(tensors[0]) == 4
        before.update(height=tensors[0][1 if rank4 else 0], cin=tensors[0][3 if rank4 else 1])
    elif op in ("add", "add-relu"):
        before["height"] = tensors[0][1]
        return (before["height"], tensors[0][3], tensors[1][3])
    else:
        return None
    return (before["height"], before["cin"])


def _convolution(op: str, height: Any, cin: Any, cout: Any, size: Any, stride: Any) -> Features:
    parameters = cout * (size * size + 1) if "dwconv" in op else cout * (size * size * cin + 1)
    flops = 2 * height / stride * height / stride * parameters
    return (height, cin, cout, size, stride, flops / 2e6, parameters / 1e6)
