"""Reports that no honest box sends, and copies of boxes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from coordinator.security.noticed import EventKind, SecurityEvent
from coordinator.security.threats.findings import Severity, ThreatKind
from coordinator.security.threats.report_traces import (
    Doubt,
    Streams,
    doubtful_reports,
    repeated_reports,
    two_at_once,
)

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)


def doubts(
    reason: str, number: int, *, device: str | None = "main-1", ago_s: float = 60
) -> list[Doubt]:
    return [Doubt(reason=reason, device=device, at=NOW - timedelta(seconds=ago_s))] * number


@pytest.mark.parametrize(
    ("given", "found"),
    [
        pytest.param(doubts("bad_signature", 2), None, id="two bad signatures"),
        pytest.param(
            doubts("bad_signature", 3), (ThreatKind.BAD_SIGNATURES, Severity.HIGH), id="three"
        ),
        pytest.param(
            [*doubts("bad_signature", 1), *doubts("unknown_key", 1), *doubts("other_device", 1)],
            (ThreatKind.BAD_SIGNATURES, Severity.HIGH),
            id="three of several kinds",
        ),
        pytest.param(
            doubts("unknown_device", 20, device=None),
            (ThreatKind.BAD_SIGNATURES, Severity.MEDIUM),
            id="strangers knock",
        ),
        pytest.param(doubts("unknown_device", 19, device=None), None, id="a lost box"),
        pytest.param(
            doubts("retired", 3),
            (ThreatKind.REPLAYED_REPORTS, Severity.HIGH),
            id="a box that was retired",
        ),
        pytest.param(doubts("too_old", 19), None, id="a clock without a battery"),
        pytest.param(
            doubts("too_old", 20), (ThreatKind.REPLAYED_REPORTS, Severity.MEDIUM), id="a recording"
        ),
        pytest.param(
            doubts("sequence_reused", 1),
            (ThreatKind.IMPOSSIBLE_SEQUENCE, Severity.HIGH),
            id="a number given twice",
        ),
        pytest.param(doubts("schema", 500), None, id="a fault of ours is no attack"),
        pytest.param(doubts("bad_signature", 3, ago_s=3601), None, id="more than an hour ago"),
    ],
)
def test_doubts_of_one_box(given: list[Doubt], found: tuple[ThreatKind, Severity] | None) -> None:
    told = doubtful_reports(given, now=NOW)

    assert [(one.kind, one.severity) for one in told] == ([found] if found else [])


@pytest.mark.parametrize(("overlap", "findings"), [(3600, 0), (3601, 1)])
def test_a_box_that_sends_two_streams_at_once_is_two(overlap: float, findings: int) -> None:
    streams = Streams(
        device="main-1",
        older_last_at=NOW,
        newer_first_at=NOW - timedelta(seconds=overlap),
    )

    assert len(two_at_once([streams])) == findings


def test_a_box_that_began_anew_is_one() -> None:
    streams = Streams(device="main-1", older_last_at=NOW - timedelta(days=1), newer_first_at=NOW)

    assert two_at_once([streams]) == []


@pytest.mark.parametrize(("times", "findings"), [(499, 0), (500, 1)])
def test_reports_that_keep_coming_again(times: int, findings: int) -> None:
    repeated = SecurityEvent(
        kind=EventKind.REPORT_REPEATED,
        subject="main-1",
        address="broker",
        first_at=NOW,
        last_at=NOW,
        times=times,
    )

    assert len(repeated_reports([repeated], now=NOW)) == findings
