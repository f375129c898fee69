"""When boxes were heard → those that are silent for longer than they ever are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from coordinator.security.threats.findings import (
    DEFAULT_LIMITS,
    Finding,
    Limits,
    Severity,
    ThreatKind,
    named,
)

FLEET = "fleet"
LEAST_FLEET = 4
"""Of fewer boxes, half are no sign of a common cause."""

_USUAL_SHARE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """When one box reported.

    Attributes:
        since: When it was enrolled.
        last_at: When anything of it was taken in; None when nothing ever was.
        made_at: When its newest reports were made, in any order.
    """

    device: str
    since: datetime
    last_at: datetime | None
    made_at: Sequence[datetime] = ()


def silent_devices(
    heard: Iterable[Heard],
    *,
    fleet: int,
    listening_since: datetime,
    now: datetime,
    limits: Limits = DEFAULT_LIMITS,
) -> list[Finding]:
    """Boxes that should have been heard of; one finding for all when most of them are silent.

    Args:
        heard: Boxes that may be silent.
        fleet: How many boxes there are at all.
        listening_since: Before that we may have been deaf.
        now: The time.
        limits: From where on.
    """
    found = []
    for one in heard:
        allowed_s = _allowed_s(one, limits)
        last_at = one.last_at or one.since
        if (now - max(last_at, listening_since)).total_seconds() > allowed_s:
            found.append(_finding(one, last_at, allowed_s, now, limits))
    if fleet >= LEAST_FLEET and len(found) > fleet * limits.together_share:
        return [_together(found, fleet)]
    return found


def usual_pause_s(made_at: Sequence[datetime]) -> float | None:
    """The pause that nine of ten of a box's pauses do not exceed; None for too few reports.

    Of when reports were made, not of when they came: after an outage hundreds come at once.
    """
    ordered = sorted(made_at)
    pauses = sorted((after - before).total_seconds() for before, after in pairwise(ordered))
    if not pauses:
        return None
    return pauses[min(len(pauses) - 1, int(len(pauses) * _USUAL_SHARE))]


def _allowed_s(one: Heard, limits: Limits) -> float:
    usual_s = usual_pause_s(one.made_at) or 0.0
    return max(usual_s * limits.usual_times, limits.least_silence.total_seconds())


def _finding(
    one: Heard, last_at: datetime, allowed_s: float, now: datetime, limits: Limits
) -> Finding:
    silence = now - last_at
    told = "has never reported" if one.last_at is None else "is silent"
    return Finding(
        kind=ThreatKind.SILENT_DEVICE,
        subject=one.device,
        severity=Severity.HIGH if silence > limits.long_silence else Severity.MEDIUM,
        summary=f"{one.device} {told} since {silence.total_seconds() / 60:.0f} minutes, expected "
        f"at most {allowed_s / 60:.0f}: {limits.usual_times:g} times its usual pause",
        first_at=last_at,
        last_at=last_at,
        evidence={"silent_s": silence.total_seconds(), "allowed_s": allowed_s},
    )


def _together(found: Sequence[Finding], fleet: int) -> Finding:
    """Broker, network or ingest, rather than so many boxes at once."""
    newest = max(one.last_at for one in found)
    return Finding(
        kind=ThreatKind.SILENT_DEVICE,
        subject=FLEET,
        severity=Severity.HIGH,
        summary=f"{len(found)} of {fleet} boxes are silent, expected at most half: look at the "
        "broker, the network and ingest first",
        first_at=newest,
        last_at=newest,
        evidence={"silent": len(found), "devices": named(one.subject for one in found)},
    )
