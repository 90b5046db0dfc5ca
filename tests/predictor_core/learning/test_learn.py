"""Learning a device end to end: accuracy, determinism, what is refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from predictor_core import learn_predictor, load_latency_predictor, zoo
from predictor_core.catalog.loading import load_learned
from predictor_core.errors import LearningError, PackError
from predictor_core.ir.graph import Graph
from predictor_core.learning.adapt import Prior
from predictor_core.learning.choice import choose
from predictor_core.learning.corpus import Corpus
from predictor_core.learning.learn import learn_device
from predictor_core.predictor.learned import LearnedPredictor

CPU, GPU = "cortexA76cpu_tflite21", "adreno640gpu_tflite21"


def test_it_predicts_models_that_it_has_not_seen(learned: LearnedPredictor) -> None:
    table = learned.accuracy["cross_validated"]
    assert table["models"] == 24
    assert table["within_10"] >= 90.0
    assert table["spearman"] > 0.98
    assert learned.accuracy["verdict"] == "good"
    assert len(learned.accuracy["worst"]) == 5


def test_the_same_data_and_seed_give_the_same_bytes(
    tmp_path: Path, learned: LearnedPredictor, zoo_graphs: dict[str, Graph], zoo_ms: dict[str, float]
) -> None:
    again = learn_predictor(list(zoo_graphs.values()), list(zoo_ms.values()), name="made-up", like=CPU)
    first, second = learned.save(tmp_path / "a"), again.save(tmp_path / "b")
    assert sorted(path.name for path in first.iterdir()) == ["MODEL_CARD.md", "header.json"]
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()
    assert (first / "header.json").stat().st_size <= 50_000


def test_saved_loaded_and_pickled_are_equal(
    tmp_path: Path, learned: LearnedPredictor, zoo_graphs: dict[str, Graph]
) -> None:
    graphs = list(zoo_graphs.values())
    expected = learned.predict_graphs(graphs)
    folder = learned.save(tmp_path / "device")
    loaded = load_learned(folder)
    assert loaded.predict_graphs(graphs).tolist() == expected.tolist()
    # Four KB is what NNI 2.10 stores of an object.
    for one, most in ((learned, 4096), (loaded, 512)):
        pickled = pickle.dumps(one)
        assert len(pickled) <= most
        assert pickle.loads(pickled).device_header == learned.device_header
        assert pickle.loads(pickled).predict_graphs(graphs).tolist() == expected.tolist()
    pickled = pickle.dumps(loaded)
    header = folder / "header.json"
    header.write_text(header.read_text().replace('"models":24', '"models":25'))
    with pytest.raises(PackError, match="has changed since made-up was pickled"):
        pickle.loads(pickled)


def test_three_measurements_move_the_common_factor_alone(zoo_graphs: dict[str, Graph]) -> None:
    source = load_latency_predictor(GPU).unbounded
    graphs = [zoo_graphs[name] for name in ("resnet_224", "mobilenetv2_224", "squeezenet_224")]
    measured = [3.0 * source.predict(graph) for graph in graphs]
    device = learn_predictor(graphs, measured, name="three", like=source)
    for graph in zoo_graphs.values():
        assert device.predict(graph) == pytest.approx(3.0 * source.predict(graph), rel=0.12)


def test_an_outlier_does_not_spoil_the_rest(
    zoo_graphs: dict[str, Graph], zoo_ms: dict[str, float], corpus: Corpus
) -> None:
    latency_ms = np.array(list(zoo_ms.values()))
    spoilt = latency_ms.copy()
    spoilt[corpus.names.index("googlenet_224")] *= 5.0
    device = learn_device(corpus, spoilt, name="spoilt", like=CPU)
    off = device.predict_graphs(list(zoo_graphs.values())) / latency_ms - 1.0
    assert np.median(np.abs(off)) < 0.03
    assert device.accuracy["worst"][0]["model"] == "googlenet_224"


def test_the_source_is_chosen_by_cross_validation(corpus: Corpus, zoo_ms: dict[str, float]) -> None:
    sources = [load_latency_predictor(GPU), load_latency_predictor(CPU)]
    chosen = choose(corpus, np.array(list(zoo_ms.values())), [Prior.of(source) for source in sources])
    assert chosen.problem.prior.sources[0].name == CPU
    assert chosen.compared[CPU] < chosen.compared[GPU]


def test_a_learned_device_can_be_the_source(
    learned: LearnedPredictor, zoo_graphs: dict[str, Graph], zoo_ms: dict[str, float]
) -> None:
    names = ["resnet_224", "mobilenetv2_224", "vgg_160"]
    twin = learn_predictor(
        [zoo_graphs[name] for name in names],
        [2.0 * zoo_ms[name] for name in names],
        name="twin",
        like=learned,
    )
    assert twin.device_header.sources == learned.device_header.sources
    off = twin.predict_graphs(list(zoo_graphs.values())) / (2.0 * np.array(list(zoo_ms.values()))) - 1.0
    assert np.abs(off).max() < 0.12


def test_kernels_without_a_forest_count_as_measured_once_measured(zoo_graphs: dict[str, Graph]) -> None:
    grouped = [
        zoo.build("resnet18"),
        *(_grouped(groups, channels) for groups in (2, 4, 8) for channels in (64, 128)),
    ]
    source = load_latency_predictor(CPU)
    assert not any(kernel.measured for kernel in source.profile(grouped[1]).kernels)
    device = learn_predictor(grouped, [source.predict(graph) * 1.3 for graph in grouped], name="g", like=CPU)
    assert all(kernel.measured for kernel in device.profile(grouped[1]).kernels)
    assert device.predict(grouped[1], strict=True) > 0.0


def _grouped(groups: int, channels: int) -> Graph:
    from predictor_core.ir.graph import Node

    shape = (1, 56, 56, channels)
    attrs = {
        "kernel": (3, 3),
        "strides": (1, 1),
        "pads": (1, 1, 1, 1),
        "dilations": (1, 1),
        "groups": groups,
        "filters": channels,
        "bias": False,
    }
    nodes = [Node("in", "input", (), {}, (shape,))]
    for i in range(4):
        nodes.append(Node(f"g{i}", "groupconv", (nodes[-1].name,), attrs, (shape,)))
    return Graph(nodes, f"grouped{groups}x{channels}")


@pytest.mark.parametrize(
    ("latencies", "message"),
    [
        ([1.0, 2.0], "3 models but 2 latencies"),
        ([1.0, float("nan"), 3.0], "row 2: the latency of"),
        ([1.0, -2.0, 3.0], "expected a positive number of ms"),
    ],
)
def test_latencies_that_are_refused(
    zoo_graphs: dict[str, Graph], latencies: list[float], message: str
) -> None:
    with pytest.raises(LearningError, match=message):
        learn_predictor(list(zoo_graphs.values())[:3], latencies, name="x", like=CPU)


def test_too_few_models(zoo_graphs: dict[str, Graph]) -> None:
    with pytest.raises(LearningError, match="2 models were measured; at least 3"):
        learn_predictor(list(zoo_graphs.values())[:2], [1.0, 2.0], name="x", like=CPU)


def test_the_same_network_under_two_names_must_agree() -> None:
    graphs = [zoo.build(name) for name in ("resnet18", "resnet18", "vgg11", "mobilenetv2")]
    with pytest.raises(
        LearningError, match=r"rows 1 and 2: .* are the same network, but took 10 ms and 30 ms"
    ):
        learn_predictor(graphs, [10.0, 30.0, 40.0, 5.0], name="x", like=CPU)


@pytest.mark.slow
def test_microseconds_are_noticed(zoo_graphs: dict[str, Graph], zoo_ms: dict[str, float]) -> None:
    graphs, latencies = list(zoo_graphs.values()), [1000.0 * ms for ms in zoo_ms.values()]
    with pytest.raises(LearningError, match="they look like microseconds"):
        learn_predictor(graphs, latencies, name="x", like=CPU)
    device = learn_predictor(graphs, latencies, name="x", like=CPU, unit="us")
    assert device.predict(graphs[0]) == pytest.approx(zoo_ms["alexnet_224"], rel=0.1)


def test_one_latency_in_another_unit_is_named(zoo_graphs: dict[str, Graph], zoo_ms: dict[str, float]) -> None:
    latencies = [ms / 1000.0 if name == "vgg_224" else ms for name, ms in zoo_ms.items()]
    with pytest.raises(LearningError, match=r"the latency of vgg16 .*it looks like seconds"):
        learn_predictor(list(zoo_graphs.values()), latencies, name="x", like=CPU)
