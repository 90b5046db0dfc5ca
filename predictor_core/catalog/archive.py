"""The zip of a pack: looked through before anything is unpacked, unpacked file by file under bounds."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from predictor_core.errors import DownloadError, PackError
from predictor_core.files import output_path, write_atomically
from predictor_core.legacy.pack_folder import DIGESTS_FILE, RULES_FILE, files_of

MAX_ENTRIES = 1000
MAX_UNPACKED_BYTES = 16 * 2**30
#: Pickled forests shrink about fivefold.
MAX_RATIO = 100
_BLOCK_BYTES = 1 << 20


def extract_pack(zip_path: Path, name: str, scratch: Path, folder: Path, wanted: Iterable[str] = ()) -> None:
    """Unpack the forests and rules of a pack into `scratch`, then move them into `folder`.

    Parameters
    ----------
    zip_path : Path
        Zip in upstream's layout: ``<name>/<forest>.pkl`` and ``<name>/fusion_rules.json``.
    name : str
        Name of the predictor.
    scratch : Path
        A folder on the same file system as `folder`.
    folder : Path
        Where the files go; the rules, which make it a pack, last.
    wanted : iterable of str
        Forests that must be there.

    Raises
    ------
    DownloadError
        Not a zip, or a damaged one.
    PackError
        A zip with a path outside its folder, a link, a bomb, or without what a pack needs.
    """
    unpacked = scratch / "unpacked"
    unpacked.mkdir()
    try:
        with zipfile.ZipFile(zip_path) as archive:
            members = _audit(archive.infolist(), name)
            missing = sorted(set(files_of(wanted)) - set(members))
            if missing or len(members) < 2:
                raise PackError(f"the zip of {name!r} lacks {', '.join(missing) or 'its forests'}")
            digests = {file: _extract(archive, info, unpacked / file) for file, info in members.items()}
    except OSError as error:
        raise DownloadError(f"it can't be unpacked into {scratch}: {error}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, struct.error) as error:
        with open(zip_path, "rb") as stream:
            start = stream.read(40)
        raise DownloadError(f"it is not a sound zip of a pack ({error}); it starts with {start!r}") from error
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(members, key=lambda file: (file == RULES_FILE, file)):
        if file == RULES_FILE:
            write_atomically(folder / DIGESTS_FILE, json.dumps({"files": digests}, indent=1) + "\n")
        os.replace(unpacked / file, output_path(folder / file))


def _audit(infos: Iterable[zipfile.ZipInfo], name: str) -> dict[str, zipfile.ZipInfo]:
    """Files to unpack by name, after refusing what no pack holds."""
    members: dict[str, zipfile.ZipInfo] = {}
    total = packed = 0
    for count, info in enumerate(infos, 1):
        path = PurePosixPath(info.filename)
        if count > MAX_ENTRIES:
            raise PackError(f"the zip has more than {MAX_ENTRIES} entries")
        if path.is_absolute() or ".." in path.parts or "\\" in info.filename or ":" in info.filename:
            raise PackError(f"the zip holds the path {info.filename!r:.80}, which leads out of its folder")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise PackError(f"the zip holds the link {info.filename!r:.80}")
        total += info.file_size
        packed += info.compress_size
        if total > MAX_UNPACKED_BYTES or info.file_size > MAX_RATIO * max(info.compress_size, 1024):
            raise PackError(f"the zip unpacks to far more than it holds ({total} bytes from {packed})")
        if info.is_dir() or (path.suffix != ".pkl" and path.name != RULES_FILE):
            continue
        if path.parent not in (PurePosixPath(), PurePosixPath(name)):
            raise PackError(f"the zip holds {info.filename!r:.80}; files are expected in the folder {name!r}")
        if path.name in members:
            raise PackError(f"the zip holds {path.name!r:.80} twice")
        members[path.name] = info
    return members


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> str:
    """Unpack one file, never more of it than the directory of the zip says; return its SHA-256."""
    digest = hashlib.sha256()
    written = 0
    with archive.open(info) as source, open(target, "wb") as file:
        while block := source.read(_BLOCK_BYTES):
            written += len(block)
            if written > info.file_size:
                raise PackError(f"the zip's entry {info.filename!r:.80} is larger than it says")
            digest.update(block)
            file.write(block)
    return digest.hexdigest()
