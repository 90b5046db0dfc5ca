"""What a device can do at most, by its data sheet: the bound that no predicted latency falls below."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite
from pathlib import Path
from typing import Any, NamedTuple

from predictor_core.errors import PackError
from predictor_core.kernels.costs import ELEMENT_BYTES, Cost

#: File of a device card, beside the pack.
CARD_FILE = "device.yaml"


class Roofline(NamedTuple):
    """Peak rates of a device (the roofline model of Williams, Waterman and Patterson, CACM 52(4), 2009).

    Parameters
    ----------
    macs_per_ms : float
        Multiply-accumulates per ms in the precision that the runtime uses.
    bytes_per_ms : float
        Bytes per ms between the processor and its memory.
    element_bytes : int
        Bytes of a tensor's element in that precision.
    """

    macs_per_ms: float = inf
    bytes_per_ms: float = inf
    element_bytes: int = ELEMENT_BYTES

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> Roofline:
        """Read the entry ``peak`` of a device card; a card without one bounds nothing.

        Raises
        ------
        ValueError
            When the entry lacks a rate, or a rate is not a positive number.
        """
        peak = card.get("peak")
        if peak is None:
            return cls()
        try:
            values = [float(peak[key]) for key in ("gmacs_per_s", "gbytes_per_s", "element_bytes")]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"peak needs the numbers gmacs_per_s, gbytes_per_s and element_bytes, got {peak!r}"
            ) from error
        if not all(isfinite(value) and value > 0.0 for value in values):
            raise ValueError(f"peak rates must be positive and finite, got {peak!r}")
        return cls(1e6 * values[0], 1e6 * values[1], int(values[2]))

    def least_ms(self, cost: Cost) -> float:
        """Return the least latency of a kernel of some cost in ms.

        Every multiply-accumulate is done at the peak rate, every tensor (weights too) is moved once at the
        bandwidth of the memory, and both go on at the same time.
        """
        macs, moved = cost
        macs_per_ms, bytes_per_ms, element_bytes = self
        return max(macs / macs_per_ms, moved * element_bytes / ELEMENT_BYTES / bytes_per_ms)


def estimate_factors(card: Mapping[str, Any]) -> dict[str, float]:
    """Read the factors on estimates from a device card: op -> what its estimate is multiplied by.

    Raises
    ------
    ValueError
        When a factor is no number from 0.1 to 100.
    """
    given = card.get("estimate_factors", {})
    try:
        factors = {str(op): float(value) for op, value in given.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"estimate_factors must be numbers by op, got {given!r}") from error
    if not all(0.1 <= value <= 100.0 for value in factors.values()):
        raise ValueError(f"estimate_factors must lie between 0.1 and 100, got {given!r}")
    return factors


def read_card(path: Path) -> dict[str, Any]:
    """Read a device card; empty where there is none.

    Raises
    ------
    PackError
        When the file is no device card; the message names it.
    """
    from predictor_core.yaml_files import read_yaml

    try:
        card = read_yaml(path)
        Roofline.from_card(card)
        estimate_factors(card)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        raise PackError(f"{path} is no device card: {error}") from error
    return dict(card)


def read_roofline(path: Path) -> Roofline:
    """Read the peak rates of a device card; without one nothing is bounded. Errors as for `read_card`."""
    return Roofline.from_card(read_card(path))
