"""What is for one NNI only says so under the other."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import pytest

from nnmeter_nni import LatencyProfiler, NniVersionError
from nnmeter_nni._nni import for_major, installed_major


@pytest.mark.parametrize(
    ("version", "major"), [("2.10.1", 2), ("2.9", None), ("2.10", 2), ("3.0", 3), ("3.0rc1", 3), ("999.0", 3)]
)
def test_the_major_follows_the_version(
    version: str, major: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: version)
    assert installed_major.__wrapped__() == major


@pytest.mark.skipif(installed_major() is None, reason="NNI is not installed")
def test_what_the_other_nni_has_is_named_with_what_to_use_instead() -> None:
    here = {2: "retiarii", 3: "nas"}[installed_major() or 2]
    targets: dict[str, Any] = {"retiarii": "json:dumps", "nas": "json:dumps"}
    assert for_major("a test", **targets)([]) == "[]"
    targets[here] = None
    with pytest.raises(NniVersionError, match=r"^a test is for NNI (3\.0|2\.10); write this$"):
        for_major("a test", **targets, instead="write this")


@pytest.mark.skipif(installed_major() != 2, reason="NNI 2.10 is not installed")
def test_the_profiler_is_for_nni_3() -> None:
    with pytest.raises(
        NniVersionError, match=r"LatencyProfiler is for NNI 3\.0; under NNI 2\.10 use SpaceLat"
    ):
        LatencyProfiler(None, "cortexA76cpu_tflite21")
