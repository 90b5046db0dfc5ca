"""The measured environments and what their predictors are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictor_core.errors import LearningError
from predictor_core.learning.phones.environments import RUNTIMES, Environment, read_environments

TFLITE, TORCH = RUNTIMES


@pytest.mark.parametrize(
    ("key", "runtime", "name", "cores", "group"),
    [
        (
            "pixel4_1med_fp32",
            TFLITE,
            "pixel4_cpu1med_fp32_tflite210",
            "1 x Cortex-A76 2.42 GHz",
            "tflite_fp32",
        ),
        ("iphonexs_gpu_fp16", TFLITE, "iphonexs_gpu_fp16_tflite210", "Apple G11P", "tflite_gpu"),
        ("s10_4small_int8", TORCH, "s10_cpu4small_int8_torch20", "4 x Cortex-A55 1.95 GHz", "torch_int8"),
        (
            "pixel4_1large1med_fp32",
            TORCH,
            "pixel4_cpu1large1med_fp32_torch20",
            "1 x Cortex-A76 2.84 GHz + 1 x Cortex-A76 2.42 GHz",
            "torch_fp32",
        ),
    ],
)
def test_names(key: str, runtime: object, name: str, cores: str, group: str) -> None:
    environment = Environment(key, runtime)  # type: ignore[arg-type]
    assert (environment.name, environment.cores, environment.group) == (name, cores, group)


def folder_with(path: Path, rows: str) -> Path:
    for runtime in RUNTIMES:
        for kind in ("cnn", "vit"):
            (path / f"{runtime.key}_{kind}.csv").write_text("model,environment,latency_ms\n" + rows)
    return path


def test_a_latency_that_is_none_is_named(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "resnet18,pixel4_1med_fp32,12\nresnet50,pixel4_1med_fp32,nan\n")
    with pytest.raises(LearningError, match=r"tflite_cnn.csv, row 3: the latency is 'nan'"):
        read_environments(folder)


def test_absent_files_and_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(LearningError, match="can't read the measurements"):
        read_environments(tmp_path)
    folder_with(tmp_path, "")
    (tmp_path / "tflite_cnn.csv").write_text("model,latency_ms\n")
    with pytest.raises(LearningError, match="has no column environment"):
        read_environments(tmp_path)


def test_the_public_measurements(shared_data: Path) -> None:
    found = read_environments(shared_data / "phones")
    assert len(found) == 170
    assert len({environment.name for environment in found}) == 170
    assert found[Environment("pixel4_1med_fp32", TFLITE)]["bagnet9"] == 1060.17
