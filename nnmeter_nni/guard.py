"""NNI 3.0 takes ``Random(model_filter=...)`` and ignores the filter: make that an error.

A strategy is made before any experiment runs, and NNI drops the filter at once, so this is the one patch of
NNI that can't wait for an experiment. It is made with the first filter, and refuses filters only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from nnmeter_nni.errors import NniVersionError


def refuse_ignored_filters(kind: type) -> None:
    """Let NNI 3.0's strategies refuse filters as ``model_filter``; does nothing the second time.

    Parameters
    ----------
    kind : type
        Class of the filters.
    """
    try:
        from nni.nas import strategy
    except ModuleNotFoundError:  # NNI without torch or Lightning: there is no strategy to give a filter to.
        return
    for name in ("Random", "RegularizedEvolution"):
        strategy_class = getattr(strategy, name)
        if not hasattr(strategy_class.__init__, "__refuses_filters__"):
            strategy_class.__init__ = _refusing(strategy_class.__init__, name, kind)


def _refusing(init: Callable[..., None], name: str, kind: type) -> Callable[..., None]:
    @functools.wraps(init)
    def checked(self: Any, *args: Any, **options: Any) -> None:
        given = options.get("model_filter")
        if isinstance(given, kind):
            raise NniVersionError(
                f"NNI 3.0's {name} ignores model_filter. Write\n"
                "    from nni.nas.strategy.middleware import Chain, Filter\n"
                f"    Chain({name}(), Filter({given!r}))\n"
                f"or nnmeter_nni.LatencyRandom({given!r})"
            )
        init(self, *args, **options)

    checked.__refuses_filters__ = True  # type: ignore[attr-defined]
    return checked
