"""Reports that were not believed → replays, forgeries, and boxes that are two."""

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

STRANGERS = "strangers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A message that was not believed.

    Attributes:
        reason: As the quarantine has it.
        device: None when nobody enrolled it.
    """

    reason: str
    device: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """The two newest streams of one box.

    Attributes:
        older_last_at: When the newest report of the older stream was made.
        newer_first_at: When the oldest kept report of the newer stream was made.
    """

    device: str
    older_last_at: datetime
    newer_first_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trace:
    kind: ThreatKind
    severity: Severity
    words: str


_FORGERY = _Trace(
    kind=ThreatKind.BAD_SIGNATURES,
    severity=Severity.HIGH,
    words="reports were not signed by the box that they name",
)
_ENDED = _Trace(
    kind=ThreatKind.REPLAYED_REPORTS,
    severity=Severity.HIGH,
    words="reports came with keys that are not believed any more",
)
_REUSED = _Trace(
    kind=ThreatKind.IMPOSSIBLE_SEQUENCE,
    severity=Severity.HIGH,
    words="reports had numbers that the box had given to others",
)

_TRACES: Mapping[str, _Trace] = MappingProxyType(
    {
        "bad_signature": _FORGERY,
        "unknown_key": _FORGERY,
        "other_device": _FORGERY,
        "unknown_device": _FORGERY,
        "retired": _ENDED,
        "replaced": _ENDED,
        "key_revoked": _ENDED,
        "too_old": _Trace(
            kind=ThreatKind.REPLAYED_REPORTS,
            severity=Severity.MEDIUM,
            words="reports were older than any that is taken in",
        ),
        "sequence_reused": _REUSED,
    }
)
"""Reason of the quarantine → what it is a trace of; the others are faults, not attacks."""


def doubtful_reports(
    doubts: Iterable[Doubt], *, now: datetime, limits: Limits = DEFAULT_LIMITS
) -> list[Finding]:
    """Boxes whose reports are not what an honest box sends."""
    groups: dict[tuple[_Trace, str], list[Doubt]] = defaultdict(list)
    for doubt in doubts:
        trace = _TRACES.get(doubt.reason)
        if trace is not None and doubt.at > now - limits.reports_window:
            groups[(trace, doubt.device or STRANGERS)].append(doubt)
    found = []
    for (trace, subject), group in groups.items():
        threshold = _threshold(group[0].reason, subject, limits)
        if len(group) >= threshold:
            found.append(_finding(trace, subject, group, threshold))
    return found


def two_at_once(streams: Iterable[Streams], *, limits: Limits = DEFAULT_LIMITS) -> list[Finding]:
    """Boxes whose old stream went on after a new one had begun: the identity was copied.

    A box begins a new stream when its outbox was lost, and never returns to the old one.
    """
    return [
        Finding(
            kind=ThreatKind.IMPOSSIBLE_SEQUENCE,
            subject=one.device,
            severity=Severity.HIGH,
            summary=f"{one.device} sends two streams at once: the older one went on for "
            f"{_hours(one)} hours after the newer had begun, expected an end; somebody copied "
            "the identity of the box",
            first_at=one.newer_first_at,
            last_at=one.older_last_at,
            evidence={"overlap_s": (one.older_last_at - one.newer_first_at).total_seconds()},
        )
        for one in streams
        if one.older_last_at - one.newer_first_at > limits.overlap
    ]


def repeated_reports(
    events: Iterable[SecurityEvent], *, now: datetime, limits: Limits = DEFAULT_LIMITS
) -> list[Finding]:
    """Boxes whose stored reports keep coming again; nothing is counted twice for it."""
    groups: dict[str, list[SecurityEvent]] = defaultdict(list)
    for event in events:
        is_recent = event.last_at > now - limits.reports_window
        if event.kind is EventKind.REPORT_REPEATED and is_recent:
            groups[event.subject].append(event)
    found = []
    for device, group in groups.items():
        times = sum(event.times for event in group)
        if times >= limits.repeats:
            found.append(
                Finding(
                    kind=ThreatKind.REPLAYED_REPORTS,
                    subject=device,
                    severity=Severity.MEDIUM,
                    summary=f"{times} reports of {device} came that were stored before, expected "
                    f"fewer than {limits.repeats} within an hour; somebody replays them, or the "
                    "box does not get its acknowledgements",
                    first_at=min(event.first_at for event in group),
                    last_at=max(event.last_at for event in group),
                    evidence={"times": times},
                )
            )
    return found


def _threshold(reason: str, subject: str, limits: Limits) -> int:
    if subject == STRANGERS:
        return limits.strangers
    if reason == "too_old":
        return limits.old_reports
    # An honest box gives each number once: the first of these needs no second.
    return 1 if reason == "sequence_reused" else limits.bad_signatures


def _finding(trace: _Trace, subject: str, group: Sequence[Doubt], threshold: int) -> Finding:
    is_stranger = subject == STRANGERS
    return Finding(
        kind=trace.kind,
        subject=subject,
        severity=Severity.MEDIUM if is_stranger else trace.severity,
        summary=f"at least {len(group)} {trace.words}, in the name of {subject}; expected "
        + ("none" if threshold == 1 else f"fewer than {threshold} within an hour"),
        first_at=min(doubt.at for doubt in group),
        last_at=max(doubt.at for doubt in group),
        evidence={"reports": len(group), "reasons": named(doubt.reason for doubt in group)},
    )


def _hours(one: Streams) -> str:
    return f"{(one.older_last_at - one.newer_first_at).total_seconds() / 3600:.1f}"
