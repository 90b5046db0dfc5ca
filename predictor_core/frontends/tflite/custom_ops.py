"""Custom ops of TensorFlow Lite models that are known by name; the structs are MediaPipe's."""

from __future__ import annotations

from predictor_core.frontends.tensorflow.data_ops import HANDLERS as TENSORFLOW
from predictor_core.frontends.tflite.call import Handler

#: TensorFlow ops that a converter left as they are: the name has this before it.
_FLEX = "Flex"


def canonical(custom: str) -> str:
    """Return the name of a custom op without what stands for its origin."""
    return custom[len(_FLEX) :] if custom.startswith(_FLEX) else custom


HANDLERS: dict[str, Handler] = {
    **{_FLEX + op: handler for op, handler in TENSORFLOW.items()},
}
