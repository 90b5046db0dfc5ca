"""Images to train on: scikit-learn's digits, or a local copy of CIFAR-10."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

SIZE = 32
CIFAR_FILES = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]

Split = tuple[torch.Tensor, torch.Tensor]


def load(name: str, folder: str | None = None) -> tuple[Split, Split]:
    """Return the training and the validation split: images (n, 3, 32, 32) in -1 to 1, and classes (n,).

    Parameters
    ----------
    name : {"digits", "cifar10"}
        ``digits`` comes with scikit-learn; nothing is downloaded for either.
    folder : str, optional
        Folder of CIFAR-10's Python version, or the one above it.
    """
    return _digits() if name == "digits" else _cifar10(folder)


def _digits() -> tuple[Split, Split]:
    from sklearn.datasets import load_digits

    images, classes = load_digits(return_X_y=True)
    x = torch.tensor(images / 8.0 - 1.0, dtype=torch.float32).view(-1, 1, 8, 8)
    x = functional.interpolate(x, size=(SIZE, SIZE), mode="bilinear", align_corners=False).repeat(1, 3, 1, 1)
    y = torch.tensor(classes, dtype=torch.long)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    x, y = x[order], y[order]
    held_out = len(y) // 5
    return (x[held_out:], y[held_out:]), (x[:held_out], y[:held_out])


def _cifar10(folder: str | None) -> tuple[Split, Split]:
    root = Path(folder or ".").expanduser()
    if (root / "cifar-10-batches-py").is_dir():
        root = root / "cifar-10-batches-py"
    missing = [name for name in CIFAR_FILES if not (root / name).is_file()]
    if missing:
        raise SystemExit(
            f"CIFAR-10 is not in {root}: {', '.join(missing)} missing. Unpack the Python version "
            "(cifar-10-python.tar.gz) there and name the folder with --data cifar10 FOLDER, or use digits"
        )
    batches = [_cifar_batch(root / name) for name in CIFAR_FILES]
    x = torch.cat([images for images, _ in batches[:-1]])
    y = torch.cat([classes for _, classes in batches[:-1]])
    return (x, y), batches[-1]


class _ArraysOnly(pickle.Unpickler):
    """Reader of CIFAR-10's batches: they hold lists, bytes and one numpy array, and nothing else is built."""

    _ALLOWED = frozenset(
        {
            ("numpy", "dtype"),
            ("numpy", "ndarray"),
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("_codecs", "encode"),
        }
    )

    def find_class(self, module: str, name: str) -> object:
        """Refuse all classes but those of an array."""
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"a CIFAR-10 batch does not hold {module}.{name}")
        return super().find_class(module, name)


def _cifar_batch(path: Path) -> Split:
    with path.open("rb") as file:
        batch = _ArraysOnly(file, encoding="bytes").load()
    images = np.asarray(batch[b"data"], dtype=np.float32).reshape(-1, 3, SIZE, SIZE) / 127.5 - 1.0
    return torch.from_numpy(images), torch.tensor(batch[b"labels"], dtype=torch.long)
