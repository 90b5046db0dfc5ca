"""The models of measurements: repeats, contradictions, environments."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictor_core import zoo
from predictor_core.errors import LearningError
from predictor_core.fusion import load_rules
from predictor_core.learning.models import read_models, refuse_contradictions
from predictor_core.measuring.measurements import Measured

CPU = "cortexA76cpu_tflite21"


def test_repeats_are_averaged_and_tell_the_noise() -> None:
    resnet, vgg = zoo.build("resnet18"), zoo.build("vgg11")
    read = read_models(
        [
            Measured(resnet, 10.0, row=1),
            Measured(vgg, 20.0, row=2),
            Measured(resnet, 10.4, row=3),
        ]
    )
    assert read.latency_ms[""].tolist() == [10.2, 20.0]
    assert read.repeat == pytest.approx(0.0277, rel=0.01)


def test_a_model_whose_repeats_contradict_each_other_is_listed_and_left_out() -> None:
    resnet, vgg = zoo.build("resnet18"), zoo.build("vgg11")
    rows = [
        *(Measured(resnet, 40.0, row=4), Measured(vgg, 20.0, row=5)),
        *(Measured(resnet, 10.0, row=9), Measured(vgg, 21.0, row=10)),
    ]
    read = read_models(rows)
    assert read.corpus.names == ["vgg11"]
    assert read.latency_ms[""].tolist() == [20.5]
    assert read.rows == (5,)
    assert [(one.model, one.row) for one in read.unreadable] == [("resnet18", 4)]
    assert "took 10 ms in row 9 and 40 ms in row 4" in read.unreadable[0].reason
    with pytest.raises(LearningError, match="row 4: resnet18 took 10 ms in row 9 and 40 ms in row 4"):
        read_models(rows, strict=True)


def test_rows_of_two_devices_are_no_repeats() -> None:
    models = [zoo.build(name) for name in ("resnet18", "vgg11", "mobilenetv1")]
    rows = [Measured(model, 10.0, row=row) for row, model in enumerate(models, 1)]
    rows += [Measured(model, 30.0, row=row) for row, model in enumerate(models, 4)]
    with pytest.raises(LearningError, match=r"row 1: resnet18 took 10 ms in row 1 and 30 ms in row 4.* 2 of"):
        read_models(rows)


def test_one_contradiction_alone_does_not_refuse_the_others() -> None:
    resnet, vgg = zoo.build("resnet18"), zoo.build("vgg11")
    rows = [Measured(resnet, 10.0, row=2), Measured(vgg, 20.0, row=3), Measured(resnet, 30.0, row=4)]
    read = read_models(rows)
    assert read.corpus.names == ["vgg11"]
    assert [(one.model, one.row) for one in read.unreadable] == [("resnet18", 2)]


def test_a_repeat_that_most_others_contradict_is_listed_and_left_out() -> None:
    resnet = zoo.build("resnet18")
    rows = [Measured(resnet, ms, row=row) for row, ms in ((2, 20.0), (3, 8.0), (4, 10.0), (5, 11.0))]
    read = read_models(rows)
    assert read.latency_ms[""].tolist() == [10.0]
    assert [(one.model, one.row) for one in read.unreadable] == [("resnet18", 2)]
    assert "took 20 ms, its repeats 10.49 ms" in read.unreadable[0].reason
    with pytest.raises(LearningError, match="expected repeats"):
        read_models([rows[0], rows[1]])


def test_a_model_that_cannot_be_read_is_listed_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"nothing")
    measurements = [
        Measured(str(path), 5.0, "onnx", row=2),
        Measured(zoo.build("vgg11"), 20.0, row=3),
    ]
    read = read_models(measurements)
    assert [(one.model, one.row) for one in read.unreadable] == [("broken", 2)]
    assert len(read.corpus) == 1
    assert "\n" not in read.unreadable[0].reason


def test_one_network_under_two_names() -> None:
    measurements = [
        Measured(zoo.build("resnet18"), 10.0, row=2),
        Measured(zoo.build("resnet18"), 10.5, row=3),
        Measured(zoo.build("resnet18"), 22.0, row=4),
    ]
    rules = load_rules(CPU)
    refuse_contradictions(read_models(measurements[:2]), rules)
    with pytest.raises(LearningError, match="rows 2 and 4"):
        refuse_contradictions(read_models(measurements), rules)


def test_environments_are_columns() -> None:
    resnet, vgg = zoo.build("resnet18"), zoo.build("vgg11")
    read = read_models(
        [
            Measured(resnet, 10.0, environment="a", row=2),
            Measured(vgg, 20.0, environment="b", row=3),
        ]
    )
    assert sorted(read.latency_ms) == ["a", "b"]
    assert read.latency_ms["a"][0] == 10.0
    assert read.latency_ms["a"][1] != read.latency_ms["a"][1]
