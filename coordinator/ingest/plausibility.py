"""A message that fits its model → nothing, or why it cannot be true all the same."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

from common.messages import (
    BinReport,
    CameraBin,
    HealthReport,
    IncidentReport,
    LossReport,
    SiteReport,
    UpMessage,
)
from common.plates import PlateReport
from coordinator.ingest.verdicts import Refused

AHEAD = timedelta(minutes=5)
"""So far a box's clock may run before ours."""

BEHIND = timedelta(days=400)
"""So old a report or bin may be; a year, and the month in which somebody notices."""

_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class ImplausibleError(ValueError):
    """Internal to the intake; ``reason`` goes to the quarantine."""

    def __init__(self, reason: Refused, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def check_moment(at: datetime, now: datetime, behind: timedelta = BEHIND) -> None:
    """Refuse moments that a box cannot have seen, or that nobody keeps any more.

    Raises:
        ImplausibleError: ahead of our clock, or too long ago.
    """
    if at > now + AHEAD:
        raise ImplausibleError(
            Refused.FUTURE_CLOCK, f"{(at - now).total_seconds():.0f} s ahead of our clock"
        )
    if at < now - behind:
        raise ImplausibleError(Refused.TOO_OLD, f"{(now - at).days} days old")


def check_message(message: UpMessage, now: datetime, behind: timedelta = BEHIND) -> None:
    """Refuse what the tables could not hold once and for all.

    Raises:
        ImplausibleError: A moment is out of range, or something is told twice.
    """
    if isinstance(message, BinReport):
        _check_bins(message.bins, now, behind)
        return
    for at in _moments(message):
        if at > now + AHEAD:
            check_moment(at, now)
        if not _FIRST <= at <= _LAST:
            raise ImplausibleError(Refused.TOO_OLD, "a moment before the year 2000")
    if isinstance(message, SiteReport):
        _check_once((camera.camera for camera in message.cameras), "camera")


def _check_bins(bins: tuple[CameraBin, ...], now: datetime, behind: timedelta) -> None:
    for each in bins:
        check_moment(each.start, now, behind)
        if each.sections:
            _check_once(((s.section, s.direction) for s in each.sections), "section")
            for section in each.sections:
                if len(section.speeds) > 1:
                    _check_once((low for low, _ in section.speeds), "speed class")
        if each.flows:
            _check_once((flow.flow for flow in each.flows), "flow")
        if each.areas:
            _check_once((area.section for area in each.areas), "area")
    if len(bins) > 1:
        _check_once(((b.camera, b.start, b.part, b.width_s) for b in bins), "bin")


def _moments(message: UpMessage) -> Iterator[datetime]:
    if isinstance(message, SiteReport):
        yield message.valid_from
    elif isinstance(message, HealthReport | PlateReport):
        yield message.at
    elif isinstance(message, IncidentReport):
        yield from (note.at for note in message.incidents)
    elif isinstance(message, LossReport):
        yield message.at
        for loss in message.losses:
            yield from (at for at in (loss.first_at, loss.last_at) if at is not None)


def _check_once(keys: Iterable[Hashable], what: str) -> None:
    found = list(keys)
    if len(set(found)) != len(found):
        raise ImplausibleError(Refused.REPEATED, f"a {what} is told twice")
