"""Bins of one camera → intervals in which it watched nothing, and the length that counts.

Every camera pauses now and then: a stream that reconnects, a nightly restart. An interval is
put into the ledger when it is longer than what is usual *there*. The usual is learned from
the camera's own pauses as median + 3.5 scaled MADs of their logarithms (the modified z-score
of Iglewicz & Hoaglin 1993; logarithms, because pauses are spread over orders of magnitude),
held between one minute and a quarter of an hour, so that nobody can get used to long gaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby
from math import exp, log
from statistics import median

from coordinator.traffic.periods import Period

DEFAULT_THRESHOLD_S = 120.0
LEAST_THRESHOLD_S = 60.0
MOST_THRESHOLD_S = 900.0
FEWEST_PAUSES = 8
"""Below this a camera has no habits yet, and the default holds."""

_FENCE = 3.5
_MAD_TO_SIGMA = 1.4826
_TOUCHING = timedelta(seconds=1)


class Reason(StrEnum):
    """Why nothing was watched, or nothing arrived."""

    OFFLINE = "offline"
    VIEW_BLOCKED = "view_blocked"
    FRAMES_DROPPED = "frames_dropped"
    CLOCK = "clock"
    MAINTENANCE = "maintenance"
    WITHHELD = "withheld"


_BAD_VIEW = frozenset({"blocked", "blurred", "frozen", "shifted", "too_bright", "too_dark"})
_BAD_CLOCK = frozenset({"clock_step", "clock_unsure"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BinFacts:
    """What one reported bin, or one part of it, says about watching.

    Attributes:
        flags: Reasons of the box; ``clock_unsure`` when it did not know the time.
        gaps: Unwatched intervals as seconds from ``start``.
        is_withheld: Every count of it was withheld.
    """

    start: datetime
    width_s: int
    coverage_s: float
    frames_dropped: int
    flags: frozenset[str]
    gaps: tuple[tuple[float, float], ...]
    is_withheld: bool = False

    @property
    def end(self) -> datetime:
        """First moment after the bin."""
        return self.start + timedelta(seconds=self.width_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """An interval without numbers."""

    start: datetime
    end: datetime
    reason: Reason

    @property
    def seconds(self) -> float:
        """Length."""
        return (self.end - self.start).total_seconds()


def unwatched(bins: Iterable[BinFacts], scanned: Period) -> list[Gap]:
    """Everything in ``scanned`` that was not watched or not reported, however short.

    Parts of one bin add up: what any of them watched is no gap.
    """
    found: list[Gap] = []
    cursor = scanned.start
    ordered = sorted(bins, key=lambda facts: (facts.start, facts.width_s))
    for start, group in groupby(ordered, key=lambda facts: facts.start):
        parts = list(group)
        if start > cursor:
            found.append(Gap(start=cursor, end=start, reason=Reason.OFFLINE))
        found += _inside(parts)
        cursor = max(cursor, *(facts.end for facts in parts))
    if cursor < scanned.end:
        found.append(Gap(start=cursor, end=scanned.end, reason=Reason.OFFLINE))
    return _merged(found)


def learn_threshold_s(pauses_s: Sequence[float]) -> float:
    """Length above which a pause of this camera is unusual."""
    lengths = [log(pause) for pause in pauses_s if pause > 0]
    if len(lengths) < FEWEST_PAUSES:
        return DEFAULT_THRESHOLD_S
    middle = median(lengths)
    spread = _MAD_TO_SIGMA * median(abs(length - middle) for length in lengths)
    return min(MOST_THRESHOLD_S, max(LEAST_THRESHOLD_S, exp(middle + _FENCE * spread)))


def ledger(gaps: Iterable[Gap], *, threshold_s: float, works: Sequence[Period]) -> list[Gap]:
    """Gaps longer than the threshold; what lies inside ``works`` is maintenance, always told."""
    kept: list[Gap] = []
    for gap in gaps:
        if gap.seconds > threshold_s:
            kept += _cut(gap, works)
    return kept


def _inside(parts: Sequence[BinFacts]) -> list[Gap]:
    best = max(parts, key=lambda facts: facts.coverage_s)
    if all(facts.is_withheld for facts in parts):
        return [Gap(start=best.start, end=best.end, reason=Reason.WITHHELD)]
    missing = [(0.0, float(best.width_s))]
    for facts in parts:
        missing = _common(missing, _missing(facts))
    reason = _reason(parts)
    return [
        Gap(
            start=best.start + timedelta(seconds=first),
            end=best.start + timedelta(seconds=last),
            reason=reason,
        )
        for first, last in missing
    ]


def _missing(facts: BinFacts) -> list[tuple[float, float]]:
    if facts.coverage_s <= 0:
        return [(0.0, float(facts.width_s))]
    return list(facts.gaps)


def _common(
    ours: Sequence[tuple[float, float]], theirs: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    shared = [(max(a, c), min(b, d)) for a, b in ours for c, d in theirs]
    return [(first, last) for first, last in shared if last > first]


def _reason(parts: Sequence[BinFacts]) -> Reason:
    flags = frozenset().union(*(facts.flags for facts in parts))
    if flags & _BAD_CLOCK:
        return Reason.CLOCK
    if flags & _BAD_VIEW:
        return Reason.VIEW_BLOCKED
    if any(facts.frames_dropped for facts in parts):
        return Reason.FRAMES_DROPPED
    return Reason.OFFLINE


def _merged(gaps: Iterable[Gap]) -> list[Gap]:
    merged: list[Gap] = []
    for gap in sorted(gaps, key=lambda gap: gap.start):
        last = merged[-1] if merged else None
        if last and last.reason is gap.reason and gap.start - last.end <= _TOUCHING:
            merged[-1] = replace(last, end=max(last.end, gap.end))
        else:
            merged.append(gap)
    return merged


def _cut(gap: Gap, works: Sequence[Period]) -> list[Gap]:
    """``gap`` in pieces: those inside ``works`` are maintenance."""
    pieces: list[Gap] = []
    cursor = gap.start
    for work in sorted(works, key=lambda work: work.start):
        first, last = max(cursor, work.start), min(gap.end, work.end)
        if first >= last:
            continue
        if first > cursor:
            pieces.append(Gap(start=cursor, end=first, reason=gap.reason))
        pieces.append(Gap(start=first, end=last, reason=Reason.MAINTENANCE))
        cursor = last
    if cursor < gap.end:
        pieces.append(Gap(start=cursor, end=gap.end, reason=gap.reason))
    return _merged(pieces)
