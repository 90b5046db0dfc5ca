"""Analytic cost of a kernel: multiply-accumulates and bytes moved, one pure function a kind of work.

Bytes count every tensor that is read or written, weights included, once, at four bytes an element.
A device that works in half precision has that in its constants. Both numbers never fall when a
dimension grows, and scale with the batch (weights apart).
"""

from __future__ import annotations

from math import prod
from typing import Callable, NamedTuple

from predictor_core.ir.graph import Shape
from predictor_core.ir.named import maker
from predictor_core.kernels.spec import KernelSpec

ELEMENT_BYTES = 4


class Cost(NamedTuple):
    """What a kernel computes and moves."""

    macs: float
    bytes: float


make_cost = maker(Cost)

CostFunction = Callable[[KernelSpec], Cost]


def elements(shapes: tuple[Shape, ...]) -> int:
    """Elements of several tensors together."""
    total = 0
    for shape in shapes:
        total += prod(shape)
    return total


def no_weights(spec: KernelSpec) -> int:
    """Return 0: the kernel has no constant weights, or none that it moves once."""
    return 0


def conv_weights(spec: KernelSpec) -> int:
    """Elements of the weights of a convolution with a window of two dimensions."""
    _, _, inputs, output, (kernel_height, kernel_width), _, _, groups, _, _, _ = spec
    return kernel_height * kernel_width * inputs[0][-1] * output[-1] // groups


def conv3d_weights(spec: KernelSpec) -> int:
    """Elements of the weights of a convolution with its window in ``extra``."""
    return prod(spec.extra) * spec.inputs[0][-1] * spec.output[-1] // spec.groups


def fc_weights(spec: KernelSpec) -> int:
    """Elements of the weights of a fully connected layer."""
    return spec.inputs[0][-1] * spec.output[-1]


def se_weights(spec: KernelSpec) -> int:
    """Elements of the weights of the two fully connected layers of a squeeze and excitation."""
    return 2 * spec.inputs[0][-1] * spec.extra[0]


def _moved(spec: KernelSpec, weights: int = 0) -> float:
    return float(ELEMENT_BYTES * (elements(spec.inputs) + prod(spec.output) + weights))


def conv(spec: KernelSpec) -> Cost:
    """Every output element sums the kernel window over the input channels of its group."""
    _, _, inputs, output, (kernel_height, kernel_width), _, _, groups, _, _, _ = spec
    products, written = kernel_height * kernel_width * inputs[0][-1], prod(output)
    moved = ELEMENT_BYTES * (elements(inputs) + written + products * output[-1] // groups)
    return make_cost((written * (products / groups), float(moved)))


def conv3d(spec: KernelSpec) -> Cost:
    """As `conv`, with the window in ``extra``."""
    macs = prod(spec.output) * prod(spec.extra) * spec.inputs[0][-1] / spec.groups
    return Cost(macs, _moved(spec, conv3d_weights(spec)))


def convtranspose(spec: KernelSpec) -> Cost:
    """Every input element goes to the kernel window and the output channels of its group."""
    kernel_height, kernel_width = spec.kernel
    window = kernel_height * kernel_width * spec.output[-1] / spec.groups
    return Cost(prod(spec.inputs[0]) * window, _moved(spec, conv_weights(spec)))


def convtranspose3d(spec: KernelSpec) -> Cost:
    """As `convtranspose`, with the window in ``extra``."""
    macs = prod(spec.inputs[0]) * prod(spec.extra) * spec.output[-1] / spec.groups
    return Cost(macs, _moved(spec, conv3d_weights(spec)))


def fc(spec: KernelSpec) -> Cost:
    """Every output element sums the input features; leading dimensions (sequence length) multiply."""
    return Cost(float(prod(spec.output) * spec.inputs[0][-1]), _moved(spec, fc_weights(spec)))


def matmul(spec: KernelSpec) -> Cost:
    """Every output element sums the contracted dimension, the last of the first operand."""
    return Cost(float(prod(spec.output) * spec.inputs[0][-1]), _moved(spec))


def pool(spec: KernelSpec) -> Cost:
    """Every output element reads its window."""
    return Cost(float(prod(spec.output) * spec.kernel[0] * spec.kernel[1]), _moved(spec))


def reduction(spec: KernelSpec) -> Cost:
    """Every input element is read once."""
    return Cost(float(prod(spec.inputs[0])), _moved(spec))


def se(spec: KernelSpec) -> Cost:
    """Global pool, two fully connected layers, and a product that reads the input again."""
    shape = spec.inputs[0]
    mapped, weights = 2 * prod(shape), se_weights(spec)
    moved = _moved(spec, weights) + ELEMENT_BYTES * float(prod(shape))
    return Cost(float(mapped + shape[0] * weights), moved)


def recurrent(gates: int) -> CostFunction:
    """Cost of a recurrent layer with `gates` gates.

    ``extra`` is (hidden, layers, directions) or, where the state is a projection of what the gates make,
    (hidden, layers, directions, projection).
    """

    def cost(spec: KernelSpec) -> Cost:
        hidden, layers, directions, *projection = spec.extra
        state = projection[0] if projection else hidden
        projected = hidden * state if projection else 0
        features = spec.inputs[0][-1]
        first = gates * hidden * (features + state) + projected
        later = gates * hidden * (state * directions + state) + projected
        matrix = directions * (first + (layers - 1) * later)
        steps = prod(spec.inputs[0][:-1])
        return Cost(float(steps * matrix), _moved(spec) + ELEMENT_BYTES * float(matrix))

    return cost


def elementwise(work: float) -> CostFunction:
    """Cost of an op that does `work` multiply-accumulates (or their like) per output element."""

    def cost(spec: KernelSpec) -> Cost:
        return Cost(work * prod(spec.output), _moved(spec))

    return cost


def copy(spec: KernelSpec) -> Cost:
    """Read and write as much as the result: slices and gathers leave the rest of the input alone."""
    return Cost(0.0, 2.0 * ELEMENT_BYTES * prod(spec.output))


def distribute(spec: KernelSpec) -> Cost:
    """Copy the whole input to several outputs."""
    return Cost(0.0, 2.0 * ELEMENT_BYTES * elements(spec.inputs))
