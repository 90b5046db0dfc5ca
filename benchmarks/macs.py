"""Multiply-accumulates of a torch model, counted by the product and by torch."""

from __future__ import annotations

from typing import Any

from predictor_core.fusion import Rules, detect
from predictor_core.ir.graph import Graph
from predictor_core.kernels import cost

#: Kernels whose multiply-accumulates torch's counter counts too.
DENSE = frozenset(
    {
        *("conv", "dwconv", "groupconv", "convtranspose", "conv3d", "convtranspose3d", "deformconv"),
        *("fc", "matmul", "lstm", "gru", "rnn"),
    }
)

_NO_FUSION = Rules({}, ())


def graph_macs(graph: Graph) -> float:
    """Multiply-accumulates of the convolutions, products and recurrent layers of a Graph."""
    return sum(cost(kernel.spec).macs for kernel in detect(graph, _NO_FUSION) if kernel.spec.op in DENSE)


def counted_macs(model: Any, *args: Any, **kwargs: Any) -> float:
    """Half the floating point operations that torch's ``FlopCounterMode`` counts in evaluation mode.

    Attention and recurrent layers run unfused: the counter has no rule for the fused kernels of the CPU.
    """
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    model.eval()
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with (
            torch.no_grad(),
            sdpa_kernel(SDPBackend.MATH),
            torch.backends.mkldnn.flags(enabled=False),
            FlopCounterMode(display=False) as counter,
        ):
            model(*args, **kwargs)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return counter.get_total_flops() / 2
