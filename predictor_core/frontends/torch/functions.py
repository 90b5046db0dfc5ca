"""What the recorder has to know about functions of torch, by their names."""

from __future__ import annotations

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
