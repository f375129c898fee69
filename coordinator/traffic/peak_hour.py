"""Quarter-hour volumes → the peak hour and its peak hour factor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from coordinator.traffic.coverage import FULL_SHARE

_QUARTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarterHour:
    """Vehicles in one quarter of an hour, None where that is not known."""

    start: datetime
    vehicles: int | None
    coverage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakHour:
    """The four consecutive quarter hours with the most vehicles.

    Attributes:
        start: Start of the first quarter hour.
        volume: Vehicles in the hour.
        busiest_quarter: Vehicles in its busiest quarter hour.
        factor: Volume over four times the busiest quarter, in [0.25, 1]; None when the hour
            is empty.
        least_coverage: Smallest coverage of the four.
    """

    start: datetime
    volume: int
    busiest_quarter: int
    factor: float | None
    least_coverage: float


def find_peak_hour(quarters: Sequence[QuarterHour]) -> PeakHour | None:
    """The earliest of the busiest hours; None when no hour was watched throughout.

    An hour with an unwatched quarter would look quieter than it was, so it cannot be judged.
    The factor is V / (4 V15) of the Highway Capacity Manual (6th edition, chapter 4).
    """
    best: PeakHour | None = None
    for first in range(len(quarters) - 3):
        hour = _judge(quarters[first : first + 4])
        if hour is not None and (best is None or hour.volume > best.volume):
            best = hour
    return best


def _judge(four: Sequence[QuarterHour]) -> PeakHour | None:
    steps = {b.start - a.start for a, b in pairwise(four)}
    volumes = [quarter.vehicles for quarter in four if quarter.vehicles is not None]
    least = min(quarter.coverage for quarter in four)
    if steps != {_QUARTER} or len(volumes) < len(four) or least < FULL_SHARE:
        return None
    volume, busiest = sum(volumes), max(volumes)
    return PeakHour(
        start=four[0].start,
        volume=volume,
        busiest_quarter=busiest,
        factor=volume / (4 * busiest) if busiest else None,
        least_coverage=least,
    )
