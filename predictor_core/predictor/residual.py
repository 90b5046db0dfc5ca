"""Forests of what the smooth correction of a learned device leaves over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from predictor_core import kernels
from predictor_core.errors import PackError
from predictor_core.forest import Forest, tree_values
from predictor_core.forest.pack import pack_bytes, parse_pack
from predictor_core.kernels import KernelSpec
from predictor_core.kernels.names import current_name


class Residual:
    """Logarithm of a kernel's latency over what the coefficients of a learned device say.

    Parameters
    ----------
    content : bytes
        A pack with a forest for each of some of `predictor_core.kernels.FORESTS`.
    sha256 : str, optional
        Digest that it must have.

    Raises
    ------
    PackError
        The pack is corrupted, another one, or of features that this version does not compute.
    """

    def __init__(self, content: bytes, sha256: str | None = None) -> None:
        self.content = content
        self._pack = parse_pack(content, "of the residual", sha256)
        for name, entry in self._pack.header["forests"].items():
            known = kernels.FORESTS.get(name)
            if known is None or list(known.names) != [
                current_name(name) for name in entry.get("features", ())
            ]:
                raise PackError(
                    f"the residual forest {name!r} was trained on other features than this version of the "
                    "package computes; learn the device again"
                )

    @classmethod
    def of(cls, forests: Mapping[str, Forest]) -> Residual:
        """Build the residual of freshly grown forests."""
        facts = {name: {"features": list(kernels.FORESTS[name].names)} for name in forests}
        return cls(pack_bytes({"forests": facts}, forests))

    @property
    def sha256(self) -> str:
        """Digest of the forests."""
        return self._pack.sha256

    def log_ratio(self, specs: Sequence[KernelSpec]) -> NDArray[np.float64]:
        """Return the residual of kernels, shape (n,); 0 where no forest serves."""
        out = np.zeros(len(specs))
        by_forest: dict[str, list[int]] = {}
        for i, spec in enumerate(specs):
            forest = kernels.kernel_op(spec.op).forest
            if forest in self._pack.forests and kernels.decompose(spec).measured:
                by_forest.setdefault(str(forest), []).append(i)
        if not by_forest:
            return out
        work = [
            (self._pack.forests[name], kernels.features(name, [specs[i] for i in members]))
            for name, members in by_forest.items()
        ]
        for members, values in zip(by_forest.values(), tree_values(work)):
            out[members] = values.mean(axis=1)
        return out
