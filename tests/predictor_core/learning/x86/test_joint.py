"""The x86 environments: learned from all that was measured but held-out networks and their twins."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictor_core import load_latency_predictor, zoo
from predictor_core.errors import LearningError
from predictor_core.ir.graph import Graph
from predictor_core.learning.population import population_of
from predictor_core.learning.shipping import ship
from predictor_core.learning.x86.__main__ import accuracy_table, main, model_card
from predictor_core.learning.x86.environments import ENVIRONMENTS, SOURCE, Environment, Measured, fastest
from predictor_core.learning.x86.joint import learn, unseen
from predictor_core.predictor.collection import read_collection
from predictor_core.predictor.learned import LearnedPredictor

FAMILIES = {
    "planned/mobilenetv1_v1.onnx": "mobilenetv1",
    "planned/squeezenet_v2.onnx": "squeezenet",
    "planned/pytorchcv_resnet18.onnx": "resnet18",
    "real/torchvision_mnasnet.onnx": "mnasnet",
    "real/pytorchcv_mobilenetv2.onnx": "mobilenetv2",
    "held_out/torchvision_mobilenetv2.onnx": "mobilenetv2",
    "held_out/pytorchcv_vgg11.onnx": "vgg11",
}


def read(path: Path) -> Graph:
    return zoo.build(FAMILIES[f"{path.parent.name}/{path.name}"])


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """Each runtime is a factor slower than the last one; the first pass is slower than the second."""
    folder = tmp_path_factory.mktemp("own_machine")
    source = load_latency_predictor(SOURCE)
    for number, one in enumerate(ENVIRONMENTS, 1):
        for name in ("planned", "real", "held_out"):
            lines = ["model,latency_ms"]
            for model, family in FAMILIES.items():
                if model.startswith(name):
                    ms = number * source.predict(zoo.build(family))
                    lines += [f"{model},{1.2 * ms}", f"{model},{ms}"]
            (folder / f"{one.runtime}_{one.threads}_{name}.csv").write_text("\n".join(lines) + "\n")
    return Measured(folder, read)


def test_the_fastest_pass_counts(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("model,latency_ms,runs\na,3.5,1\nb,2,1\na,3,2\n")
    assert fastest(tmp_path / "rows.csv") == {"a": 3.0, "b": 2.0}
    assert fastest(tmp_path / "none.csv") == {}
    (tmp_path / "rows.csv").write_text("model,ms\na,3\n")
    with pytest.raises(LearningError, match=r"rows.csv holds no measurements"):
        fastest(tmp_path / "rows.csv")


def test_what_is_held_out_and_its_twins_are_in_no_fit(measured: Measured) -> None:
    found = measured.latencies(ENVIRONMENTS[0])
    assert len(found) == 5
    assert unseen(measured, list(found)) == [name for name in found if "mobilenetv2" not in name]


def test_environments_are_learned_and_shipped(measured: Measured, tmp_path: Path) -> None:
    some = [one for one in ENVIRONMENTS if one.runtime != "openvino"]
    headers = learn(measured, some)
    assert list(headers) == some
    source = load_latency_predictor(SOURCE)
    graph = zoo.build("resnet18")
    for one, header in headers.items():
        factor = ENVIRONMENTS.index(one) + 1
        device = LearnedPredictor(header, [source])
        assert device.predict(graph) == pytest.approx(factor * source.predict(graph), rel=0.05)
        assert (header.name, header.facts["models"]) == (one.name, 4)
        assert "Zen 3" in header.description
        assert set(header.accuracy) >= {"cross_validated", "families_left_out"}
    # Names of packages are no families.
    assert not any("pytorchcv_" in each["model"] for each in header.accuracy["worst"])
    ship(tmp_path, [(header, one.entry()) for one, header in headers.items()], model_card(headers))
    assert {path.name for path in tmp_path.iterdir()} == {"headers.jsonl", "predictors.json", "MODEL_CARD.md"}
    assert read_collection(tmp_path / "headers.jsonl", some[0].name) == headers[some[0]]
    assert accuracy_table(headers) in (tmp_path / "MODEL_CARD.md").read_text()
    alike, _ = population_of([LearnedPredictor(header, [source]) for header in headers.values()], "x86 fp32")
    assert alike.label == f"{SOURCE}, as x86 fp32"
    assert alike.centers == header.centers


def test_names() -> None:
    one = Environment("onnxruntime", 2)
    assert one.name == "zen3_cpu2_fp32_onnxruntime132"
    assert one.entry()["cores"] == "2 x Zen 3"


def test_what_was_not_measured_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--output", str(tmp_path / "out")]) == 1
    assert "no measurements of onnxruntime with 1 threads; run benchmarks" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
