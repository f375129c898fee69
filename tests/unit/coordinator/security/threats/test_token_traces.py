"""Credentials that nobody with a right to them would have shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from coordinator.security.noticed import EventKind, SecurityEvent
from coordinator.security.threats.findings import Severity, ThreatKind
from coordinator.security.threats.token_traces import misused_credentials

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)


def event(kind: EventKind, *, times: int, subject: str = "anna") -> SecurityEvent:
    at = NOW - timedelta(minutes=1)
    return SecurityEvent(
        kind=kind, subject=subject, address="192.0.2.1", first_at=at, last_at=at, times=times
    )


@pytest.mark.parametrize(
    ("kind", "times", "found"),
    [
        (EventKind.REFRESH_REUSED, 1, (ThreatKind.TOKEN_REUSE, "anna", Severity.HIGH)),
        (EventKind.CODE_REPLAYED, 2, None),
        (EventKind.CODE_REPLAYED, 3, (ThreatKind.CODE_REPLAY, "anna", Severity.MEDIUM)),
        (EventKind.TOKEN_REFUSED, 4, None),
        (
            EventKind.TOKEN_REFUSED,
            5,
            (ThreatKind.FORGED_CREDENTIALS, "192.0.2.1", Severity.HIGH),
        ),
        (EventKind.CSRF_REFUSED, 5, (ThreatKind.FORGED_CREDENTIALS, "192.0.2.1", Severity.HIGH)),
        (EventKind.ACCESS_REFUSED, 19, None),
        (EventKind.ACCESS_REFUSED, 20, (ThreatKind.PROBING, "anna", Severity.MEDIUM)),
        (EventKind.SIGNED_IN, 99, None),
    ],
)
def test_each_kind_has_its_threshold(
    kind: EventKind, times: int, found: tuple[ThreatKind, str, Severity] | None
) -> None:
    told = misused_credentials([event(kind, times=times)], now=NOW)

    assert [(one.kind, one.subject, one.severity) for one in told] == ([found] if found else [])


def test_forgeries_of_several_kinds_add_up_by_address() -> None:
    mixed = [
        event(EventKind.TOKEN_REFUSED, times=2, subject="?1"),
        event(EventKind.LINK_REFUSED, times=2, subject="?2"),
        event(EventKind.ENROLMENT_REFUSED, times=1, subject="a box"),
    ]

    (found,) = misused_credentials(mixed, now=NOW)

    assert (found.subject, found.evidence["times"]) == ("192.0.2.1", 5)


def test_what_is_long_ago_counts_no_more() -> None:
    later = NOW + timedelta(minutes=15)

    assert misused_credentials([event(EventKind.REFRESH_REUSED, times=1)], now=later) == []
