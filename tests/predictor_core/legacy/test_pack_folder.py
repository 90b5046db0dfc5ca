from __future__ import annotations

import json
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from predictor_core.errors import PackError
from predictor_core.legacy.compact import DTYPES, CompactForests
from predictor_core.legacy.converted import MAGIC, load_converted
from predictor_core.legacy.errors import ParityError
from predictor_core.legacy.pack_folder import CONVERTED_FILE, DIGESTS_FILE, file_digest, is_pack, load_folder
from predictor_core.legacy.sklearn_forest import read_forest

PICKLES = Path(__file__).parent / "pickles"


def _arrays(forests: CompactForests) -> dict[str, list[float]]:
    return {name: array.tolist() for name, array in forests.arrays().items()}


def test_the_second_load_maps_the_converted_file(pack_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_folder(pack_folder)
    assert (pack_folder / CONVERTED_FILE).read_bytes().startswith(MAGIC)
    monkeypatch.setattr("predictor_core.legacy.pack_folder.read_forest", None)

    second = load_folder(pack_folder)

    assert second.rules == first.rules
    assert second.forests.slots == first.forests.slots
    assert _arrays(second.forests) == _arrays(first.forests)
    assert not second.forests.value.flags.writeable


def test_converted_forests_predict_what_the_pickles_do(pack_folder: Path) -> None:
    answers = np.load(PICKLES / "sklearn-0.24.2.npz")
    forests = load_folder(pack_folder).forests

    predicted = forests.predict({"relu4": answers["rows"], "swish4": answers["rows"][:3]})

    np.testing.assert_allclose(predicted["relu4"], answers["expected"], rtol=1e-12)
    np.testing.assert_allclose(predicted["swish4"], answers["expected"][:3], rtol=1e-12)


def test_many_rows_are_evaluated_in_blocks(pack_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = np.load(PICKLES / "sklearn-0.24.2.npz")
    forests = load_folder(pack_folder).forests
    work = {"relu4": answers["rows"], "swish4": answers["rows"]}
    whole = forests.predict(work)
    for block in (1, 7, 50):
        monkeypatch.setattr("predictor_core.legacy.compact._BLOCK", block)

        assert {name: ms.tolist() for name, ms in forests.predict(work).items()} == {
            name: ms.tolist() for name, ms in whole.items()
        }


def test_a_changed_pickle_is_converted_again(pack_folder: Path) -> None:
    load_folder(pack_folder)
    (pack_folder / "relu4.pkl").write_bytes((PICKLES / "single-node-trees.pkl").read_bytes())

    assert load_folder(pack_folder).forests.predict({"relu4": [[1, 2, 3, 4]]})["relu4"].tolist() == [2.5]


@pytest.mark.parametrize("damage", ["cut", "empty", "noise", "header"])
def test_a_damaged_converted_file_is_made_anew(pack_folder: Path, damage: str) -> None:
    expected = _arrays(load_folder(pack_folder).forests)
    path = pack_folder / CONVERTED_FILE
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(
        {
            "cut": content[:-100],
            "empty": b"",
            "noise": os.urandom(500),
            "header": content[:12] + b"[" + content[13:],
        }[damage]
    )

    assert _arrays(load_folder(pack_folder).forests) == expected
    assert path.read_bytes() == content


@pytest.mark.parametrize("array", list(DTYPES))
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_flipped_bit_of_an_array_is_noticed(share: float, array: str, pack_folder: Path) -> None:
    expected = _arrays(load_folder(pack_folder).forests)
    path = pack_folder / CONVERTED_FILE
    sound = path.read_bytes()
    (length,) = struct.unpack_from("<I", sound, len(MAGIC))
    position = len(MAGIC) + 4 + length
    header = json.loads(sound[len(MAGIC) + 4 : position])
    for name, dtype in DTYPES.items():
        position += -position % 64
        size = header["sizes"][name] * np.dtype(dtype).itemsize
        if name == array:
            break
        position += size
    content = bytearray(sound)
    content[position + int(share * (size - 1))] ^= 1
    path.unlink()
    path.write_bytes(content)

    assert load_converted(path, header["source"]) is None
    assert _arrays(load_folder(pack_folder).forests) == expected
    assert path.read_bytes() == sound


def test_bad_indices_in_a_converted_file_are_an_error_not_a_crash(pack_folder: Path) -> None:
    forests = load_folder(pack_folder).forests
    arrays = {name: array.copy() for name, array in forests.arrays().items()}
    arrays["children"][:] = 0
    with pytest.raises(PackError, match="deeper than"):
        CompactForests(forests.slots, **arrays).predict({"relu4": [[0, 0, 0, 0]]})
    arrays["children"][:] = 10**9
    with pytest.raises(PackError, match="corrupted"):
        CompactForests(forests.slots, **arrays).predict({"relu4": [[0, 0, 0, 0]]})


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1, 2, 3]], "reads 4 features"),
        ([[1, 2, 3, float("nan")]], "infinite or not a number"),
        ([[1, 2, 3, 1e300]], "infinite or not a number"),
        ([[1, 2, 3, "x"]], "are not numbers"),
    ],
)
def test_rows_that_scikit_learn_refuses(pack_folder: Path, rows: list[list[float]], message: str) -> None:
    with pytest.raises(ParityError, match=message):
        load_folder(pack_folder).forests.predict({"relu4": rows})


def test_a_read_only_folder_works(pack_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("predictor_core.files.os.replace", refuse)

    assert set(load_folder(pack_folder).forests.slots) == {"swish4", "relu4"}
    assert not (pack_folder / CONVERTED_FILE).exists()


def test_files_that_differ_from_their_download_are_refused(pack_folder: Path) -> None:
    digests = {path.name: file_digest(path) for path in pack_folder.iterdir()}
    (pack_folder / DIGESTS_FILE).write_text(json.dumps({"files": digests}))
    assert load_folder(pack_folder)
    (pack_folder / "relu4.pkl").write_bytes((PICKLES / "sklearn-1.1.3-protocol4.pkl").read_bytes())

    with pytest.raises(PackError, match=r"relu4\.pkl is not the file that was downloaded"):
        load_folder(pack_folder)
    (pack_folder / DIGESTS_FILE).write_text("[]")
    with pytest.raises(PackError, match="is damaged"):
        load_folder(pack_folder)


def test_what_a_pack_needs(pack_folder: Path, tmp_path: Path) -> None:
    assert is_pack(pack_folder)
    assert is_pack(pack_folder, ["relu4"])
    assert not is_pack(pack_folder, ["fc"])
    with pytest.raises(PackError, match=r"needs fusion_rules\.json"):
        load_folder(tmp_path)
    for content, message in (("{", "are not JSON"), ("[]", "hold a list"), ('{"BF_a_b": 1}', "'obey'")):
        (pack_folder / "fusion_rules.json").write_text(content)
        with pytest.raises(PackError, match=message):
            load_folder(pack_folder)


def test_too_many_features_are_refused(pack_folder: Path) -> None:
    forest = read_forest(PICKLES / "sklearn-0.24.2-protocol4.pkl")

    with pytest.raises(PackError, match="257 features"):
        CompactForests.from_pickled([("wide", type(forest)(forest.trees, 257, ""))])
    with pytest.raises(PackError, match="no forest"):
        CompactForests.from_pickled([])


@pytest.mark.parametrize(
    "name",
    ["malicious_builtins_eval", "malicious_hidden_in_forest", "malicious_os_system", "truncated_pickle"],
)
def test_bad_packs_are_refused_and_not_executed(
    name: str, legacy_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile(legacy_data / "packs" / "bad" / f"{name}.zip") as archive:
        archive.extractall(tmp_path)

    with pytest.raises(PackError, match=r"\.pkl is refused"):
        load_folder(tmp_path / "cortexA76cpu_tflite21")

    assert not list(tmp_path.rglob("PWNED_MARKER"))
    assert not list(tmp_path.rglob(CONVERTED_FILE))
