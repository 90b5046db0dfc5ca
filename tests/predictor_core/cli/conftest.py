"""Model files for the tests of the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from predictor_core import zoo
from predictor_core.frontends.nnmeter_ir import to_document


@pytest.fixture(scope="session")
def model_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with ``squeezenet.json`` and ``alexnet.json``, in nn-Meter IR."""
    folder = tmp_path_factory.mktemp("model_files")
    for name in ("squeezenet", "alexnet"):
        (folder / f"{name}.json").write_text(json.dumps(to_document(zoo.build(name))))
    return folder
