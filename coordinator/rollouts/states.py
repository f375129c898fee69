"""Where a rollout is and what its boxes say → whom to tell next, and where it goes.

Pure: no clock, no database. Nothing here trusts a box's word beyond its own row: a box can
confirm or fail for itself alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType


class RolloutState(StrEnum):
    """How far a rollout is."""

    PLANNED = "planned"
    CANARY = "canary"
    WAITING = "waiting"
    FLEET = "fleet"
    DONE = "done"
    HALTED = "halted"
    ROLLED_BACK = "rolled_back"


class BoxState(StrEnum):
    """What became of a rollout on one box."""

    PENDING = "pending"
    TOLD = "told"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


UNDER_WAY = frozenset(
    {RolloutState.PLANNED, RolloutState.CANARY, RolloutState.WAITING, RolloutState.FLEET}
)
"""States in which a rollout moves by itself; one at a time."""

REACHED = frozenset({BoxState.TOLD, BoxState.CONFIRMED, BoxState.FAILED})
"""States of boxes that were told of the version."""

CANARY_WAVE = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a rollout may cost, and how long it looks before it goes on.

    Attributes:
        most_failed: Share of the boxes told so far that may refuse the version or take it back;
            one more halts. With few boxes that is none.
        least_confirmed: Share of the canaries that must confirm it.
        watch_s: So long nothing new may happen in a wave before the next one.
    """

    most_failed: float = 0.1
    least_confirmed: float = 1.0
    watch_s: float = 900.0

    def __post_init__(self) -> None:
        if not (0 <= self.most_failed < 1 and 0 < self.least_confirmed <= 1 and self.watch_s >= 0):
            raise ValueError(f"{self} cannot be kept")


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One box of a rollout.

    Attributes:
        wave: 0 for the canaries.
        is_away: Nothing was heard of it for a while.
        settled_at: When it confirmed or failed.
    """

    device: str
    wave: int
    state: BoxState = BoxState.PENDING
    is_away: bool = False
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """A rollout as it stands.

    Attributes:
        wave: The wave that is being told.
        waves: How many there are, the canaries among them.
        entered_at: When the wave began.
        is_paused: Nobody new is told; a rollout that fails halts all the same.
        is_approved: The version is in production.
    """

    state: RolloutState
    wave: int
    waves: int
    entered_at: datetime
    limits: Limits
    is_paused: bool = False
    is_approved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What follows.

    Attributes:
        tell: Boxes that shall be told of the version now.
        reason: Why the state changed, empty when it did not.
    """

    state: RolloutState
    wave: int
    tell: tuple[str, ...] = ()
    reason: str = ""


def decide(rollout: Rollout, boxes: Sequence[Box], *, now: datetime) -> Decision:
    """One step; called again it goes on where this one led."""
    stay = Decision(state=rollout.state, wave=rollout.wave)
    if rollout.state in (RolloutState.HALTED, RolloutState.ROLLED_BACK):
        return stay
    if rollout.state in UNDER_WAY and (reason := too_many_failed(boxes, rollout.limits)):
        return Decision(state=RolloutState.HALTED, wave=rollout.wave, reason=reason)
    if rollout.is_paused:
        return stay
    return _STEPS[rollout.state](rollout, boxes, now) or stay


def too_many_failed(boxes: Sequence[Box], limits: Limits) -> str:
    """Why the rollout must halt; empty while it may go on."""
    failed = sum(box.state is BoxState.FAILED for box in boxes)
    told = sum(box.state in REACHED for box in boxes)
    allowed = math.floor(limits.most_failed * told)
    if failed <= allowed:
        return ""
    return f"{failed} of {told} boxes refused it or took it back, {allowed} may"


def _begin(_rollout: Rollout, boxes: Sequence[Box], _now: datetime) -> Decision:
    return _telling(RolloutState.CANARY, CANARY_WAVE, boxes, "the canaries are told")


def _watch_canaries(rollout: Rollout, boxes: Sequence[Box], now: datetime) -> Decision:
    if held := _canaries_hold(rollout, boxes, now):
        return Decision(state=RolloutState.WAITING, wave=CANARY_WAVE, reason=held)
    return _telling(RolloutState.CANARY, CANARY_WAVE, boxes)


def _await_approval(rollout: Rollout, boxes: Sequence[Box], _now: datetime) -> Decision | None:
    if not rollout.is_approved:
        return None
    return _onwards(rollout, boxes, "a second person let the version into production")


def _go_on(rollout: Rollout, boxes: Sequence[Box], now: datetime) -> Decision:
    if _wave_is_over(rollout, boxes, now):
        return _onwards(rollout, boxes, f"wave {rollout.wave} held")
    return _telling(RolloutState.FLEET, rollout.wave, boxes)


def _tell_late_ones(rollout: Rollout, boxes: Sequence[Box], _now: datetime) -> Decision:
    """Boxes that joined the fleet since."""
    return _telling(RolloutState.DONE, rollout.wave, boxes)


_STEPS: Mapping[RolloutState, Callable[[Rollout, Sequence[Box], datetime], Decision | None]] = (
    MappingProxyType(
        {
            RolloutState.PLANNED: _begin,
            RolloutState.CANARY: _watch_canaries,
            RolloutState.WAITING: _await_approval,
            RolloutState.FLEET: _go_on,
            RolloutState.DONE: _tell_late_ones,
        }
    )
)


def _canaries_hold(rollout: Rollout, boxes: Sequence[Box], now: datetime) -> str:
    canaries = [box for box in boxes if box.wave == CANARY_WAVE]
    confirmed = sum(box.state is BoxState.CONFIRMED for box in canaries)
    needed = max(1, math.ceil(rollout.limits.least_confirmed * len(canaries)))
    if confirmed < needed or not _wave_is_over(rollout, boxes, now):
        return ""
    return f"{confirmed} of {len(canaries)} canaries confirmed it and held"


def _wave_is_over(rollout: Rollout, boxes: Sequence[Box], now: datetime) -> bool:
    """Everybody of the wave who is there has settled, and long enough ago."""
    wave = [box for box in boxes if box.wave == rollout.wave]
    for box in wave:
        if box.state is BoxState.PENDING or (box.state is BoxState.TOLD and not box.is_away):
            return False
    quiet_since = max(
        (box.settled_at for box in wave if box.settled_at is not None), default=rollout.entered_at
    )
    quiet_since = max(quiet_since, rollout.entered_at)
    return now - quiet_since >= timedelta(seconds=rollout.limits.watch_s)


def _onwards(rollout: Rollout, boxes: Sequence[Box], reason: str) -> Decision:
    following = rollout.wave + 1
    if following >= rollout.waves:
        return Decision(state=RolloutState.DONE, wave=rollout.wave, reason=reason)
    return _telling(RolloutState.FLEET, following, boxes, reason)


def _telling(state: RolloutState, wave: int, boxes: Sequence[Box], reason: str = "") -> Decision:
    tell = tuple(b.device for b in boxes if b.wave <= wave and b.state is BoxState.PENDING)
    return Decision(state=state, wave=wave, tell=tell, reason=reason)
