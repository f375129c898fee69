"""Credentials that were shown → stolen ones, forged ones, and people who try other doors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from coordinator.security.noticed import EventKind, SecurityEvent
from coordinator.security.threats.findings import (
    DEFAULT_LIMITS,
    Finding,
    Limits,
    Severity,
    ThreatKind,
    named,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trace:
    """How one kind of trace is told.

    Attributes:
        by_address: Whether it is counted by where it came from, or by whom it is about.
        words: What happened, for the summary.
    """

    kind: ThreatKind
    severity: Severity
    by_address: bool
    words: str


_FORGED = _Trace(
    kind=ThreatKind.FORGED_CREDENTIALS,
    severity=Severity.HIGH,
    by_address=True,
    words="tokens or links were shown that we never gave",
)

_TRACES: Mapping[EventKind, _Trace] = MappingProxyType(
    {
        EventKind.REFRESH_REUSED: _Trace(
            kind=ThreatKind.TOKEN_REUSE,
            severity=Severity.HIGH,
            by_address=False,
            words="refresh tokens were shown that had been used before",
        ),
        EventKind.CODE_REPLAYED: _Trace(
            kind=ThreatKind.CODE_REPLAY,
            severity=Severity.MEDIUM,
            by_address=False,
            words="one-time codes were shown that had been used before",
        ),
        EventKind.TOKEN_REFUSED: _FORGED,
        EventKind.LINK_REFUSED: _FORGED,
        EventKind.CSRF_REFUSED: _FORGED,
        EventKind.ENROLMENT_REFUSED: _FORGED,
        EventKind.ACCESS_REFUSED: _Trace(
            kind=ThreatKind.PROBING,
            severity=Severity.MEDIUM,
            by_address=False,
            words="requests were refused for want of a permission",
        ),
    }
)


def misused_credentials(
    events: Iterable[SecurityEvent], *, now: datetime, limits: Limits = DEFAULT_LIMITS
) -> list[Finding]:
    """What was shown that nobody with a right to it would have shown."""
    groups: dict[tuple[ThreatKind, str], list[SecurityEvent]] = defaultdict(list)
    for event in events:
        trace = _TRACES.get(event.kind)
        if trace is not None and event.last_at > now - limits.window:
            subject = event.address if trace.by_address else event.subject
            groups[(trace.kind, subject)].append(event)
    thresholds = {
        # A client that works never shows one twice: each is a theft or a restored backup.
        ThreatKind.TOKEN_REUSE: 1,
        ThreatKind.CODE_REPLAY: limits.replayed_codes,
        ThreatKind.FORGED_CREDENTIALS: limits.forgeries,
        ThreatKind.PROBING: limits.refusals_of_account,
    }
    return [
        _finding(subject, group, thresholds[kind])
        for (kind, subject), group in groups.items()
        if sum(event.times for event in group) >= thresholds[kind]
    ]


def _finding(subject: str, group: Sequence[SecurityEvent], threshold: int) -> Finding:
    trace = _TRACES[group[0].kind]
    times = sum(event.times for event in group)
    origin = "from" if trace.by_address else "as"
    return Finding(
        kind=trace.kind,
        subject=subject,
        severity=trace.severity,
        summary=f"{times} times {trace.words}, {origin} {subject}; expected "
        + ("none" if threshold == 1 else f"fewer than {threshold} within a quarter of an hour"),
        first_at=min(event.first_at for event in group),
        last_at=max(event.last_at for event in group),
        evidence={
            "times": times,
            "kinds": named(event.kind.value for event in group),
            "subjects": named(event.subject for event in group),
            "addresses": named(event.address for event in group),
        },
    )
