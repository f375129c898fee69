from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from common.wire import ClockState
from edge.deliver.clock_trust import ClockTrust, TrustedTime
from tests.fakes.clocks import StandingClock

pytestmark = pytest.mark.unit

NINE = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
BOOT = datetime(2001, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class SwitchedTime:
    is_right = False

    def is_synchronised(self) -> bool:
        return self.is_right


def test_a_clock_that_is_right_from_the_start_makes_everything_trusted() -> None:
    trust = ClockTrust(TrustedTime(), clock=StandingClock(NINE), wait_s=600)

    assert trust.ask() is ClockState.TRUSTED
    assert trust.may_send
    assert trust.of_bin(NINE - timedelta(days=30)) is ClockState.TRUSTED


@pytest.mark.parametrize("boot", [BOOT, NINE + timedelta(days=400)], ids=["behind", "ahead"])
def test_what_was_measured_before_the_time_server_answered_stays_unsure(boot: datetime) -> None:
    clock, source = StandingClock(boot), SwitchedTime()
    trust = ClockTrust(source, clock=clock, wait_s=600)
    assert trust.of_bin(boot) is ClockState.UNSURE

    clock.step(NINE)
    source.is_right = True
    trust.ask()

    assert trust.of_bin(boot) is ClockState.UNSURE
    assert trust.of_bin(NINE - MINUTE) is ClockState.UNSURE
    assert trust.of_bin(NINE) is ClockState.TRUSTED


def test_a_bin_from_the_future_is_unsure() -> None:
    trust = ClockTrust(TrustedTime(), clock=StandingClock(NINE), wait_s=600)

    assert trust.of_bin(NINE + 2 * MINUTE) is ClockState.UNSURE


def test_reports_wait_for_the_clock_but_not_for_ever() -> None:
    clock = StandingClock(BOOT)
    trust = ClockTrust(SwitchedTime(), clock=clock, wait_s=600)

    waits = []
    for _ in range(3):
        waits.append(trust.may_send)
        clock.move(300)

    assert waits == [False, False, True]
    assert trust.ask() is ClockState.UNSURE


def test_a_time_server_that_goes_away_later_does_not_undo_the_trust() -> None:
    source = SwitchedTime()
    source.is_right = True
    trust = ClockTrust(source, clock=StandingClock(NINE), wait_s=600)

    source.is_right = False

    assert trust.ask() is ClockState.TRUSTED
