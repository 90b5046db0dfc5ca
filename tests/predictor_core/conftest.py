"""Data of the 1.0 tests: small pickles kept here, and the public golden answers where they are."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

PICKLES = Path(__file__).parent / "legacy" / "pickles"

RULES = """{
 "BF_conv_bn": {"obey": true}, "BF_conv_relu": {"obey": true}, "BF_add_relu": {"obey": true},
 "BF_conv_bn_relu": {"obey": true}, "MON": {"obey": null}, "BF_fc_relu": {"obey": false}
}"""


@pytest.fixture(scope="session")
def legacy_data(shared_data: Path) -> Path:
    """Folder of nn-Meter's golden answers, or a skip."""
    folder = shared_data / "legacy"
    if not folder.is_dir():
        pytest.skip(f"nn-Meter's golden answers are not at {folder}")
    return folder


@pytest.fixture(scope="session")
def golden_packs(legacy_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the stand-in packs of both scikit-learn versions, unpacked: ``<version>/<device>/``."""
    target = tmp_path_factory.mktemp("packs")
    for path in sorted((legacy_data / "packs").glob("0.*/*.zip")):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(target / path.parent.name)
    return target


@pytest.fixture
def pack_folder(tmp_path: Path) -> Path:
    """A small pack in upstream's layout, with forests of four features under two names."""
    folder = tmp_path / "mydevice"
    folder.mkdir()
    content = (PICKLES / "sklearn-0.24.2-protocol4.pkl").read_bytes()
    for name in ("swish4", "relu4"):
        (folder / f"{name}.pkl").write_bytes(content)
    (folder / "fusion_rules.json").write_text(RULES)
    return folder
