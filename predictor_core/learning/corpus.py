"""The measured models of a device to learn: cut into kernels, once for each set of fusion rules."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor_core.errors import LearningError, requires
from predictor_core.fusion import Rules, detect
from predictor_core.ir.graph import Graph
from predictor_core.kernels import KernelSpec


@dataclass(frozen=True)
class Cut:
    """Models as counts of kernels.

    Parameters
    ----------
    specs : list of KernelSpec
        The k distinct kernels; the displayed type is left out.
    counts : (n, k) sparse matrix
        How often each model runs each of them.
    """

    specs: list[KernelSpec]
    counts: Any

    def only(self, models: NDArray[np.intp]) -> Cut:
        """Return some of the models, with only their kernels."""
        counts = self.counts[models]
        used = np.flatnonzero(np.asarray(counts.sum(axis=0)).ravel())
        return Cut([self.specs[i] for i in used], counts[:, used])

    def arrays(self) -> dict[str, Any]:
        """Return plain arrays by name (kernels as JSON), for a file; `from_arrays` reads them."""
        counts = self.counts
        return {
            "specs": np.array(json.dumps(self.specs)),
            "data": counts.data,
            "indices": counts.indices,
            "indptr": counts.indptr,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Cut:
        """Make a cut from what `arrays` returned."""
        from scipy import sparse

        specs = [KernelSpec(*map(_tuples, fields)) for fields in json.loads(str(arrays["specs"]))]
        indptr = arrays["indptr"]
        counts = sparse.csr_matrix(
            (arrays["data"], arrays["indices"], indptr), shape=(len(indptr) - 1, len(specs))
        )
        return cls(specs, counts)

    def same(self) -> NDArray[np.intp]:
        """For each model, the first one with exactly the same kernels, shape (n,)."""
        first: dict[bytes, int] = {}
        return np.array(
            [
                first.setdefault(row.indices[np.argsort(row.indices)].tobytes() + _sorted_data(row), i)
                for i, row in enumerate(self.counts)
            ],
            dtype=np.intp,
        )


class Corpus:
    """Named models that were measured on one or many devices.

    Parameters
    ----------
    graphs : mapping of str to Graph, or sequence of (str, Graph)
        Canonical Graphs by name, as `predictor_core.predictor.to_graph` makes them.

    Attributes
    ----------
    names : list of str
    families : (n,) array of str
        What models with like names have in common: left out together, they show what a new family is like.
    """

    def __init__(self, graphs: Mapping[str, Graph] | Sequence[tuple[str, Graph]]) -> None:
        items = list(graphs.items()) if isinstance(graphs, Mapping) else list(graphs)
        self.names = [name for name, _ in items]
        self.families = np.array([family_of(name) for name in self.names])
        self._graphs = [graph for _, graph in items]
        self._cuts: list[tuple[Rules, Cut]] = []

    @classmethod
    def of_cuts(cls, names: Sequence[str], cuts: Sequence[tuple[Rules, Cut]]) -> Corpus:
        """Build a corpus of models that are cut already, by each set of rules that they will be cut by."""
        corpus = cls([])
        corpus.names = list(names)
        corpus.families = np.array([family_of(name) for name in names])
        corpus._cuts = list(cuts)
        return corpus

    def only(self, models: NDArray[np.intp]) -> Corpus:
        """Return the corpus of some of the models, in the order given."""
        cuts = [(rules, cut.only(models)) for rules, cut in self._cuts]
        corpus = self.of_cuts([self.names[i] for i in models], cuts)
        corpus._graphs = [self._graphs[i] for i in models] if self._graphs else []
        return corpus

    def __len__(self) -> int:
        return len(self.names)

    def cut(self, rules: Rules) -> Cut:
        """Return the models cut by the rules of a device."""
        for known, cut in self._cuts:
            if known == rules:
                return cut
        if not self._graphs:
            raise LearningError("the models of this corpus were not cut by these rules, and are not at hand")
        cut = cut_of(kernel_counts(graph, rules) for graph in self._graphs)
        self._cuts.append((rules, cut))
        return cut


def kernel_counts(graph: Graph, rules: Rules) -> Counter[KernelSpec]:
    """Count the kernels of a model; what they are displayed as does not tell them apart."""
    return Counter(kernel.spec._replace(type="") for kernel in detect(graph, rules))


def cut_of(models: Iterable[Mapping[KernelSpec, int]]) -> Cut:
    """Build a `Cut` from how often each model runs which kernel."""
    with requires("scipy", "learn", "learning a device"):
        from scipy import sparse

    places: dict[KernelSpec, int] = {}
    rows, columns, counts = [], [], []
    n = 0
    for n, parts in enumerate(models, 1):
        for spec, count in parts.items():
            rows.append(n - 1)
            columns.append(places.setdefault(spec, len(places)))
            counts.append(float(count))
    matrix = sparse.csr_matrix((counts, (rows, columns)), shape=(n, len(places)))
    return Cut(list(places), matrix)


def family_of(name: str) -> str:
    """Family of a model by its name: the letters before the first digit or separator, versions apart."""
    stem = name.replace("\\", "/").rsplit("/", 1)[-1].lower()
    stem = re.sub(
        r"(mobilenet|efficientnet|swin|mobilevit)v(\d)", lambda m: m[1] + "v" + "abcdefghij"[int(m[2])], stem
    )
    found = re.match(r"[a-z]+", stem)
    return found[0] if found else stem


def _sorted_data(row: Any) -> bytes:
    data: bytes = row.data[np.argsort(row.indices)].tobytes()
    return data


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
