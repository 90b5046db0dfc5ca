from __future__ import annotations

import importlib
import multiprocessing
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from predictor_core import list_latency_predictors, load_latency_predictor
from predictor_core.catalog import registry
from predictor_core.catalog.register import register_predictor, unregister_predictor
from predictor_core.catalog.registry import offered_predictors, registered_predictors
from predictor_core.errors import RegistryError, UnknownPredictorError


@pytest.fixture(autouse=True)
def no_memory_of_packages() -> Iterator[None]:
    registry.offered_predictors.cache_clear()
    yield
    registry.offered_predictors.cache_clear()


def _meta(folder: Path, **changes: Any) -> Path:
    entry = {
        "name": "mydevice",
        "version": 1.0,
        "category": "cpu",
        "package_location": str(folder),
        "kernel_predictors": ["relu4", "swish4"],
        **changes,
    }
    path = folder.parent / f"meta{len(list(folder.parent.iterdir()))}.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in entry.items() if value is not None}))
    return path


def _list_file(home: Path) -> Path:
    return home / "config" / "predictors.yaml"


def test_registered_predictors_are_listed_loaded_and_unregistered(pack_folder: Path) -> None:
    entry = register_predictor(_meta(pack_folder, remark="kept"))

    assert entry == registered_predictors()[0]
    assert entry["version"] == "1.0"
    assert entry["remark"] == "kept"
    assert entry in list_latency_predictors()
    for version in (None, 1, "1.0"):
        predictor = load_latency_predictor("MyDevice", version)
        assert repr(predictor) == "LegacyPredictor('mydevice', version '1.0')"
    assert unregister_predictor("MYDEVICE", 1.0)["name"] == "mydevice"
    assert registered_predictors() == []
    with pytest.raises(UnknownPredictorError):
        load_latency_predictor("mydevice")
    assert pack_folder.is_dir()


def test_a_location_may_be_relative_to_the_meta_file(
    pack_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))

    assert register_predictor(_meta(pack_folder, package_location="mydevice"))["package_location"] == str(
        pack_folder
    )


def test_a_pack_in_this_package_s_format(tmp_path: Path) -> None:
    import predictor_core
    from predictor_core.predictor import LatencyPredictor

    devices = Path(predictor_core.__file__).parent / "devices"
    folder = next((path.parent for path in sorted(devices.glob("*/forests.pack"))), None)
    if folder is None:
        pytest.skip("no embedded pack to register under another name")
    meta = tmp_path / "meta.yaml"
    meta.write_text(
        yaml.safe_dump({"name": "mine", "version": "3.1", "category": "cpu", "package_location": str(folder)})
    )
    register_predictor(meta)

    predictor = load_latency_predictor("mine")

    assert isinstance(predictor, LatencyPredictor)
    assert (predictor.name, predictor.version) == ("mine", "3.1")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": None}, "the key 'name' is missing"),
        ({"version": None}, "the key 'version' is missing"),
        ({"category": None}, "the key 'category' is missing"),
        ({"package_location": None}, "the key 'package_location' is missing"),
        ({"name": "../x"}, "'name' is '../x'"),
        ({"name": 3}, "'name' is 3"),
        ({"version": [1]}, r"'version' is \[1\]"),
        ({"version": True}, "'version' is True"),
        ({"category": 1}, "'category' is 1"),
        ({"package_location": 5}, "'package_location' is 5"),
        ({"kernel_predictors": "relu4"}, "'kernel_predictors' is 'relu4'"),
        ({"kernel_predictors": [1]}, r"'kernel_predictors' is \[1\]"),
        ({"kernel_predictors": ["fc"]}, r"holds no predictor; expected fusion_rules\.json with fc\.pkl"),
        ({"package_location": "/nowhere"}, "which holds no predictor"),
        ({"name": "cortexA76cpu_tflite21"}, "version 1.0 exists already"),
    ],
)
def test_bad_meta_files_name_the_key(
    changes: dict[str, Any], message: str, pack_folder: Path, own_home: Path
) -> None:
    with pytest.raises(RegistryError, match=message):
        register_predictor(_meta(pack_folder, **changes))

    assert not _list_file(own_home).exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not YAML"),
        ("- a", "got list, expected a mapping"),
        ("", "got NoneType"),
        ("!!python/name:os.system", "is not YAML"),
    ],
)
def test_meta_files_that_are_none(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "meta.yaml"
    path.write_text(text)
    with pytest.raises(RegistryError, match=message):
        register_predictor(path)
    with pytest.raises(RegistryError, match=r"absent\.yaml can't be read"):
        register_predictor(tmp_path / "absent.yaml")


def test_registering_twice_is_refused_and_versions_live_side_by_side(pack_folder: Path) -> None:
    register_predictor(_meta(pack_folder))
    with pytest.raises(RegistryError, match="exists already"):
        register_predictor(_meta(pack_folder, name="MyDevice", version="1"))
    register_predictor(_meta(pack_folder, version="1.1"))

    assert load_latency_predictor("mydevice").version == "1.1"
    with pytest.raises(RegistryError, match=r"several versions of 'mydevice' are registered \(1\.0, 1\.1\)"):
        unregister_predictor("mydevice")
    unregister_predictor("mydevice", "1.1")
    assert [entry["version"] for entry in registered_predictors()] == ["1.0"]


def test_unregistering_what_is_not_registered(pack_folder: Path) -> None:
    register_predictor(_meta(pack_folder))

    with pytest.raises(UnknownPredictorError, match=r"no predictor 'cortexA76cpu_tflite21'.*mydevice 1\.0"):
        unregister_predictor("cortexA76cpu_tflite21")
    with pytest.raises(UnknownPredictorError, match="no predictor 'mydevice' version 2"):
        unregister_predictor("mydevice", 2)


NN_METERS_OWN = """# made by nn-Meter
- name: cortexA76cpu_tflite21
  version: 1.0
  category: cpu
  download: https://example.org/x.zip
  kernel_predictors: [relu]
# mine
- name: older
  version: 0.5
  category: gpu
  package_location: /data/older   # a remark
  colour: blue
"""


def test_nn_meter_s_own_list_is_kept_with_its_comments(pack_folder: Path, own_home: Path) -> None:
    file = _list_file(own_home)
    file.parent.mkdir(parents=True)
    file.write_text(NN_METERS_OWN)
    assert [entry["name"] for entry in registered_predictors()] == ["older"]

    register_predictor(_meta(pack_folder))

    assert file.read_text().startswith(NN_METERS_OWN)
    assert [entry["name"] for entry in registered_predictors()] == ["older", "mydevice"]
    assert len([e for e in list_latency_predictors() if e["name"] == "cortexA76cpu_tflite21"]) == 2
    unregister_predictor("mydevice")
    assert yaml.safe_load(file.read_text()) == yaml.safe_load(NN_METERS_OWN)


def test_a_list_in_another_style_is_kept_too(pack_folder: Path, own_home: Path) -> None:
    file = _list_file(own_home)
    file.parent.mkdir(parents=True)
    file.write_text("[{name: older, version: 2, category: gpu, package_location: /data, colour: blue}]")

    register_predictor(_meta(pack_folder))

    assert [entry["name"] for entry in registered_predictors()] == ["older", "mydevice"]
    assert registered_predictors()[0]["colour"] == "blue"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{a: 1}", "holds a dict"),
        ("a: [", "is not YAML"),
        ("- {name: x, package_location: /x}", "'version' is missing"),
    ],
)
def test_a_malformed_list_is_named_and_left_alone(
    text: str, message: str, pack_folder: Path, own_home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = _list_file(own_home)
    file.parent.mkdir(parents=True)
    file.write_text(text)

    with pytest.raises(RegistryError, match=rf"predictors\.yaml.*{message}"):
        register_predictor(_meta(pack_folder))
    assert registered_predictors() == []
    assert re.search(rf"left out: .*predictors\.yaml.*{message}", caplog.text)
    assert file.read_text() == text


def test_an_empty_list_is_none(own_home: Path) -> None:
    _list_file(own_home).parent.mkdir(parents=True)
    _list_file(own_home).write_text("# nothing yet\n")

    assert registered_predictors() == []


def test_a_failed_write_loses_nothing(
    pack_folder: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_predictor(_meta(pack_folder))
    before = _list_file(own_home).read_text()

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("predictor_core.catalog.home.os.fsync", fail)
    with pytest.raises(OSError, match="No space"):
        register_predictor(_meta(pack_folder, version=2))
    assert _list_file(own_home).read_text() == before
    assert sorted(path.name for path in _list_file(own_home).parent.iterdir()) == [
        "predictors.yaml",
        "predictors.yaml.lock",
    ]


def _register(home: str, meta: str) -> None:
    os.environ["NN_METER_HOME"] = home
    register_predictor(meta)


def test_processes_that_register_at_once_lose_nothing(pack_folder: Path, own_home: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=_register, args=(str(own_home), str(_meta(pack_folder, version=f"5.{i}"))))
        for i in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(600)

    assert {entry["version"] for entry in registered_predictors()} == {"5.0", "5.1", "5.2", "5.3"}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack_folder: Path) -> Any:
    """Return a function that installs a package with the given entry point."""

    def offer(source: str) -> None:
        site = tmp_path / "site"
        info = site / "devicepack-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: devicepack\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            "[predictor_core.predictors]\nboards=devicepack_entries:offer\n"
        )
        (site / "devicepack_entries.py").write_text(source)
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.delitem(sys.modules, "devicepack_entries", raising=False)
        importlib.invalidate_caches()

    return offer


def _offer(folder: Path, version: Any = "7") -> str:
    return repr({"name": "board", "version": version, "category": "npu", "package_location": str(folder)})


@pytest.mark.parametrize("form", ["offer = {0}", "offer = [{0}]", "def offer():\n    return [{0}]"])
def test_packages_ship_devices(form: str, package: Any, pack_folder: Path) -> None:
    package(form.format(_offer(pack_folder)))

    assert [entry["name"] for entry in offered_predictors()] == ["board"]
    assert load_latency_predictor("board").version == "7"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("offer = {'name': 'board'}", "RegistryError: entry point 'boards'.*the key 'version' is missing"),
        (
            "offer = {'name': 'CortexA76cpu_tflite21', 'version': 3, "
            "'category': 'cpu', 'package_location': '.'}",
            "RegistryError: the name 'CortexA76cpu_tflite21' is taken by an embedded predictor",
        ),
        ("raise OSError('no licence')", "OSError: no licence"),
        ("def offer(): return 1 / 0", "ZeroDivisionError"),
        ("other = 1", "AttributeError"),
        ("raise SystemExit('bye')", "SystemExit: bye"),
        ("import sys\ndef offer(): sys.exit(3)", "SystemExit: 3"),
    ],
)
def test_a_broken_package_is_reported_and_left_out(
    source: str, message: str, package: Any, caplog: pytest.LogCaptureFixture
) -> None:
    package(source)

    assert offered_predictors() == ()
    assert re.search(
        rf"entry point 'boards' \(devicepack_entries:offer\) are left out: {message}", caplog.text
    )
