"""What is usual, and what is not."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from coordinator.traffic.usual import Pace, Usual, change_of, pace_of, usual_of, weeks_before

pytestmark = pytest.mark.unit
VIENNA = ZoneInfo("Europe/Vienna")


def test_fewer_than_three_weeks_are_nothing_to_compare_with() -> None:
    assert usual_of([100, 110]) is None


def test_the_usual_is_the_median_and_eight_of_ten_around_it() -> None:
    found = usual_of([10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110])

    assert found == Usual(middle=60, low=20, high=100)


@pytest.mark.parametrize(
    ("value", "pace"),
    [
        pytest.param(100, Pace.AS_USUAL, id="the same"),
        pytest.param(125, Pace.AS_USUAL, id="more, but chance makes that too"),
        pytest.param(140, Pace.BUSIER, id="clearly more"),
        pytest.param(60, Pace.QUIETER, id="clearly less"),
        pytest.param(None, Pace.UNKNOWN, id="not known"),
    ],
)
def test_a_difference_counts_when_chance_does_not_make_it(value: float | None, pace: Pace) -> None:
    # Three standard deviations of a Poisson count of 100 are 30.1.
    assert pace_of(value, Usual(middle=100, low=90, high=110)) is pace


def test_at_night_two_cars_instead_of_one_are_nothing_unusual() -> None:
    assert pace_of(2, Usual(middle=1, low=0, high=3)) is Pace.AS_USUAL


def test_a_change_needs_something_to_compare_with() -> None:
    assert change_of(120, Usual(middle=100, low=0, high=0)) == pytest.approx(0.2)
    assert change_of(120, None) is None
    assert change_of(5, Usual(middle=0, low=0, high=0)) is None


def test_weeks_keep_the_local_time_over_a_clock_change() -> None:
    # Clocks in Vienna went forward on 29 March 2026.
    monday = datetime(2026, 3, 30, 6, 0, tzinfo=UTC)

    (week,) = weeks_before(monday, VIENNA, 1)

    assert monday.astimezone(VIENNA).hour == week.astimezone(VIENNA).hour == 8
    assert week == datetime(2026, 3, 23, 7, 0, tzinfo=UTC)
