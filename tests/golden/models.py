"""The models whose latencies are pinned."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from predictor_core import zoo
from predictor_core.ir.graph import Graph
from predictor_core.predictor import to_graph

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples" / "models"


def _variants() -> dict[str, Callable[[], Graph]]:
    """Members of each family with random widths and kernels, some with other input shapes or a batch."""
    entries = json.loads((HERE / "variants.json").read_text(encoding="utf-8"))
    return {name: partial(zoo.build, entry["family"], **entry["config"]) for name, entry in entries.items()}


#: Name -> what makes the model. Every published model of the zoo, the variants, the example files.
MODELS: dict[str, Callable[[], Graph]] = {
    **{name: partial(zoo.build, name) for name in zoo.models()},
    **_variants(),
    **{path.name: partial(to_graph, path, "onnx") for path in sorted(EXAMPLES.glob("*.onnx"))},
}
