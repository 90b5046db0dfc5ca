"""Imported by every Python of a page: torchvision loads, though its compiled ops do not fit torch."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType


class _Torchvision:
    """Finds nothing; at the first look for torchvision it makes sure that the import works."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == "torchvision":
            sys.meta_path.remove(self)  # type: ignore[arg-type]
            if find_spec(name) is not None:
                from tests.torchvision_shim import import_torchvision

                import_torchvision()
        return None


sys.meta_path.insert(0, _Torchvision())  # type: ignore[arg-type]
