"""Values → the text that a page shows for them; what is not known is a dash, never a zero."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

UNKNOWN = "–"
_THIN_SPACE = "\u202f"
_KIB = 1024
_ABBREVIATIONS = frozenset({"api", "f1", "ml", "totp"})
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


def number(value: float | None, digits: int = 0) -> str:
    """Thousands with a thin space: 12 345.6."""
    return UNKNOWN if value is None else f"{value:,.{digits}f}".replace(",", _THIN_SPACE)


def percent(share: float | None, digits: int = 0) -> str:
    """A share of 1 in per cent; only a whole share is shown as 100 %."""
    if share is None:
        return UNKNOWN
    shown = round(share * 100, digits)
    least = 10.0**-digits
    if shown >= 100 > share * 100:
        shown = 100 - least
    return f"{shown:.{digits}f}{_THIN_SPACE}%"


def signed_percent(share: float | None) -> str:
    """A change: +12 %, −3 %."""
    if share is None:
        return UNKNOWN
    sign = "−" if share < -0.005 else "+" if share >= 0.005 else "±"
    return f"{sign}{abs(share) * 100:.0f}{_THIN_SPACE}%"


def clock_time(at: datetime | None, zone: str = "UTC") -> str:
    """Local hour and minute: 14:05."""
    return UNKNOWN if at is None else f"{at.astimezone(ZoneInfo(zone)):%H:%M}"


def day_time(at: datetime | None, zone: str = "UTC") -> str:
    """Local day and time: 2 Mar 2026, 14:05."""
    if at is None:
        return UNKNOWN
    local = at.astimezone(ZoneInfo(zone))
    return f"{local.day} {local:%b %Y, %H:%M}"


def long_day(day: date) -> str:
    """A day with its weekday: Monday, 2 Mar 2026."""
    return f"{day:%A}, {day.day} {day:%b %Y}"


def iso(at: datetime) -> str:
    """For the ``datetime`` attribute of a ``<time>``."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def duration(seconds: float | None) -> str:
    """Two units at most: 2 h 05 min."""
    if seconds is None:
        return UNKNOWN
    whole = round(seconds)
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min"
    if whole < _DAY_S:
        return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S:02d} min"
    return f"{whole // _DAY_S} d {whole % _DAY_S // _HOUR_S} h"


def ago(at: datetime | None, now: datetime) -> str:
    """How long before ``now``; in the future it is told as such."""
    if at is None:
        return "never"
    seconds = (now - at).total_seconds()
    if abs(seconds) < _MINUTE_S:
        return "just now"
    return f"{duration(seconds)} ago" if seconds > 0 else f"in {duration(-seconds)}"


def words(name: str) -> str:
    """An identifier as words: stopped_vehicle → Stopped vehicle."""
    told = name.replace("_", " ").replace("-", " ").split()
    told = [word.upper() if word in _ABBREVIATIONS else word for word in told]
    return " ".join([told[0][:1].upper() + told[0][1:], *told[1:]]) if told else ""


def size(count: int | None) -> str:
    """Bytes in the unit that leaves one to four digits: 850 B, 1.2 MiB."""
    if count is None:
        return UNKNOWN
    if count < _KIB:
        return f"{count} B"
    unit, divisor = ("KiB", _KIB) if count < _KIB**2 else ("MiB", _KIB**2)
    return f"{number(count / divisor, 1)} {unit}"


FILTERS: dict[str, Callable[..., str]] = {
    "number": number,
    "percent": percent,
    "signed_percent": signed_percent,
    "size": size,
    "clock_time": clock_time,
    "day_time": day_time,
    "long_day": long_day,
    "iso": iso,
    "duration": duration,
    "ago": ago,
    "words": words,
}
