"""The data set of one device: which model holds how many of which kernel, and what it took."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core import kernels
from predictor_core.errors import PredictorError, requires
from predictor_core.files import atomic_file
from predictor_core.fusion import Rules, detect
from predictor_core.ir.passes import canonicalize
from predictor_core.kernels import KernelSpec
from predictor_core.learning.bench import Measured
from predictor_core.learning.corpus import Cut

with requires("scipy", "train", "Training"):
    from scipy import sparse

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Shares of the groups of each family that train, validate (to choose) and test (to report once).
SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


@dataclass(frozen=True)
class Dataset:
    """Models of one device.

    Parameters
    ----------
    device : str
    ids, families, groups : (n,) arrays of str
    latency_ms : (n,) float64
        Measured; averaged over the models of a group.
    specs : list of KernelSpec
        The m distinct kernels.
    forests : (m,) array of str
        Forest of each kernel.
    counts : (n, m) sparse matrix
        How often each model runs each kernel.
    """

    device: str
    ids: NDArray[np.str_]
    families: NDArray[np.str_]
    groups: NDArray[np.str_]
    latency_ms: Floats
    specs: list[KernelSpec]
    forests: NDArray[np.str_]
    counts: Any

    def __len__(self) -> int:
        return len(self.ids)

    def only(self, models: Mask) -> Dataset:
        """Return the data set of some of the models, with all kernels."""
        return replace(
            self,
            ids=self.ids[models],
            families=self.families[models],
            groups=self.groups[models],
            latency_ms=self.latency_ms[models],
            counts=self.counts[models],
        )

    def seen(self) -> Mask:
        """Which kernels occur in at least one model."""
        return np.asarray(self.counts.sum(axis=0)).ravel() > 0


def build_datasets(models: Iterable[Measured], rules: dict[str, Rules]) -> dict[str, Dataset]:
    """Cut every model into kernels, with the rules of each device.

    Parameters
    ----------
    models : iterable of Measured
    rules : dict of str to Rules
        Device -> its fusion rules.

    Returns
    -------
    dict of str to Dataset
        One data set a device, one model a group (identical architectures are averaged).
    """
    tables = {device: _Table(device) for device in rules}
    sharing: dict[int, list[str]] = {}
    distinct: list[Rules] = []
    for device, own in rules.items():
        place = next((i for i, known in enumerate(distinct) if known == own), len(distinct))
        if place == len(distinct):
            distinct.append(own)
        sharing.setdefault(place, []).append(device)
    for model in models:
        graph = canonicalize(model.graph)
        for place, own in enumerate(distinct):
            devices = [device for device in sharing[place] if device in model.latency_ms]
            if devices:
                parts = Counter(_served(kernel.spec) for kernel in detect(graph, own))
                for device in devices:
                    tables[device].add(model, parts)
    return {device: table.finish() for device, table in tables.items()}


def _served(spec: KernelSpec) -> KernelSpec:
    """Return the kernel that is measured; the displayed type is no part of it."""
    decomposition = kernels.decompose(spec)
    direct = decomposition.combine != "sum" and all(weight == 1.0 for weight, _ in decomposition.parts)
    if not direct or decomposition.scale != 1.0:
        raise PredictorError(f"a {spec.type} kernel of the training data is not measured directly")
    return decomposition.spec._replace(type="")


class _Table:
    def __init__(self, device: str) -> None:
        self.device = device
        self.columns: dict[KernelSpec, int] = {}
        self.rows: dict[str, tuple[str, str, Counter[KernelSpec], list[float]]] = {}

    def add(self, model: Measured, parts: Counter[KernelSpec]) -> None:
        latency_ms = model.latency_ms[self.device]
        if model.group in self.rows:
            self.rows[model.group][3].append(latency_ms)
            return
        for spec in parts:
            self.columns.setdefault(spec, len(self.columns))
        self.rows[model.group] = (model.id, model.family, parts, [latency_ms])

    def finish(self) -> Dataset:
        specs = list(self.columns)
        entries = [
            (row, self.columns[spec], count)
            for row, (_, _, parts, _) in enumerate(self.rows.values())
            for spec, count in parts.items()
        ]
        rows, columns, counts = (np.array(part) for part in zip(*entries))
        shape = (len(self.rows), len(specs))
        return Dataset(
            device=self.device,
            ids=np.array([row[0] for row in self.rows.values()]),
            families=np.array([row[1] for row in self.rows.values()]),
            groups=np.array(list(self.rows)),
            latency_ms=np.array([float(np.mean(row[3])) for row in self.rows.values()]),
            specs=specs,
            forests=np.array([str(kernels.kernel_op(spec.op).forest) for spec in specs]),
            counts=sparse.csr_matrix((counts.astype(np.float64), (rows, columns)), shape=shape),
        )


def split(groups: NDArray[np.str_], families: NDArray[np.str_], seed: int) -> NDArray[np.str_]:
    """Assign each group to ``train``, ``validation`` or ``test``, in equal shares of every family.

    The order is that of a hash of seed and group, so a group keeps its place whatever else is in the data.
    """
    part = np.empty(len(groups), dtype="<U10")
    for family in np.unique(families):
        members = np.flatnonzero(families == family)
        keys = [hashlib.sha256(f"{seed}/{groups[i]}".encode()).digest() for i in members]
        ordered = members[sorted(range(len(members)), key=keys.__getitem__)]
        n_test = round(SHARES["test"] * len(ordered))
        n_held = n_test + round(SHARES["validation"] * len(ordered))
        part[ordered[:n_test]] = "test"
        part[ordered[n_test:n_held]] = "validation"
        part[ordered[n_held:]] = "train"
    return part


def save_dataset(path: Path, data: Dataset) -> None:
    """Write a data set as plain arrays."""
    with atomic_file(path) as file:
        np.savez_compressed(
            file,
            device=np.array(data.device),
            ids=data.ids,
            families=data.families,
            groups=data.groups,
            latency_ms=data.latency_ms,
            forests=data.forests,
            **Cut(data.specs, data.counts).arrays(),
        )


def load_dataset(path: Path) -> Dataset:
    """Read what `save_dataset` wrote."""
    with np.load(path, allow_pickle=False) as file:
        cut = Cut.from_arrays(file)
        return Dataset(
            device=str(file["device"]),
            ids=file["ids"],
            families=file["families"],
            groups=file["groups"],
            latency_ms=file["latency_ms"],
            specs=cut.specs,
            forests=file["forests"],
            counts=cut.counts,
        )
