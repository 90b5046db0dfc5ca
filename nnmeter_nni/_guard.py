"""NNI 3.0 takes ``Random(model_filter=...)`` and ignores the filter: make that an error."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from nnmeter_nni.errors import NniVersionError


def refuse_ignored_filters() -> None:
    """Let NNI 3.0's strategies refuse a `LatencyFilter` as ``model_filter``; does nothing the second time."""
    from nni.nas import strategy

    for name in ("Random", "RegularizedEvolution"):
        kind = getattr(strategy, name)
        if not hasattr(kind.__init__, "__refuses_filters__"):
            kind.__init__ = _refusing(kind.__init__, name)


def _refusing(init: Callable[..., None], name: str) -> Callable[..., None]:
    @functools.wraps(init)
    def checked(self: Any, *args: Any, **options: Any) -> None:
        from nnmeter_nni.filter import LatencyFilter

        given = options.get("model_filter")
        if isinstance(given, LatencyFilter):
            raise NniVersionError(
                f"NNI 3.0's {name} ignores model_filter. Write\n"
                "    from nni.nas.strategy.middleware import Chain, Filter\n"
                f"    Chain({name}(), Filter({given!r}))\n"
                f"or nnmeter_nni.LatencyRandom({given!r})"
            )
        init(self, *args, **options)

    checked.__refuses_filters__ = True  # type: ignore[attr-defined]
    return checked
