"""Many device headers in one file: lines of JSON, with what headers have in common written once.

A line with the key ``group`` holds what the devices of a group share: sources, base rates, centers, names of
the coefficients, ranges, measured kernels. Each other line is a device.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from predictor_core.errors import PackError
from predictor_core.files import write_atomically
from predictor_core.predictor.header import DeviceHeader

MAX_COLLECTION_BYTES = 2**26
_SHARED = ("sources", "scale_ms", "centers", "ranges", "measured", "format")
_NUMBERS = ("coefficients", "variances")


def write_collection(path: Path, headers: Iterable[DeviceHeader]) -> Path:
    """Write headers into one file: the same headers give the same bytes."""
    groups: dict[str, int] = {}
    devices = []
    for header in headers:
        content = header.to_dict()
        shared = {key: content.pop(key) for key in _SHARED}
        shared.update({key: list(content[key]) for key in _NUMBERS})
        number = groups.setdefault(_line(shared), len(groups))
        content.update({key: list(content[key].values()) for key in _NUMBERS})
        devices.append(_line({"name": content.pop("name"), "of": number, **content}))
    lines = [f'{{"group":{number},{shared[1:]}' for shared, number in groups.items()]
    write_atomically(path, "\n".join([*lines, *devices]) + "\n")
    return path


def read_collection(path: Path, name: str, sha256: str | None = None) -> DeviceHeader:
    """Read and check one of the headers.

    Parameters
    ----------
    path : Path
        Written by `write_collection`.
    name : str
        Of the device.
    sha256 : str, optional
        Digest that the file must have.

    Raises
    ------
    PackError
        The file can't be read, has no such device, or holds a value out of range.
    """
    groups, devices = _lines(path, sha256)
    if name not in devices:
        raise PackError(f"{path} holds no device {name!r}; install the package again")
    origin = f"{path}, {name}"
    try:
        device = json.loads(devices[name])
        shared = groups[device.pop("of")]
        if any(len(shared[key]) != len(device[key]) for key in _NUMBERS):
            raise ValueError("other numbers than names")
        numbers = {key: dict(zip(shared[key], device[key])) for key in _NUMBERS}
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise PackError(f"{origin}: damaged ({error!r}); install the package again") from error
    return DeviceHeader.from_dict({**shared, **device, **numbers}, origin)


@lru_cache(maxsize=4)
def _lines(path: Path, sha256: str | None) -> tuple[dict[int, Mapping[str, Any]], dict[str, str]]:
    """Return groups by number, and the lines of the devices by name."""
    try:
        if path.stat().st_size > MAX_COLLECTION_BYTES:
            raise PackError(f"{path} has more than {MAX_COLLECTION_BYTES} bytes; it holds no device headers")
        content = path.read_bytes()
        if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
            raise PackError(f"{path} is not the file that was released; install the package again")
        groups: dict[int, Mapping[str, Any]] = {}
        devices: dict[str, str] = {}
        lines = content.decode("utf-8").splitlines()
        for line in lines:
            if line.startswith('{"group":'):
                shared = json.loads(line)
                groups[shared.pop("group")] = shared
            else:
                devices[json.loads(line[len('{"name":') : line.index(",")])] = line
    except OSError as error:
        raise PackError(f"can't read the device headers {path}: {error.strerror}") from error
    except (ValueError, KeyError, AttributeError, RecursionError) as error:
        raise PackError(f"{path} holds no device headers: {error}; install the package again") from error
    return groups, devices


def _line(content: Mapping[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
