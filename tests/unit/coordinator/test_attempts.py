from datetime import UTC, datetime

import pytest

from coordinator.fleet.attempts import FailedAttempts, TooManyAttemptsError
from coordinator.problems import status_of
from tests.fakes.clocks import StandingClock

pytestmark = pytest.mark.unit


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock(datetime(2026, 3, 1, tzinfo=UTC))


def test_an_address_pauses_after_its_failures_and_may_come_back(clock: StandingClock) -> None:
    attempts = FailedAttempts(clock=clock, most=3)
    for _ in range(3):
        attempts.refuse_flood("10.0.0.5")
        attempts.failed("10.0.0.5")

    with pytest.raises(TooManyAttemptsError, match="too many failed attempts"):
        attempts.refuse_flood("10.0.0.5")
    attempts.refuse_flood("10.0.0.6")
    clock.move(61)
    attempts.refuse_flood("10.0.0.5")


def test_too_many_attempts_are_429() -> None:
    assert status_of(TooManyAttemptsError(3)) == 429
