"""Names that are unique in a graph."""

from __future__ import annotations

from collections.abc import Iterable


class Names:
    """Names that are taken, and new ones beside them; n equal names cost n steps.

    Parameters
    ----------
    taken : iterable of str
        Names that exist.
    """

    __slots__ = ("_last", "taken")

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.taken = set(taken)
        self._last: dict[str, int] = {}

    def fresh(self, name: str) -> str:
        """Return `name`, or a variation of it that is not taken; it is taken from now on."""
        own = name
        if own in self.taken:
            count = self._last.get(name, 0)
            while own in self.taken:
                count += 1
                own = f"{name}_{count}"
            self._last[name] = count
        self.taken.add(own)
        return own

    def release(self, name: str) -> None:
        """Let a name be given again."""
        self.taken.discard(name)
