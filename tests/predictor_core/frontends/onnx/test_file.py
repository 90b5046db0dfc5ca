from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from predictor_core.errors import ModelFormatError
from predictor_core.frontends.onnx import load
from predictor_core.frontends.onnx.file import KEPT_BYTES, read_model, without_payloads
from tests.onnx_factory import OnnxModel, np, onnx, ops


def net(channels: int) -> OnnxModel:
    m = OnnxModel((1, channels, 8, 8))
    y = m.conv("x", (channels, channels, 3, 3), bias=True)
    m("Reshape", y, m.ints(1, -1))
    return m


def test_large_payloads_are_left_out_and_the_rest_stays() -> None:
    proto = net(64).proto()
    data = proto.SerializeToString()
    stripped = onnx.ModelProto.FromString(without_payloads(data))
    assert len(data) > 64 * 64 * 9 * 4
    assert stripped.ByteSize() < KEPT_BYTES
    weight, bias, target = stripped.graph.initializer
    assert (weight.dims, weight.raw_data) == ([64, 64, 3, 3], b"")
    assert onnx.numpy_helper.to_array(target).tolist() == [1, -1]
    assert bias.raw_data == proto.graph.initializer[1].raw_data
    assert stripped.graph.node == proto.graph.node


def test_small_models_are_untouched() -> None:
    data = net(4).proto().SerializeToString()
    assert without_payloads(data) == data


@pytest.mark.parametrize("dtype", ["float_data", "raw_data"])
def test_every_field_that_holds_numbers_is_left_out(dtype: str) -> None:
    m = net(64)
    if dtype == "float_data":
        zeros = np.zeros(64 * 64 * 9, np.float32)
        m.initializers[0] = onnx.helper.make_tensor("c0", onnx.TensorProto.FLOAT, (64, 64, 3, 3), zeros)
    assert len(without_payloads(m.proto().SerializeToString())) < KEPT_BYTES


def test_weights_in_constant_nodes_are_left_out_too() -> None:
    m = OnnxModel((1, 64, 8, 8))
    weight = m("Constant", value=onnx.numpy_helper.from_array(np.zeros((64, 64, 3, 3), np.float32)))
    m("Conv", "x", weight)
    proto = m.proto()
    assert len(without_payloads(proto.SerializeToString())) < KEPT_BYTES
    assert ops(load(proto)) == ["conv"]


def test_a_large_model_costs_no_more_than_a_small_one(tmp_path: Path) -> None:
    """Cost by what is read: the pages of the weights are never touched."""

    def seconds(path: Path) -> float:
        best = 1e9
        for _ in range(15):
            start = time.process_time()
            load(path)
            best = min(best, time.process_time() - start)
        return best

    small, large = tmp_path / "small.onnx", tmp_path / "large.onnx"
    onnx.save(net(16).proto(), str(small))
    onnx.save(net(1024).proto(), str(large))
    assert large.stat().st_size > 37e6
    assert seconds(large) < 5 * seconds(small) + 0.002
    large.unlink()


def test_weights_in_another_file_are_not_needed(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(
        net(64).proto(), str(path), save_as_external_data=True, location="net.data", size_threshold=1024
    )
    (tmp_path / "net.data").unlink()
    assert ops(load(path)) == ["conv", "reshape"]


def test_shapes_in_another_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(net(64).proto(), str(path), save_as_external_data=True, location="net.data", size_threshold=0)
    assert load(path).nodes[-1].shape == (1, 64 * 36)
    (tmp_path / "net.data").unlink()
    with pytest.raises(ModelFormatError, match=r"'Reshape_1'.*unknown"):
        load(path)


def test_files_outside_the_folder_of_the_model_are_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    path = folder / "net.onnx"
    onnx.save(net(64).proto(), str(path), save_as_external_data=True, location="net.data", size_threshold=0)
    (folder / "net.data").rename(tmp_path / "net.data")
    proto = onnx.load(path, load_external_data=False)
    for tensor in proto.graph.initializer:
        tensor.external_data[0].value = "../net.data"
    path.write_bytes(proto.SerializeToString())
    assert all(not tensor.raw_data for tensor in read_model(path).graph.initializer)


def test_a_pipe_or_a_circle_of_links_holds_no_weights(tmp_path: Path) -> None:
    path, data = tmp_path / "net.onnx", tmp_path / "net.data"
    onnx.save(net(64).proto(), str(path), save_as_external_data=True, location="net.data", size_threshold=0)
    data.unlink()
    for make in (os.mkfifo, lambda one: one.symlink_to(one)):
        make(data)
        assert all(not tensor.raw_data for tensor in read_model(path).graph.initializer)
        data.unlink()


PNG = bytes.fromhex("89504e470d0a1a0a0000000d494844520000000100000001080200000090775300") + bytes(64)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (PNG, "no ONNX model"),
        (b"\x00" * 100, "no ONNX model"),
        (b"PK\x03\x04" + bytes(100), "no ONNX model"),
        (b'{"input": {"attr": {}}}', "no ONNX model"),
        (b"import torch\n", "no ONNX model"),
        (b"\xff" * 30, "no ONNX model"),
        (b"\x08\x07", "it has no graph"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFormatError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_truncation_anywhere_is_an_error_of_ours(tmp_path: Path) -> None:
    data = net(64).proto().SerializeToString()
    path = tmp_path / "model.onnx"
    for end in (1, 10, 100, 1000, len(data) // 2, len(data) - 100, len(data) - 3):
        path.write_bytes(data[:end])
        with pytest.raises(ModelFormatError):
            load(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match="does not exist"):
        load(tmp_path / "absent.onnx")
    with pytest.raises(ModelFormatError, match="is a folder"):
        load(tmp_path)
