"""From measurements of a known law to a pack that predicts by it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from predictor_core.errors import PredictorError
from predictor_core.forest import load_pack
from predictor_core.fusion import load_rules
from predictor_core.learning import pipeline, settings
from predictor_core.learning.__main__ import main, train
from predictor_core.learning.base import Plan, fit_base
from predictor_core.learning.bench import read_measured
from predictor_core.learning.dataset import Dataset, build_datasets, save_dataset, split
from predictor_core.learning.distil import Settings as ForestSettings
from predictor_core.learning.distil import grow_forests
from predictor_core.learning.evaluate import accuracy, predict
from predictor_core.learning.packing import write_pack
from predictor_core.learning.teacher import Settings, feature_table, fit_teacher
from predictor_core.predictor import LatencyPredictor
from predictor_core.predictor.interval_file import INTERVAL_FILE, read_widths

from .conftest import CONSTANT_MS, DEVICE

QUICK = Settings(rounds=60, leaves=8, leaf=1)
WIDTHS = {"inside": 0.1, "outside": 0.5, "estimated": 0.7, "unfamiliar": 0.0, "spread_scale": 1.0}
PLAN = Plan({"": ("macs", "bytes", "launch")})


@pytest.fixture(scope="module")
def data(measurements: Path) -> Dataset:
    return build_datasets(read_measured(measurements), {DEVICE: load_rules(DEVICE)})[DEVICE]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that suit 174 models."""
    monkeypatch.setitem(settings.TEACHERS, DEVICE, QUICK)


def test_the_base_finds_a_linear_law(data: Dataset) -> None:
    base = fit_base(data, PLAN)
    conv = base.forests["conv"]
    assert conv.window_areas == (1, 9, 25)
    np.testing.assert_allclose([row[0] for row in conv.coefficients], [2e-6, 1e-6, 1e-6], rtol=0.05)
    # What every model runs once can't be told from the constant.
    once = [base.forests[name].coefficients[0][2] for name in ("maxpool", "global-avgpool", "fc")]
    assert base.constant_ms + sum(once) == pytest.approx(CONSTANT_MS + 3 * 0.01, rel=0.2)
    predicted = data.counts @ base.latency_ms(data) + base.constant_ms
    assert accuracy(predicted, data.latency_ms).within_5 > 95
    assert all(value > 0 for row in conv.coefficients for value in row)


def test_a_launch_may_cost_the_same_whatever_the_window(data: Dataset) -> None:
    free, shared = (fit_base(data, replace(PLAN, one_launch=one)).forests["conv"] for one in (False, True))
    assert len({row[2] for row in free.coefficients}) == 3
    assert len({row[2] for row in shared.coefficients}) == 1
    assert len({row[0] for row in shared.coefficients}) == 3


def test_the_teacher_explains_the_measurements_with_what_the_bounds_leave(data: Dataset) -> None:
    # The data sheet says that fully connected layers take longer than they seem to.
    base = fit_base(data, PLAN)
    features = feature_table(data)
    fc = data.forests == "fc"
    least_ms = np.where(fc, 1.5 * base.latency_ms(data), 0.0)
    taught = fit_teacher(data, base, features, QUICK, seed=0, least_ms=least_ms)
    bounded = np.maximum(base.latency_ms(data) * np.exp(taught.log_ratio), least_ms)
    predicted = data.counts @ bounded + taught.constant_ms
    assert abs(accuracy(predicted, data.latency_ms).bias) < 1.0
    np.testing.assert_allclose(bounded[fc], least_ms[fc], rtol=0.02)


def test_the_teacher_learns_what_the_base_can_not_say(data: Dataset) -> None:
    # Kernels with cin a multiple of 16 are three times as fast here.
    base = fit_base(data, PLAN)
    base_ms = base.latency_ms(data)
    quirk = np.where([spec.inputs[0][-1] % 16 == 0 for spec in data.specs], 1.0, 3.0)
    jumpy = replace(data, latency_ms=data.counts @ (base_ms * quirk) + base.constant_ms)
    part = split(jumpy.groups, jumpy.families, 0)
    learnt, asked = jumpy.only(part == "train"), jumpy.only(part != "train")
    base = fit_base(learnt, PLAN)
    features = feature_table(data)
    teacher = fit_teacher(learnt, base, features, replace(QUICK, rounds=100), seed=0)
    latency_ms = base.latency_ms(data) * np.exp(teacher.log_ratio)
    before = accuracy(asked.counts @ base.latency_ms(data) + base.constant_ms, asked.latency_ms)
    after = accuracy(asked.counts @ latency_ms + teacher.constant_ms, asked.latency_ms)
    assert after.rmspe < 0.5 * before.rmspe
    assert (latency_ms > 0).all()


def test_forests_say_what_the_teacher_says_on_known_kernels(data: Dataset) -> None:
    features = feature_table(data)
    wanted = np.sin(np.arange(len(data.specs)))
    known = np.arange(len(data.specs)) % 2 == 0
    forests = grow_forests(data, wanted, known, features, ForestSettings(trees=3), seed=0)
    for name, forest in forests.items():
        members = data.forests == name
        chosen = known[members]
        np.testing.assert_allclose(
            forest.predict(features[name][chosen]), wanted[members][chosen], atol=1e-12
        )


def packed(path: Path, data: Dataset, log_ratio: float, fading: bool = False) -> LatencyPredictor:
    """Predictor of a pack whose forests correct every kernel alike."""
    features, base = feature_table(data), fit_base(data, PLAN)
    ratios = np.full(len(data.specs), log_ratio)
    forests = grow_forests(data, ratios, data.seen(), features, ForestSettings(trees=2), seed=0)
    write_pack(path, data, base, CONSTANT_MS, forests, features, WIDTHS, {}, fading)
    return LatencyPredictor(DEVICE, "2.0", load_pack(path), load_rules(DEVICE), path)


def test_corrections_fade_above_the_sizes_that_were_measured(data: Dataset, tmp_path: Path) -> None:
    plain = packed(tmp_path / "plain.pack", data, 0.0)
    corrected = packed(tmp_path / "corrected.pack", data, 0.4)
    fading = packed(tmp_path / "fading.pack", data, 0.4, fading=True)
    assert "fading" not in corrected.header
    layers = [spec for spec in data.specs if spec.op == "fc"]
    widest = max(layers, key=lambda spec: spec.inputs[0][-1])
    wider = [widest._replace(inputs=((1, factor * widest.inputs[0][-1]),)) for factor in (1, 2, 8)]
    tiny = min(layers, key=lambda spec: spec.output[-1])._replace(inputs=((1, 1),), output=(1, 1))

    def correction(predictor: LatencyPredictor) -> list[float]:
        specs = [*wider, tiny]
        said, base = predictor.kernel_latencies(specs), plain.kernel_latencies(specs)
        assert said[tiny].outside
        return [float(np.log(said[spec].fitted_ms / base[spec].fitted_ms)) for spec in specs]

    assert correction(corrected) == pytest.approx([0.4] * 4, abs=1e-3)
    assert correction(fading) == pytest.approx([0.4, 0.2, 0.05, 0.4], abs=1e-3)


def test_kernel_types_without_kernels_have_the_base_and_are_estimates(data: Dataset, tmp_path: Path) -> None:
    counts = data.counts.tolil()
    counts[:, data.forests == "maxpool"] = 0
    predictor = packed(tmp_path / "a.pack", replace(data, counts=counts.tocsr()), 0.4)
    pool = next(spec for spec in data.specs if spec.op == "maxpool")
    answer = predictor.kernel_latencies([pool])[pool]
    assert predictor.header["forests"]["maxpool"]["kernels"] == 0
    assert not answer.measured
    assert answer.outside == ()


def test_what_the_plan_leaves_uncorrected_has_the_base(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(settings.PLANS, DEVICE, replace(PLAN, uncorrected=frozenset({"fc"})))
    monkeypatch.setitem(settings.TEACHERS, DEVICE, replace(QUICK, rounds=5))
    save_dataset(pipeline.data_path(tmp_path, DEVICE), data)
    pipeline.write_features(tmp_path, DEVICE)
    pipeline.run_held_out(tmp_path, pipeline.Task(DEVICE, pipeline.VALIDATION), seed=0)
    pack = load_pack(pipeline.run_final(tmp_path, DEVICE, tmp_path / "packs", seed=0))
    features = feature_table(data)
    assert pack.header["forests"]["fc"]["kernels"] > 0
    assert not pack.forests["fc"].predict(features["fc"]).any()
    assert pack.forests["conv"].predict(features["conv"]).any()


@pytest.mark.slow
def test_training_is_repeatable_resumable_and_good(
    measurements: Path, tmp_path: Path, quick: None, data: Dataset
) -> None:
    first, second = (
        train(measurements, tmp_path / name, tmp_path / f"{name}-cache", [DEVICE], seed=1, jobs=1)[0]
        for name in ("a", "b")
    )
    assert first == tmp_path / "a" / DEVICE / "forests.pack"
    assert first.read_bytes() == second.read_bytes()
    widths = read_widths(first.with_name(INTERVAL_FILE))
    assert widths is not None
    assert (
        [group.name for group in widths.groups]
        == widths.facts["families_left_out"]
        == ["deep", "flat", "wide"]
    )

    cache = tmp_path / "a-cache"
    task = pipeline.Task(DEVICE, "flat")
    kept = pipeline.prediction_path(cache, task)
    written = kept.stat().st_mtime_ns
    pipeline.run_held_out(cache, task, seed=1)
    assert kept.stat().st_mtime_ns == written
    pipeline.run_held_out(cache, task, seed=2)
    assert kept.stat().st_mtime_ns != written

    predictor = LatencyPredictor(DEVICE, "2.0", load_pack(first), load_rules(DEVICE), first)
    part = split(data.groups, data.families, 1)
    unseen = predict(predictor, data.only(part == "test"))
    found = accuracy(unseen.predicted_ms, unseen.measured_ms)
    assert found.within_10 > 85
    assert predictor.header["training"]["models"] == int((part != "test").sum())
    assert sum(entry["kernels"] for entry in predictor.header["forests"].values()) <= len(data.specs)


def test_packs_land_in_the_current_folder_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[Any, ...]] = []
    monkeypatch.setattr("predictor_core.learning.__main__.train", lambda *given: called.append(given))
    assert main(["measurements"]) == 0
    assert called[0][:3] == (Path("measurements"), Path("trained"), Path("training-cache"))


def test_unknown_devices_are_refused(measurements: Path, tmp_path: Path) -> None:
    with pytest.raises(PredictorError, match="unknown device 'toaster'"):
        train(measurements, tmp_path, tmp_path / "cache", ["toaster"], seed=0, jobs=1)
    assert main([str(tmp_path / "absent"), "--cache", str(tmp_path / "c"), "--devices", DEVICE]) == 1
