"""Every public answer of nn-Meter 2.0, reproduced: kernels, features, milliseconds, failures."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from predictor_core.legacy.converted import ConvertedPack, load_converted
from predictor_core.legacy.errors import ParityError
from predictor_core.legacy.pack_folder import load_folder
from predictor_core.legacy.predictor import LegacyPredictor
from predictor_core.legacy.rules import load_rules
from predictor_core.legacy.upstream_ir import to_upstream_ir
from tests.devices import DEVICES

#: A small part of the answers; the tests of all of them need the complete set.
SAMPLE = Path(__file__).parents[2] / "fixtures" / "legacy"


@cache
def _answers(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@cache
def _ir(path: Path) -> Any:
    content = gzip.decompress(path.read_bytes())
    if path.name.endswith(".json.gz"):
        return json.loads(content)
    onnx = pytest.importorskip("onnx")
    return to_upstream_ir(onnx.load_from_string(content), "onnx", None)


@pytest.fixture(scope="module")
def sample_packs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ConvertedPack]:
    """The forests of the sample, by device."""
    packs = {}
    for device in DEVICES:
        path = tmp_path_factory.mktemp("sample") / device
        path.write_bytes(gzip.decompress((SAMPLE / "forests" / f"{device}.gz").read_bytes()))
        pack = load_converted(path, {"sample": "scikit-learn 0.24.2"})
        assert pack is not None
        packs[device] = pack
    return packs


def _predictors(packs: Path, legacy_data: Path, rules: str) -> dict[str, LegacyPredictor]:
    predictors = {}
    for device in DEVICES:
        folder = packs / device
        pack = load_folder(folder)
        if rules != "pack":
            other = load_rules(legacy_data / "rules_variants" / rules / f"{device}.json")
            pack = ConvertedPack(pack.forests, other)
        predictors[device] = LegacyPredictor(device, "1.0", pack, folder)
    return predictors


def _differences(
    lines: list[dict[str, Any]], predictors: dict[str, LegacyPredictor], legacy_data: Path
) -> Iterator[str]:
    for line in lines:
        title = f"{line['model']} on {line['predictor']} with rules {line['rules']}"
        try:
            answers = predictors[line["predictor"]].explain(_ir(legacy_data / line["file"]))
        except ParityError as error:
            if not line.get("error"):
                yield f"{title}: {error}"
            continue
        if line.get("error"):
            yield f"{title}: answered where nn-Meter fails"
            continue
        found = Counter((answer.type, answer.features, answer.forest) for answer in answers)
        expected = Counter(
            (kernel["op"], kernel["features"] and tuple(kernel["features"]), kernel["forest"])
            for kernel in line["kernels"]
        )
        if found != expected:
            yield f"{title}: kernels {found - expected} instead of {expected - found}"
        latency_ms = sum(answer.latency_ms for answer in answers)
        if latency_ms != pytest.approx(line["latency_ms"], rel=1e-12):
            yield f"{title}: {latency_ms} ms instead of {line['latency_ms']} ms"


@pytest.mark.parametrize("rules", ["pack", "docs_mon0", "docs_mon1", "docs_mon2", "empty"])
def test_sampled_answers(rules: str, sample_packs: dict[str, ConvertedPack]) -> None:
    lines = [line for line in _answers(SAMPLE / "answers.jsonl.gz") if line["rules"] == rules]
    predictors = {}
    for device in {line["predictor"] for line in lines}:
        pack = sample_packs[device]
        if rules != "pack":
            pack = ConvertedPack(
                pack.forests, load_rules(SAMPLE / "rules_variants" / rules / f"{device}.json")
            )
        predictors[device] = LegacyPredictor(device, "1.0", pack, SAMPLE)

    assert len(lines) >= 20
    assert list(_differences(lines, predictors, SAMPLE)) == []


@pytest.mark.slow
@pytest.mark.parametrize("sklearn_version", ["0.24.2", "0.23.1"])
def test_golden_answers(sklearn_version: str, legacy_data: Path, golden_packs: Path) -> None:
    lines = _answers(legacy_data / "golden.jsonl.gz")
    predictors = _predictors(golden_packs / sklearn_version, legacy_data, "pack")

    assert len(lines) > 300
    assert list(_differences(lines, predictors, legacy_data)) == []


@pytest.mark.parametrize("rules", ["docs_mon0", "docs_mon1", "docs_mon2", "empty"])
def test_golden_answers_with_other_rules(rules: str, legacy_data: Path, golden_packs: Path) -> None:
    lines = [line for line in _answers(legacy_data / "golden_variants.jsonl.gz") if line["rules"] == rules]
    predictors = _predictors(golden_packs / "0.24.2", legacy_data, rules)

    assert len(lines) > 30
    assert list(_differences(lines, predictors, legacy_data)) == []
