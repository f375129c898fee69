"""Recent hours against their profile → a lasting shift of the level, if there is one.

A tabular CUSUM (Page 1954; Montgomery, Introduction to Statistical Quality Control, 9.1) over
standardised deviations from the median of the same hour of past weeks. Deviations are clipped
before they are summed, so that a single wild hour (a parade, a crash) raises no alarm.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from coordinator.traffic.profiles import Hourly, Profile

_SLACK = 0.5
"""Half of the shift that is looked for, in standard deviations."""

_LIMIT = 12.0
"""Above the textbook's 5: hours of one day depend on each other."""

_CLIP = 3.0
_FEWEST_HOURS = 6
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelShift:
    """Counts that stay above or below what is usual.

    Attributes:
        start: First hour of the shift.
        end: First moment after the last watched hour of it.
        score: Largest cumulative sum, above the limit.
        ratio: Road users counted over road users expected since ``start``.
        is_up: More than usual.
    """

    start: datetime
    end: datetime
    score: float
    ratio: float
    is_up: bool


def find_level_shift(recent: Hourly, profile: Profile) -> LevelShift | None:
    """The strongest shift that still lasts at the end of ``recent``."""
    shifts = [_watch(recent, profile, sign=sign) for sign in (1, -1)]
    found = [shift for shift in shifts if shift is not None]
    return max(found, key=lambda shift: shift.score, default=None)


def _watch(recent: Hourly, profile: Profile, *, sign: int) -> LevelShift | None:
    total, peak, hours = 0.0, 0.0, 0
    counted, expected = 0.0, 0.0
    began: datetime | None = None
    last: datetime | None = None
    for start, value in sorted(recent.items()):
        surprise = profile.surprise(start, value)
        if surprise is None:
            continue
        total = max(0.0, total + sign * max(-_CLIP, min(_CLIP, surprise)) - _SLACK)
        if total <= 0:
            began, peak, hours, counted, expected = None, 0.0, 0, 0.0, 0.0
            continue
        began = began or start
        last, hours, peak = start, hours + 1, max(peak, total)
        counted += value
        expected += profile.expected(start) or 0.0
    if began is None or last is None or total < _LIMIT or hours < _FEWEST_HOURS:
        return None
    return LevelShift(
        start=began,
        end=last + _HOUR,
        score=peak,
        ratio=counted / expected if expected else float(counted),
        is_up=sign > 0,
    )
