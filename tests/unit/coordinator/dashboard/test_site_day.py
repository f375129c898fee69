"""One day of a site beside its past."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from coordinator.dashboard.site_day import (
    GROUPS,
    SiteDay,
    quarter_hours,
    site_day,
    speed_day,
    usual_day,
)
from coordinator.dashboard.usual_days import KEPT_FOR, UsualDays
from coordinator.traffic.coverage import State, Verdict
from coordinator.traffic.periods import Width, local_day
from coordinator.traffic.views import SpeedsView, TotalsView

pytestmark = pytest.mark.unit
UTC_ZONE = ZoneInfo("UTC")
MONDAY = date(2026, 3, 2)
QUARTER = timedelta(minutes=15)


def totals(
    day: date,
    cars: Sequence[int | None],
    *,
    coverage: Sequence[float] | None = None,
    zone: str = "UTC",
) -> TotalsView:
    """The first quarter hours of a day: cars, and one person on foot in each that is known."""
    begin = local_day(day, ZoneInfo(zone)).start
    counts: dict[Any, Any] = {
        users[0]: [None if n is None else 0 for n in cars] for users in GROUPS.values()
    }
    counts |= {"car": list(cars), "person": [None if n is None else 1 for n in cars]}
    n = len(cars)
    shares = list(coverage or [0.0 if one is None else 1.0 for one in cars])
    return TotalsView(
        site="elm",
        timezone=zone,
        from_=begin,
        to=begin + n * QUARTER,
        width=Width.QUARTER_HOUR,
        starts=[begin + k * QUARTER for k in range(n)],
        added=1,
        coverage=shares,
        quality=shares,
        verdict=[Verdict.GOOD] * n,
        state=[State.MEASURED] * n,
        counts=counts,
        total=list(cars),
        withheld_share=[0.0] * n,
    )


def day_of(cars: Sequence[int | None], past: Sequence[TotalsView] = ()) -> SiteDay:
    begin = local_day(MONDAY, UTC_ZONE).start
    return site_day(
        MONDAY,
        totals(MONDAY, cars),
        usual_day(MONDAY, UTC_ZONE, past),
        now=begin + len(cars) * QUARTER,
    )


def weeks(*cars: Sequence[int | None], coverage: Sequence[float] | None = None) -> list[TotalsView]:
    return [
        totals(MONDAY - timedelta(weeks=n), one, coverage=coverage)
        for n, one in enumerate(cars, start=1)
    ]


def test_a_day_has_all_its_quarter_hours_and_those_ahead_are_not_known() -> None:
    day = day_of([10, None, 0])

    assert len(day.starts) == len(day.vehicles.counts) == 96
    assert day.vehicles.counts[:4] == [10, None, 0, None]
    assert day.vehicles.total == 10
    # The one in between; those ahead are not missing.
    assert day.missing == 1


def test_people_on_foot_are_no_vehicles() -> None:
    day = day_of([10, 20])

    assert day.vehicles.total == 30
    assert {one.name: one.total for one in day.users}["person"] == 2


def test_nothing_known_is_not_zero() -> None:
    assert day_of([None, None]).vehicles.total is None
    assert day_of([0, 0]).vehicles.total == 0


def test_a_day_with_a_clock_change_has_its_own_length() -> None:
    vienna = ZoneInfo("Europe/Vienna")

    assert len(quarter_hours(date(2026, 3, 29), vienna)) == 92
    assert len(quarter_hours(date(2026, 10, 25), vienna)) == 100


def test_the_usual_comes_from_the_same_weekday_of_at_least_three_weeks() -> None:
    past = weeks([100, 100], [110, 110], [120, 120])

    day = day_of([132, 132], past)

    first = day.vehicles.usual[0]
    assert first is not None
    assert first.middle == 110
    assert day.vehicles.change == pytest.approx(0.2)
    assert day_of([132], past[:2]).vehicles.usual[0] is None


def test_a_past_quarter_hour_that_was_partly_watched_does_not_pull_the_usual_down() -> None:
    past = [*weeks([100], [100], [100]), *weeks([3], coverage=[0.4])]

    found = usual_day(MONDAY, UTC_ZONE, past)["vehicles"][0]

    assert found is not None
    assert found.low == 100


def test_the_change_leaves_out_what_is_not_known_today() -> None:
    past = weeks([100, 900], [100, 900], [100, 900])

    # A quarter hour is judged with its neighbour: the median of 100 and 900 is 500.
    assert day_of([100, None], past).vehicles.change == pytest.approx(100 / 500 - 1)


def test_the_running_quarter_hour_is_not_compared_with_a_whole_one() -> None:
    past = weeks([100, 100], [100, 100], [100, 100])
    begin = local_day(MONDAY, UTC_ZONE).start

    day = site_day(
        MONDAY,
        totals(MONDAY, [100, 7]),
        usual_day(MONDAY, UTC_ZONE, past),
        now=begin + timedelta(minutes=16),
    )

    assert day.vehicles.total == 107
    assert day.vehicles.change == pytest.approx(0)


def test_a_quarter_hour_that_was_partly_watched_today_is_not_compared() -> None:
    past = weeks([100, 100], [100, 100], [100, 100])
    begin = local_day(MONDAY, UTC_ZONE).start

    day = site_day(
        MONDAY,
        totals(MONDAY, [100, 30], coverage=[1.0, 0.3]),
        usual_day(MONDAY, UTC_ZONE, past),
        now=begin + timedelta(hours=2),
    )

    assert day.vehicles.change == pytest.approx(0)


def test_the_peak_hour_is_that_of_the_vehicles() -> None:
    peak = day_of([10, 20, 30, 40, 10]).peak_hour

    assert peak is not None
    assert (peak.volume, peak.factor) == (100, pytest.approx(100 / 160))
    assert day_of([10, 20, None, 40, 10]).peak_hour is None


def test_speeds_of_all_directions_are_weighed_by_their_number() -> None:
    start = datetime(2026, 3, 2, tzinfo=UTC)
    bins = [
        {"speeds": 30, "mean_kmh": 40.0, "histogram": {40: 30}},
        {"speeds": 10, "mean_kmh": 60.0, "histogram": {60: 10}},
    ]
    view = SpeedsView.model_validate(
        {
            "site": "elm",
            "timezone": "UTC",
            "from": start,
            "to": start + QUARTER,
            "width": "15min",
            "series": [
                {
                    "camera": "cam",
                    "name": "leg",
                    "direction": str(n),
                    "bins": [
                        {
                            "start": start,
                            "state": "measured",
                            "coverage": 1,
                            "quality": 1,
                            "verdict": "good",
                            "v85_kmh": None,
                            **one,
                        }
                    ],
                }
                for n, one in enumerate(bins)
            ],
        }
    )

    found = speed_day([start, start + QUARTER], view)

    assert found.measured == 40
    assert found.mean_kmh == [45.0, None]
    # 34 of 40 are not faster: 30 in the class from 40, 4 of 10 into the class from 60.
    assert found.v85_kmh == [62.0, None]


def test_the_usual_is_worked_out_once_in_a_while() -> None:
    days, asked = UsualDays(), []
    key = ("city", "elm", "flow", MONDAY)
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)

    for moment in (now, now + KEPT_FOR / 2, now + KEPT_FOR):
        days.find(key, moment, lambda: asked.append(1) or {})  # type: ignore[func-returns-value]
    days.find(("other", *key[1:]), now, lambda: asked.append(1) or {})  # type: ignore[func-returns-value]

    # At first, when it was too old, and for another tenant.
    assert len(asked) == 3
