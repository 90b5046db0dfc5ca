from __future__ import annotations

import pytest

from predictor_core.errors import GraphError, ModelFormatError, PredictorError, UnsupportedOpError
from predictor_core.frontends.common.call import refuse
from predictor_core.frontends.common.values import NotInferableError


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (ModelFormatError("too short"), ModelFormatError, "node 'a' (Conv): too short"),
        (GraphError("node 'a' reads nothing"), GraphError, "node 'a' reads nothing"),
        (GraphError("node 'b' (Add): no"), GraphError, "node 'a' (Conv): node 'b' (Add): no"),
        (
            NotInferableError("its input 1 is not a known constant"),
            UnsupportedOpError,
            "the output shape of node 'a' (Conv) can't be told: its input 1 is not a known constant",
        ),
        (KeyError("pads"), GraphError, "node 'a' (Conv) is malformed: KeyError: 'pads'"),
    ],
)
def test_an_error_names_the_node(error: Exception, kind: type[PredictorError], text: str) -> None:
    with pytest.raises(kind) as found:
        refuse(error, "a", "Conv")
    assert str(found.value) == text


def test_the_node_of_an_inner_graph_is_named_once() -> None:
    error = GraphError("node 'b' (Add): no")
    with pytest.raises(GraphError) as found:
        refuse(error, "a", "If", inside=True)
    assert found.value is error
