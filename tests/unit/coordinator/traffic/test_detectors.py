"""Weeks of invented traffic with and without a fault, and what the detectors say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from coordinator.traffic.leg_swap import LegDay, find_leg_swap
from coordinator.traffic.level_shift import find_level_shift
from coordinator.traffic.profiles import Hourly, hour_of_week, learn_profile
from coordinator.traffic.silent_class import find_silence

pytestmark = pytest.mark.unit

VIENNA = ZoneInfo("Europe/Vienna")
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
RECENT_FROM = MONDAY + timedelta(weeks=5)


def usual(start: datetime) -> float:
    """Quiet nights, busy days, half of it on Sundays."""
    hour, weekday = start.hour, start.weekday()
    day = 20.0 if hour < 6 else 200.0
    return day / 2 if weekday == 6 else day


def traffic(
    hours: int, begin: datetime, *, level: Callable[[datetime], float] = usual, seed: int = 7
) -> Hourly:
    chance = Random(seed)  # noqa: S311 - invented traffic
    starts = [begin + timedelta(hours=n) for n in range(hours)]
    return {
        start: max(0.0, round(chance.gauss(level(start), level(start) ** 0.5))) for start in starts
    }


HISTORY = traffic(5 * 168, MONDAY)
PROFILE = learn_profile(HISTORY, VIENNA)


def test_an_hour_of_the_week_is_local() -> None:
    assert hour_of_week(datetime(2026, 1, 5, 0, tzinfo=UTC), VIENNA) == 1
    assert hour_of_week(datetime(2026, 7, 6, 0, tzinfo=UTC), VIENNA) == 2


def test_a_profile_needs_three_weeks() -> None:
    profile = learn_profile(traffic(2 * 168, MONDAY), VIENNA)

    assert profile.expected(MONDAY) is None
    assert profile.surprise(MONDAY, 5.0) is None


@pytest.mark.parametrize("seed", range(20))
def test_ordinary_weeks_show_no_shift(seed: int) -> None:
    assert find_level_shift(traffic(168, RECENT_FROM, seed=100 + seed), PROFILE) is None


@pytest.mark.parametrize(
    ("factor", "is_up"),
    [pytest.param(0.6, False, id="a third is missing"), pytest.param(1.5, True, id="half more")],
)
def test_a_lasting_shift_is_found_with_its_start_and_size(factor: float, is_up: bool) -> None:
    changed_at = RECENT_FROM + timedelta(days=2, hours=8)
    recent = traffic(
        168, RECENT_FROM, level=lambda t: usual(t) * (factor if t >= changed_at else 1.0)
    )

    shift = find_level_shift(recent, PROFILE)

    assert shift is not None
    assert shift.is_up is is_up
    assert abs(shift.start - changed_at) <= timedelta(hours=12)
    assert shift.ratio == pytest.approx(factor, abs=0.1)


def test_one_wild_hour_is_no_shift() -> None:
    recent = {**traffic(48, RECENT_FROM), RECENT_FROM + timedelta(hours=47): 5000.0}

    assert find_level_shift(recent, PROFILE) is None


NORTH = tuple(float(n) for n in (5, 8, 40, 90, 60, 30, 25, 30, 40, 50, 30, 10) * 2)
SOUTH = tuple(float(n) for n in (2, 3, 10, 20, 15, 12, 15, 30, 80, 120, 60, 20) * 2)
EAST = tuple(float(n) for n in (1, 1, 3, 5, 6, 7, 8, 7, 6, 5, 3, 1) * 2)


def like(profile: tuple[float, ...], seed: int = 3) -> tuple[float, ...]:
    chance = Random(seed)  # noqa: S311 - invented traffic
    return tuple(max(0.0, round(chance.gauss(x, x**0.5))) for x in profile)


def test_legs_that_changed_places_are_found() -> None:
    legs = [
        LegDay(name="north", counted=like(SOUTH), expected=NORTH),
        LegDay(name="south", counted=like(NORTH), expected=SOUTH),
        LegDay(name="east", counted=like(EAST), expected=EAST),
    ]

    swap = find_leg_swap(legs)

    assert swap is not None
    assert swap.exchanged == {"north": "south", "south": "north"}
    assert swap.misfit_if_exchanged < 1.5 < swap.misfit


def test_a_ring_of_three_is_found() -> None:
    legs = [
        LegDay(name="north", counted=like(SOUTH), expected=NORTH),
        LegDay(name="south", counted=like(EAST), expected=SOUTH),
        LegDay(name="east", counted=like(NORTH), expected=EAST),
    ]

    swap = find_leg_swap(legs)

    assert swap is not None
    assert swap.exchanged == {"north": "south", "south": "east", "east": "north"}


@pytest.mark.parametrize(
    "legs",
    [
        pytest.param(
            [
                LegDay(name="north", counted=like(NORTH), expected=NORTH),
                LegDay(name="south", counted=like(SOUTH), expected=SOUTH),
            ],
            id="an ordinary day",
        ),
        pytest.param(
            [
                LegDay(name="a", counted=like(EAST, 1), expected=EAST),
                LegDay(name="b", counted=like(EAST, 2), expected=EAST),
            ],
            id="legs that look alike",
        ),
        pytest.param(
            [
                LegDay(name="north", counted=tuple(2 * x for x in NORTH), expected=NORTH),
                LegDay(name="south", counted=tuple(2 * x for x in SOUTH), expected=SOUTH),
            ],
            id="twice the traffic everywhere",
        ),
        pytest.param(
            [
                LegDay(name="north", counted=SOUTH[:6], expected=NORTH[:6]),
                LegDay(name="south", counted=NORTH[:6], expected=SOUTH[:6]),
            ],
            id="too few hours",
        ),
        pytest.param([LegDay(name="north", counted=SOUTH, expected=NORTH)], id="one leg"),
        pytest.param([], id="no leg"),
    ],
)
def test_without_a_clear_exchange_nothing_is_said(legs: list[LegDay]) -> None:
    assert find_leg_swap(legs) is None


def test_a_swap_is_found_among_many_legs() -> None:
    legs = [LegDay(name=f"leg-{n}", counted=EAST, expected=EAST) for n in range(7)]
    legs += [
        LegDay(name="north", counted=SOUTH, expected=NORTH),
        LegDay(name="south", counted=NORTH, expected=SOUTH),
    ]

    swap = find_leg_swap(legs)

    assert swap is not None
    assert swap.exchanged == {"north": "south", "south": "north"}


def test_a_class_that_vanished_is_found() -> None:
    quiet_at = RECENT_FROM + timedelta(hours=10)
    recent = {
        start: n if start < quiet_at else 0.0 for start, n in traffic(24, RECENT_FROM).items()
    }

    silence = find_silence(recent, PROFILE)

    assert silence is not None
    assert silence.start == quiet_at
    assert silence.expected > 1000


def test_a_quiet_night_is_no_silence() -> None:
    rare = learn_profile(dict.fromkeys(HISTORY, 1.0), VIENNA)
    recent = {RECENT_FROM + timedelta(hours=n): 0.0 for n in range(12)}

    assert find_silence(recent, rare) is None
