"""Guessing at one account, a list of names from one address, and people who mistype."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from coordinator.security.noticed import EventKind, SecurityEvent
from coordinator.security.threats.findings import Severity, ThreatKind
from coordinator.security.threats.sign_in_traces import brute_force, spraying

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
OFFICE = "192.0.2.1"


def failed(
    subject: str, *, address: str = OFFICE, times: int = 1, ago_s: float = 60
) -> SecurityEvent:
    return noted(EventKind.SIGN_IN_FAILED, subject, address=address, times=times, ago_s=ago_s)


def entered(subject: str, *, address: str = OFFICE, ago_s: float = 30) -> SecurityEvent:
    return noted(EventKind.SIGNED_IN, subject, address=address, ago_s=ago_s)


def noted(
    kind: EventKind, subject: str, *, address: str, ago_s: float, times: int = 1
) -> SecurityEvent:
    at = NOW - timedelta(seconds=ago_s)
    return SecurityEvent(
        kind=kind, subject=subject, address=address, first_at=at, last_at=at, times=times
    )


@pytest.mark.parametrize(
    ("events", "severities"),
    [
        pytest.param([failed("anna", times=7)], [], id="seven are a bad memory"),
        pytest.param([failed("anna", times=8)], [Severity.MEDIUM], id="eight are not"),
        pytest.param(
            [failed("anna", times=4), failed("anna", times=4, address="198.51.100.9")],
            [Severity.MEDIUM],
            id="from two addresses",
        ),
        pytest.param([failed("anna", times=8, ago_s=901)], [], id="long ago"),
        pytest.param(
            [failed("anna", times=8), entered("anna")], [Severity.HIGH], id="then somebody got in"
        ),
        pytest.param(
            [failed("anna", times=8), entered("anna", ago_s=120)],
            [Severity.MEDIUM],
            id="somebody was in before",
        ),
        pytest.param([failed("?5ab", times=99)], [], id="no such account"),
    ],
)
def test_guesses_at_one_account(events: list[SecurityEvent], severities: list[Severity]) -> None:
    found = brute_force(events, now=NOW)

    assert [one.severity for one in found] == severities
    assert all(one.kind is ThreatKind.BRUTE_FORCE and one.subject == "anna" for one in found)


@pytest.mark.parametrize(
    ("events", "subjects"),
    [
        pytest.param([failed(f"p{n}") for n in range(4)], [], id="four names"),
        pytest.param([failed(f"p{n}") for n in range(5)], [OFFICE], id="five names"),
        pytest.param([failed("anna", times=50)], [], id="one name many times"),
        pytest.param(
            [one for n in range(8) for one in (failed(f"p{n}"), entered(f"p{n}"))],
            [],
            id="an office that mistypes and gets in",
        ),
        pytest.param(
            [failed(f"p{n}", address=f"2001:db8::{n}") for n in range(5)],
            ["2001:db8::/64"],
            id="one network of the newer kind",
        ),
        pytest.param(
            [failed(f"p{n}", address=f"198.51.100.{n}") for n in range(15)],
            ["many addresses"],
            id="a name from each of many addresses",
        ),
        pytest.param(
            [failed(f"p{n}", address=f"198.51.100.{n}") for n in range(14)],
            [],
            id="a town that mistypes",
        ),
    ],
)
def test_one_password_at_many_accounts(events: list[SecurityEvent], subjects: list[str]) -> None:
    found = spraying(events, now=NOW)

    assert [one.subject for one in found] == subjects
    assert all(one.kind is ThreatKind.PASSWORD_SPRAYING for one in found)


def test_evidence_names_a_few_and_counts_the_rest() -> None:
    (found,) = spraying([failed(f"p{n:02}") for n in range(30)], now=NOW)

    assert found.evidence["accounts"] == 30
    named = found.evidence["existing_accounts"]
    assert isinstance(named, list)
    assert (len(named), named[-1]) == (11, "and 20 more")
