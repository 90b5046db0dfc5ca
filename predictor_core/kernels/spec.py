"""KernelSpec and Kernel: what determines a latency, and where in a Graph it is."""

from __future__ import annotations

from typing import NamedTuple

from predictor_core.ir.graph import Shape
from predictor_core.ir.named import maker

Pair = tuple[int, int]
ONE: Pair = (1, 1)

#: What a folded scale or shift is called in the type of a kernel.
FOLDED = "bn"


class KernelSpec(NamedTuple):
    """Everything that determines the latency of a kernel on a device, and nothing else.

    Equal specs have equal latency, so predictors memoise by spec.

    Parameters
    ----------
    type : str
        Displayed kernel type, e.g. ``"conv-bn-relu"``; ``bn`` there is any folded scale or shift.
    op : str
        Name in the registry (`predictor_core.kernels.registry`): ``"conv"``, ``"se"``, ``"concat"``...
    inputs : tuple of tuple of int
        Shapes of the tensors read, channels last, those of merged ops (a residual) at the end.
    output : tuple of int
        Shape of the (first) tensor that the main op makes.
    kernel, strides, dilations : (int, int)
        Height and width.
    groups : int
        Groups of a convolution or a channel shuffle.
    epilogue : tuple of str
        Ops merged after the main one, in order, without ``bn``.
    extra : tuple of int
        What else a kernel needs: kernel and strides of a merged pool, elements of each output of
        a split, middle channels of ``se``, (hidden, layers, directions) of an ``lstm``, with the width of its
        projection where it has one.
    context : tuple of int
        What around the kernel changes its latency (`predictor_core.fusion.context`); empty on devices
        where nothing does.
    """

    type: str
    op: str
    inputs: tuple[Shape, ...]
    output: Shape
    kernel: Pair = ONE
    strides: Pair = ONE
    dilations: Pair = ONE
    groups: int = 1
    epilogue: tuple[str, ...] = ()
    extra: tuple[int, ...] = ()
    context: tuple[int, ...] = ()


make_spec = maker(KernelSpec)


class Kernel(NamedTuple):
    """One kernel in one Graph.

    Parameters
    ----------
    spec : KernelSpec
        What is executed.
    name : str
        Name of the main Node.
    nodes : tuple of str
        Names of all Nodes that the kernel covers, in execution order.
    scope : str
        Module path of the main Node, or "".
    """

    spec: KernelSpec
    name: str
    nodes: tuple[str, ...]
    scope: str = ""


make_kernel = maker(Kernel)
