"""Boxes that are silent for longer than they ever are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from coordinator.security.threats.findings import Severity
from coordinator.security.threats.silence import FLEET, Heard, silent_devices, usual_pause_s

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)


def every(pause_s: float, number: int = 50) -> tuple[datetime, ...]:
    return tuple(NOW - timedelta(hours=2) + timedelta(seconds=pause_s * n) for n in range(number))


def heard(silent_s: float | None, *, pause_s: float = 60, device: str = "main-1") -> Heard:
    last_at = None if silent_s is None else NOW - timedelta(seconds=silent_s)
    return Heard(device=device, since=LONG_AGO, last_at=last_at, made_at=every(pause_s))


@pytest.mark.parametrize(
    ("box", "severities"),
    [
        pytest.param(heard(600), [], id="ten minutes are a tunnel"),
        pytest.param(heard(601), [Severity.MEDIUM], id="one second more"),
        pytest.param(heard(1500, pause_s=300), [], id="five times its usual five minutes"),
        pytest.param(heard(1501, pause_s=300), [Severity.MEDIUM], id="more than five times"),
        pytest.param(heard(86_401), [Severity.HIGH], id="a day"),
        pytest.param(heard(None), [Severity.HIGH], id="never"),
    ],
)
def test_silence_is_judged_by_what_is_usual(box: Heard, severities: list[Severity]) -> None:
    found = silent_devices([box], fleet=10, listening_since=LONG_AGO, now=NOW)

    assert [one.severity for one in found] == severities


def test_whoever_was_deaf_accuses_nobody() -> None:
    just_now = NOW - timedelta(seconds=600)

    assert silent_devices([heard(7200)], fleet=10, listening_since=just_now, now=NOW) == []


def test_most_boxes_at_once_are_one_fault_of_ours() -> None:
    boxes = [heard(3600, device=f"main-{n}") for n in range(6)]

    (found,) = silent_devices(boxes, fleet=10, listening_since=LONG_AGO, now=NOW)
    half = silent_devices(boxes[:5], fleet=10, listening_since=LONG_AGO, now=NOW)

    assert (found.subject, found.evidence["silent"]) == (FLEET, 6)
    assert len(half) == 5


def test_the_usual_pause_is_of_when_reports_were_made_not_of_one_long_night() -> None:
    made = [*every(60, 40), NOW]

    assert usual_pause_s(made) == 60
    assert usual_pause_s([NOW]) is None
