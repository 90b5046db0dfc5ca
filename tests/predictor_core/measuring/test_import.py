"""What measuring loads before it is asked to measure."""

from __future__ import annotations

import json
import subprocess
import sys


def test_runtimes_are_imported_when_they_are_used() -> None:
    code = (
        "import json, sys, predictor_core.cli.main, predictor_core.measuring.campaign, "
        "predictor_core.measuring.logs, predictor_core.measuring.planning.plan\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert not loaded & {"ai_edge_litert", "onnx", "onnxruntime", "openvino", "scipy", "torch", "torchvision"}
