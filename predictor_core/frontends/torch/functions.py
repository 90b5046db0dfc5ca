"""What the recorder has to know about functions of torch, by their names."""

from __future__ import annotations

from collections.abc import Container
from types import FunctionType
from typing import Any

#: Functions that tell about a tensor and make none.
QUERIES = frozenset(
    {
        *("size", "dim", "ndimension", "stride", "numel", "nelement", "element_size", "storage_offset"),
        *("is_contiguous", "is_floating_point", "is_complex", "is_same_size", "is_pinned"),
        *("is_tensor", "is_signed", "is_inference", "is_shared", "get_device", "result_type", "can_cast"),
        *("__len__", "__hash__", "__repr__", "__format__", "register_hook", "requires_grad_", "retain_grad"),
    }
)

#: Functions that turn a tensor into values of Python.
READINGS = frozenset(
    {
        *("__bool__", "__int__", "__float__", "__index__", "__complex__", "__contains__", "__array__"),
        *("item", "tolist", "numpy", "is_nonzero", "equal", "allclose"),
    }
)

#: Functions of torch that end a model with an error by the values of a tensor, and change nothing else.
CHECKS = frozenset(
    {
        *(("torch", "_assert"), ("torch", "_check_tensor_all_with")),
        *(("torch.distributions.distribution", name) for name in ("__init__", "_validate_sample")),
    }
)

#: Attributes of a tensor that are tensors; all others are queries.
TENSOR_ATTRIBUTES = {
    "T": "t",
    "mT": "mT",
    "H": "adjoint",
    "mH": "adjoint",
    "data": "detach",
    "real": "detach",
}

#: Functions that take only shape, type and device from a tensor: their result is a constant.
FACTORIES = frozenset(
    {
        *("zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like", "randint_like"),
        *("new_zeros", "new_ones", "new_full", "new_empty", "new_tensor"),
    }
)

#: Functions that fill a tensor by their arguments alone. Small ones of integers or flags have values although
#: the input is on the meta device: ``forward`` may branch on positions and masks.
FILLED = frozenset(
    {"arange", "as_tensor", "eye", "full", "ones", "scalar_tensor", "tensor", "tril_indices", "zeros"}
)
MOST_KNOWN = 2**20

#: Where torch's own kernels for meta tensors are. Handlers run with the mode off, so that a call from there
#: means that the kernel was started by code that the mode has not seen.
KERNEL_MODULES = tuple(
    f"torch.{name}" for name in ("_refs", "_prims", "_decomp", "_meta_registrations", "_library")
)


def named(func: Any, known: Container[str]) -> tuple[str, bool]:
    """Return the name of a function without its in-place mark, and whether it has one.

    `known` are the names that handlers have.
    """
    name: str = getattr(func, "__name__", str(func))
    packet = getattr(func, "overloadpacket", None)
    if packet is not None:
        name = packet.__name__
    if name == "__set__":
        name = f"set_{func.__self__.__name__}"
    elif name == "__get__":
        attribute = func.__self__.__name__
        name = TENSOR_ATTRIBUTES.get(attribute, "size")
    if (
        name.startswith("__i")
        and name.endswith("__")
        and name not in ("__invert__", "__iter__", "__int__", "__index__")
    ):
        return name[3:-2], True
    if name.startswith("__") and name.endswith("__"):
        bare = name[2:-2]
        reflected = bare[1:]
        if bare in known:
            name = bare
        elif bare.startswith("r") and reflected in ("add", "mul", "matmul"):
            name = "__rmatmul__" if reflected == "matmul" else reflected
    elif name.endswith("_") and name != "requires_grad_":
        return name[:-1], True
    return name, False


def place_of_inplace(func: Any) -> int | None:
    """Return the place among its arguments at which a function of Python is told to work in place."""
    if not isinstance(func, FunctionType):
        return None
    names = func.__code__.co_varnames[: func.__code__.co_argcount]
    return names.index("inplace") if "inplace" in names else None
