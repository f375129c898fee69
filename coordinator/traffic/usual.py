"""The same quarter hour of past weeks → what is usual, and how far a number is from that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import sqrt
from statistics import median
from zoneinfo import ZoneInfo

FEWEST_WEEKS = 3
"""Below that nothing is called usual; ``profiles`` uses the same."""

_LEAST_SHARE = 0.2
_LEAST_DEVIATIONS = 3.0


class Pace(StrEnum):
    """A number beside the usual one."""

    AS_USUAL = "as_usual"
    BUSIER = "busier"
    QUIETER = "quieter"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What past weeks had.

    Attributes:
        middle: Median.
        low: A tenth of the past was below.
        high: A tenth of the past was above.
    """

    middle: float
    low: float
    high: float


def usual_of(values: Sequence[float]) -> Usual | None:
    """The usual, or None where fewer than three weeks are known.

    Args:
        values: Counts of past weeks that were watched throughout; neighbouring quarter hours
            may be among them to steady the edges.
    """
    if len(values) < FEWEST_WEEKS:
        return None
    ordered = sorted(values)
    return Usual(middle=median(ordered), low=_at(ordered, 0.1), high=_at(ordered, 0.9))


def pace_of(value: float | None, usual: Usual | None) -> Pace:
    """One word; a difference counts when it is a fifth and more than chance makes.

    Counts scatter at least as a Poisson process does, so three standard deviations of one are
    the least that is called different (two weeks out of a thousand would be by chance).
    """
    if value is None or usual is None:
        return Pace.UNKNOWN
    difference = value - usual.middle
    least = max(_LEAST_SHARE * usual.middle, _LEAST_DEVIATIONS * sqrt(usual.middle + 1))
    if abs(difference) < least:
        return Pace.AS_USUAL
    return Pace.BUSIER if difference > 0 else Pace.QUIETER


def change_of(value: float | None, usual: Usual | None) -> float | None:
    """Share by which a number is above the usual; None where there is none to compare with."""
    if value is None or usual is None or usual.middle <= 0:
        return None
    return value / usual.middle - 1


def weeks_before(start: datetime, zone: ZoneInfo, weeks: int) -> list[datetime]:
    """The same local weekday and time in each of the past weeks, in UTC.

    A time that a clock change skipped is the moment an hour later (PEP 495).
    """
    local = start.astimezone(zone).replace(tzinfo=None)
    return [
        (local - timedelta(weeks=n)).replace(tzinfo=zone).astimezone(start.tzinfo)
        for n in range(1, weeks + 1)
    ]


def _at(ordered: Sequence[float], share: float) -> float:
    """Quantile of sorted values, linear between them."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
