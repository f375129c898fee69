"""How long devices took in earlier rounds → how long the next ones wait for them.

The slowest device decides, because each was asked for a reason; a device that was never
measured counts with the first deadline. Late ones are left out of a round, not of a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

_START_S = 60.0
"""A box starts a fresh process for each message: an interpreter, torch, its samples."""
_SHARE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineSettings:
    """Bounds of a deadline.

    Attributes:
        first_s: For a device without measured rounds.
        margin: Times the usual time of a device.
        most_s: Never longer, however slow a device is.
    """

    first_s: float
    margin: float
    most_s: float


def percentile(values: Sequence[float], share: float = _SHARE) -> float:
    """The smallest value that at least ``share`` of all do not exceed (nearest rank).

    Raises:
        ValueError: No values.
    """
    if not values:
        raise ValueError("no percentile of nothing")
    return sorted(values)[ceil(share * len(values)) - 1]


def deadline_s(times_s: Mapping[str, Sequence[float]], settings: DeadlineSettings) -> float:
    """How long a round waits for its clients, in whole seconds.

    Args:
        times_s: Device → times of its earlier rounds, in seconds; empty where none was measured.
        settings: Bounds.
    """
    expected = [
        percentile(times) * settings.margin + _START_S if times else settings.first_s
        for times in times_s.values()
    ]
    return float(ceil(min(max(expected, default=settings.first_s), settings.most_s)))
