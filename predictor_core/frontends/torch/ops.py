"""The torch functions that the direct tracer knows."""

from __future__ import annotations

from predictor_core.frontends.torch.call import Handler
from predictor_core.frontends.torch.data_ops import DATA_HANDLERS
from predictor_core.frontends.torch.image_ops import IMAGE_HANDLERS
from predictor_core.frontends.torch.integer_ops import INTEGER_HANDLERS
from predictor_core.frontends.torch.math_ops import MATH_HANDLERS
from predictor_core.frontends.torch.product_ops import PRODUCT_HANDLERS
from predictor_core.frontends.torch.program_ops import PROGRAM_HANDLERS
from predictor_core.frontends.torch.reduce_ops import REDUCE_HANDLERS
from predictor_core.frontends.torch.sequence_ops import SEQUENCE_HANDLERS
from predictor_core.frontends.torch.view_ops import VIEW_HANDLERS

#: Handler by function name, in-place marks removed. A function that is absent is opened when it is
#: written in Python, else recorded under its own name.
HANDLERS: dict[str, Handler] = {
    **MATH_HANDLERS,
    **REDUCE_HANDLERS,
    **IMAGE_HANDLERS,
    **VIEW_HANDLERS,
    **DATA_HANDLERS,
    **SEQUENCE_HANDLERS,
    **PRODUCT_HANDLERS,
    **INTEGER_HANDLERS,
    **PROGRAM_HANDLERS,
}
