"""Health is told regularly, and at once when somebody waits for a decision."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from common.wire import ClockState
from edge.deliver.health_telling import BoxFacts, Deliveries, HealthTeller
from edge.deliver.outbox_rows import OutboxStatus
from edge.deliver.twin import TwinState
from tests.fakes.clocks import StandingClock

pytestmark = pytest.mark.unit

NINE = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
FACTS = BoxFacts(software="0.1.0", model="m", cameras=lambda: (), disk_free_bytes=lambda: 1)
DELIVERIES = Deliveries(
    status=OutboxStatus(bins=2, reports=1, used_bytes=10),
    egress_head="0" * 64,
    certificate_expires_at=None,
    clock=ClockState.TRUSTED,
)


@dataclass
class Decided:
    """A twin that a test decides for."""

    version: int = 0
    state: TwinState = "none"
    seen: int = 0
    reason: str | None = None


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock(NINE)


def test_the_first_report_is_due_at_once_and_the_next_after_a_while(clock: StandingClock) -> None:
    teller = HealthTeller(FACTS, Decided(), clock=clock, every_s=60)

    due = [teller.is_due()]
    teller.report(DELIVERIES)
    due.append(teller.is_due())
    clock.move(59)
    due.append(teller.is_due())
    clock.move(1)
    due.append(teller.is_due())

    assert due == [True, False, False, True]


def test_a_decision_on_a_wish_is_told_at_once(clock: StandingClock) -> None:
    twin = Decided()
    teller = HealthTeller(FACTS, twin, clock=clock, every_s=60)
    teller.report(DELIVERIES)

    twin.seen, twin.state, twin.reason = 4, "refused", "not_valid"

    assert teller.is_due()
    report = teller.report(DELIVERIES)
    assert (report.twin_seen, report.twin_state, report.twin_reason) == (4, "refused", "not_valid")
    assert (report.outbox_reports, report.uptime_s) == (3, 0.0)
    assert not teller.is_due()


@pytest.mark.parametrize("told_c", [61.5, None], ids=["a sensor", "no sensor"])
def test_the_hottest_part_is_told_where_a_sensor_knows_it(
    clock: StandingClock, told_c: float | None
) -> None:
    facts = replace(FACTS, temperature_c=lambda: told_c)

    report = HealthTeller(facts, Decided(), clock=clock, every_s=60).report(DELIVERIES)

    assert report.temperature_c == told_c
