"""Files are written whole or not at all, and never over what must stay."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from predictor_core.errors import OutputError
from predictor_core.files import atomic_file, write_atomically


def test_text_and_bytes_in_a_new_folder(tmp_path: Path) -> None:
    write_atomically(tmp_path / "new" / "a", "±")
    write_atomically(tmp_path / "new" / "b", b"\x00")
    assert (tmp_path / "new" / "a").read_bytes() == "±".encode()
    assert (tmp_path / "new" / "b").read_bytes() == b"\x00"
    assert len(list((tmp_path / "new").iterdir())) == 2


def test_permissions_are_those_of_the_file_or_of_the_umask(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.touch()
    kept.chmod(0o640)
    old = os.umask(0o077)
    try:
        write_atomically(kept, "")
        write_atomically(tmp_path / "fresh", "")
    finally:
        os.umask(old)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "fresh").stat().st_mode) == 0o600


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(TypeError), atomic_file(path) as file:
        file.writelines([b"half", None])  # type: ignore[list-item]
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_links_are_followed(tmp_path: Path) -> None:
    target, link, loose = tmp_path / "target", tmp_path / "link", tmp_path / "loose"
    target.write_text("old")
    link.symlink_to(target)
    loose.symlink_to("absent")
    write_atomically(link, "new")
    write_atomically(loose, "made")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert loose.is_symlink()
    assert (tmp_path / "absent").read_text() == "made"


def test_what_is_no_regular_file_stays(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        with pytest.raises(OutputError, match="is a pipe, socket or device"):
            write_atomically(path, "")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    with pytest.raises(OutputError, match="does not stand for stdout"):
        write_atomically("-", "")
    with pytest.raises(OutputError, match="is a folder"):
        write_atomically(tmp_path, "")
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    with pytest.raises(OutputError, match="can't write"):
        write_atomically(circle, "")


def test_inputs_and_existing_files_stay(tmp_path: Path) -> None:
    model, other = tmp_path / "model", tmp_path / "other"
    model.write_text("weights")
    other.hardlink_to(model) if hasattr(other, "hardlink_to") else os.link(model, other)
    (tmp_path / "link").symlink_to(model)
    for path in (model, other, tmp_path / "link"):
        with pytest.raises(OutputError, match="is an input"):
            write_atomically(path, "", inputs=[model])
    with pytest.raises(OutputError, match="is an input"):
        write_atomically(model, "", inputs=[tmp_path])
    with pytest.raises(OutputError, match="exists; choose another output"):
        write_atomically(model, "", overwrite=False)
    assert model.read_text() == "weights"
