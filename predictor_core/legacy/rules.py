"""Upstream's fusion rules (`fusion_rules.json`): which ops a device runs as one kernel."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from predictor_core.errors import PackError

MAX_RULES_BYTES = 16 * 2**20


class FusionRules(NamedTuple):
    """What the detector needs of a rule file.

    Parameters
    ----------
    pairs : frozenset of (str, str)
        (type of the first op of a kernel, type of an op that follows) which fuse: rules ``BF_a_b``.
    chains : tuple of tuple of str
        Longer rules ``BF_a_b_c``, in the order of the file; matched before the pairs.
    multiple_outputs : int
        Rule ``MON``: 0, an op with several readers fuses with none of them; 1, with the first that
        fits; 2, with all that fit.
    """

    pairs: frozenset[tuple[str, str]] = frozenset()
    chains: tuple[tuple[str, ...], ...] = ()
    multiple_outputs: int = 0

    @classmethod
    def from_dict(cls, rules: Mapping[str, Any]) -> FusionRules:
        """Read the content of a rule file.

        Raises
        ------
        PackError
            A rule is not an object with the key ``obey``.
        """
        pairs = set()
        chains = []
        for name, rule in rules.items():
            if not isinstance(rule, Mapping) or "obey" not in rule:
                raise PackError(
                    f"fusion rule {name!r} is {rule!r:.80}; expected an object with the key 'obey'"
                )
            if rule["obey"] and name.startswith("BF"):
                ops = tuple(name.split("_")[1:])
                if len(ops) == 2:
                    pairs.add((ops[0], ops[1]))
                elif len(ops) > 2:
                    chains.append(ops)
        obey = rules["MON"]["obey"] if "MON" in rules else 0
        multiple_outputs = 0 if obey is None or obey == 0 else 1 if obey == 1 else 2
        return cls(frozenset(pairs), tuple(chains), multiple_outputs)


def load_rules(path: Path) -> FusionRules:
    """Read a `fusion_rules.json`.

    Raises
    ------
    PackError
        The file is absent, too large, or not such a file.
    """
    try:
        if path.stat().st_size > MAX_RULES_BYTES:
            raise PackError(
                f"{path} has {path.stat().st_size} bytes; a rule file has at most {MAX_RULES_BYTES}"
            )
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PackError(f"the fusion rules {path} can't be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise PackError(f"the fusion rules {path} are not JSON: {error}") from error
    if not isinstance(content, dict):
        raise PackError(
            f"the fusion rules {path} hold a {type(content).__name__}; expected an object of rules"
        )
    return FusionRules.from_dict(content)
