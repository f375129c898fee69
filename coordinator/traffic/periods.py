"""A range and a bin width → the starts of every bin in it, local days included.

Bins up to an hour are aligned to UTC. A day is the local day of the site: on the days on
which clocks change it has 23 or 25 hours, that is 92 or 100 quarter hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from common.errors import ConfigError
from common.timing import bin_start

DAY_S = 86_400


class Width(StrEnum):
    """Width of the bins of an answer."""

    MINUTE = "1min"
    FIVE_MINUTES = "5min"
    QUARTER_HOUR = "15min"
    HOUR = "60min"
    DAY = "day"

    @property
    def seconds(self) -> int:
        """Nominal length; 86400 stands for the local day."""
        return _SECONDS[self]


_SECONDS = MappingProxyType(
    {
        Width.MINUTE: 60,
        Width.FIVE_MINUTES: 300,
        Width.QUARTER_HOUR: 900,
        Width.HOUR: 3600,
        Width.DAY: DAY_S,
    }
)


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open range of time, aware UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Refuse naive moments and an end before the start."""
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError(f"naive period {self.start} to {self.end}, expected aware moments")
        if self.end < self.start:
            raise ValueError(f"period ends at {self.end}, before its start {self.start}")

    @property
    def seconds(self) -> float:
        """Length."""
        return (self.end - self.start).total_seconds()

    def overlaps(self, other: Period) -> bool:
        """True when the two share any time."""
        return self.start < other.end and other.start < self.end


def zone_of(name: str) -> ZoneInfo:
    """The time zone of a site.

    Raises:
        ConfigError: No such zone in the IANA database.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(
            f"time zone {name!r} is not known, expected one such as Europe/Vienna",
            hint="correct the time zone of the site",
        ) from error


def local_day(day: date, zone: ZoneInfo) -> Period:
    """The UTC range of one local day; 23 to 25 hours long."""
    return Period(_midnight(day, zone), _midnight(day + timedelta(days=1), zone))


def bin_starts(period: Period, width: Width, zone: ZoneInfo) -> list[datetime]:
    """Starts of all bins that overlap ``period``, in UTC and in order."""
    if period.start == period.end:
        return []
    if width is Width.DAY:
        day, last = (
            moment.astimezone(zone).date()
            for moment in (period.start, period.end - timedelta(microseconds=1))
        )
        days = range((last - day).days + 1)
        return [_midnight(day + timedelta(days=n), zone) for n in days]
    step = timedelta(seconds=width.seconds)
    first = bin_start(period.start, step).astimezone(UTC)
    number = -((first - period.end) // step)
    # Adding is several times cheaper than multiplying, and a month has 3000 quarter hours.
    starts = [first]
    for _ in range(number - 1):
        starts.append(starts[-1] + step)
    return starts


def bin_seconds(start: datetime, width: Width, zone: ZoneInfo) -> float:
    """True length of the bin at ``start``."""
    if width is not Width.DAY:
        return float(width.seconds)
    return local_day(start.astimezone(zone).date(), zone).seconds


def bin_end(start: datetime, width: Width, zone: ZoneInfo) -> datetime:
    """First moment after the bin at ``start``."""
    return start + timedelta(seconds=bin_seconds(start, width, zone))


def whole_bins(period: Period, width: Width, zone: ZoneInfo) -> Period:
    """``period`` widened to whole bins."""
    if width is Width.DAY or period.start == period.end:
        starts = bin_starts(period, width, zone)
        return Period(starts[0], bin_end(starts[-1], width, zone)) if starts else period
    step = timedelta(seconds=width.seconds)
    first = bin_start(period.start, step).astimezone(UTC)
    return Period(first, first - (first - period.end) // step * step)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    # A midnight that a clock change skips is the moment of the change (fold 0, PEP 495).
    return datetime.combine(day, time(), zone).astimezone(UTC)
