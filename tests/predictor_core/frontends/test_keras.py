"""Keras objects and files give what their frozen graphs give; without Keras the error says what to do."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from benchmarks.macs import graph_macs
from predictor_core import load_latency_predictor
from predictor_core.errors import MissingDependencyError, ModelFormatError
from predictor_core.frontends.keras import load
from predictor_core.frontends.tensorflow import load as load_frozen
from predictor_core.fusion import detect
from predictor_core.ir.graph import Graph

FROZEN = Path(__file__).resolve().parents[2] / "fixtures" / "tensorflow" / "mobilenet_v2_frozen.pb.gz"
HERE = find_spec("keras") is not None and find_spec("tensorflow") is not None

needs_keras = pytest.mark.skipif(not HERE, reason="Keras or TensorFlow is not installed")


def small() -> Any:
    import keras

    x = keras.Input((16, 16, 3), name="image")
    y = keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    y = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization()(y))
    y = keras.layers.GlobalAveragePooling2D()(keras.layers.DepthwiseConv2D(3)(y))
    return keras.Model(x, keras.layers.Dense(10, activation="softmax")(y), name="small")


def kernels(graph: Graph) -> Counter[str]:
    rules = load_latency_predictor("cortexA76cpu_tflite21").rules
    return Counter(kernel.spec.type for kernel in detect(graph, rules))


@needs_keras
def test_augmentation_does_not_put_what_follows_into_training_mode() -> None:
    import keras

    plain = small()
    augment = [keras.layers.RandomFlip(), keras.layers.RandomRotation(0.1)]
    model = keras.Sequential([keras.Input((16, 16, 3)), *augment, *plain.layers[1:]])
    calling = model.__call__
    assert kernels(load(model)) == kernels(load(plain))
    assert model.__call__ == calling


@needs_keras
def test_an_object_is_what_its_frozen_graph_is(tmp_path: Path) -> None:
    import keras

    frozen = tmp_path / "mobilenet_v2.pb"
    frozen.write_bytes(gzip.decompress(FROZEN.read_bytes()))
    expected = load_frozen(frozen)
    shape = expected.inputs[0].shape[1:]
    model = keras.applications.MobileNetV2(weights=None, input_shape=shape)
    found = load(model)
    assert kernels(found) == kernels(expected)
    assert found.inputs[0].shape == expected.inputs[0].shape
    for device in ("cortexA76cpu_tflite21", "adreno640gpu_tflite21", "myriadvpu_openvino2019r2"):
        predictor = load_latency_predictor(device)
        assert predictor.predict(found) == pytest.approx(predictor.predict(expected), rel=0.01)


@needs_keras
def test_the_type_of_an_object_tells_its_model_type() -> None:
    model = small()
    predictor = load_latency_predictor("cortexA76cpu_tflite21")
    assert predictor.predict(model) == predictor.predict(load(model))


@needs_keras
@pytest.mark.parametrize(("layer", "gates"), [("LSTM", 4), ("GRU", 3), ("SimpleRNN", 1)])
@pytest.mark.parametrize("keeps_state", [True, False])
def test_recurrent_layers_are_unrolled(layer: str, gates: int, keeps_state: bool) -> None:
    import keras

    x = keras.Input(batch_shape=(1, 5, 8))
    graph = load(keras.Model(x, getattr(keras.layers, layer)(16, stateful=keeps_state)(x)))
    # The first state counts as any other: a runtime multiplies its zeros, too.
    products = 5 * 8 + 5 * 16
    assert graph_macs(graph) == products * gates * 16


@needs_keras
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_file_is_what_its_object_is(ending: str, tmp_path: Path) -> None:
    model = small()
    path = tmp_path / f"small{ending}"
    model.save(path)
    predictor = load_latency_predictor("cortexA76cpu_tflite21")
    assert Counter(node.op for node in load(path)) == Counter(node.op for node in load(model))
    assert predictor.predict(path) == pytest.approx(predictor.predict(model), rel=1e-9)


@needs_keras
def test_open_dimensions() -> None:
    import keras

    x = keras.Input((None, None, 3))
    model = keras.Model(x, keras.layers.Conv2D(4, 3)(x))
    with pytest.raises(ModelFormatError, match="open shape"):
        load(model)
    assert load(model, input_shape=(2, 32, 24, 3)).inputs[0].shape == (2, 32, 24, 3)


@needs_keras
def test_what_would_run_code_is_refused(tmp_path: Path) -> None:
    import keras

    x = keras.Input((4,))
    path = tmp_path / "lambda.keras"
    keras.Model(x, keras.layers.Lambda(lambda value: value * 2)(x)).save(path)
    with pytest.raises(ModelFormatError, match="Keras can't load it"):
        load(path)


@needs_keras
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.keras", None, "no such file"),
        ("bad.keras", b"PK\3\4 no archive", "Keras can't load it"),
        ("bad.h5", b"\x89HDF\r\n\x1a\n", "Keras can't load it"),
    ],
)
def test_files_that_are_none(name: str, content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelFormatError, match=message) as found:
        load(path)
    assert len(str(found.value).splitlines()) == 1


@pytest.mark.skipif(find_spec("keras") is not None, reason="Keras is installed")
@pytest.mark.parametrize("read", [load, load_latency_predictor("cortexA76cpu_tflite21").predict])
def test_without_keras_the_error_says_what_to_install_or_export(
    read: Callable[[Path], Any], tmp_path: Path
) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"PK\3\4")
    with pytest.raises(MissingDependencyError, match=r"pip install '\.\[keras\]'") as found:
        read(path)
    assert "export a SavedModel" in str(found.value)
