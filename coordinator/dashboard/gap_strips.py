"""Gaps of a camera over a period → a strip of time: what is drawn where, in per cent of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from coordinator.dashboard.filters import day_time, duration
from coordinator.traffic.gaps import Reason
from coordinator.traffic.ledger_answers import Strip
from coordinator.traffic.periods import Period, local_day

REASONS: Mapping[Reason, tuple[str, str, str]] = MappingProxyType(
    {
        Reason.OFFLINE: ("Offline", "bad", "no report arrived: power, network or the box"),
        Reason.VIEW_BLOCKED: ("View blocked", "watch", "covered, dark, blurred or turned away"),
        Reason.FRAMES_DROPPED: ("Frames dropped", "watch", "pictures were lost on their way"),
        Reason.CLOCK: ("Clock unsure", "watch", "the box did not know the time"),
        Reason.MAINTENANCE: ("Maintenance", "info", "somebody worked at the camera"),
        Reason.WITHHELD: ("Withheld", "none", "kept back so that nobody can be recognised"),
    }
)
"""Reason → its name, its tone, and what it means."""

_LEAST_PERCENT = 0.25
"""So that a short gap in a long period can be seen at all: two pixels on a wide screen."""
_MOST_TICKS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a strip.

    Attributes:
        tone: Of its reason, or ``unknown`` where nothing was judged.
        left: Where it begins, in per cent.
        width: How wide it is, in per cent.
        title: What it says when pointed at.
    """

    tone: str
    left: float
    width: float
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A day below the strips; ``is_minor`` ones are left out where there is little room."""

    at: float
    label: str
    is_minor: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnStrip:
    """A strip with the sentence that says the same."""

    strip: Strip
    pieces: tuple[Piece, ...]
    sentence: str


def draw_strip(strip: Strip, period: Period, *, now: datetime, zone: ZoneInfo) -> DrawnStrip:
    """Everything that is drawn of one camera."""
    pieces = [*_unjudged(strip, period, now), *_gap_pieces(strip, period, zone)]
    if not strip.place.scan:
        sentence = "not judged yet: no minute of it was scanned"
    elif not strip.gaps:
        sentence = "no gap"
    else:
        noun = "gap" if len(strip.gaps) == 1 else "gaps"
        sentence = f"{len(strip.gaps)} {noun}, {duration(strip.lost_s)} lost"
    return DrawnStrip(strip=strip, pieces=tuple(pieces), sentence=sentence)


def ticks(period: Period, zone: ZoneInfo) -> tuple[Tick, ...]:
    """Midnights, as many as can be read."""
    first = period.start.astimezone(zone).date()
    last = (period.end - timedelta(microseconds=1)).astimezone(zone).date()
    days = (last - first).days + 1
    step = -(-days // _MOST_TICKS)
    found = []
    for place, n in enumerate(range(0, days, step)):
        day = first + timedelta(days=n)
        at = _percent(local_day(day, zone).start, period)
        found.append(Tick(at=at, label=f"{day.day} {day:%b}", is_minor=place % 2 == 1))
    return tuple(found)


def _gap_pieces(strip: Strip, period: Period, zone: ZoneInfo) -> Iterator[Piece]:
    for known in strip.gaps:
        gap = known.gap
        name, tone, _ = REASONS[gap.reason]
        start, end = max(gap.start, period.start), min(gap.end, period.end)
        left = _percent(start, period)
        width = max(_LEAST_PERCENT, _percent(end, period) - left)
        told = f"{name}, {duration(gap.seconds)}, from {day_time(gap.start, zone.key)}"
        yield Piece(tone=tone, left=min(left, 100 - width), width=width, title=told)


def _unjudged(strip: Strip, period: Period, now: datetime) -> Iterator[Piece]:
    """What lies ahead, and what the ledger was not written for yet."""
    scan = strip.place.scan
    known_until = min(scan.scanned_until if scan else period.start, now)
    start = max(period.start, known_until)
    if start < period.end:
        left = _percent(start, period)
        yield Piece(tone="unknown", left=left, width=100 - left, title="Not judged yet")


def _percent(at: datetime, period: Period) -> float:
    return round(100 * (at - period.start).total_seconds() / period.seconds, 3)
