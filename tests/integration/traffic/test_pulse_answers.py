"""The last complete quarter hour of a city, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from coordinator.traffic.pulse_answers import Pulse, PulseAnswers
from coordinator.traffic.usual import Pace
from tests.fakes.traffic_city import SITE, TENANT, TrafficCity

pytestmark = pytest.mark.integration

QUARTER = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
WEEK = timedelta(weeks=1)


def pulse(city: TrafficCity, now: datetime, tenant: str = TENANT) -> Pulse | None:
    with city.database.session() as session:
        return PulseAnswers(session, tenant, now=now).city().get(SITE)


def test_a_quarter_hour_is_complete_two_minutes_after_its_end(city: TrafficCity) -> None:
    before = pulse(city, QUARTER + timedelta(minutes=16))
    after = pulse(city, QUARTER + timedelta(minutes=17))

    assert before is not None
    assert after is not None
    assert before.start == QUARTER - timedelta(minutes=15)
    assert after.start == QUARTER


def test_flows_of_all_vehicles_are_added_and_compared_with_past_weeks(city: TrafficCity) -> None:
    for week in range(5):
        city.watch(QUARTER - week * WEEK)
        city.count("N-S", QUARTER - week * WEEK, {"car": 60, "person": 30})
        city.count("S-N", QUARTER - week * WEEK, {"bus": 40 if week else 90})
        city.count("north-leg right", QUARTER - week * WEEK, {"car": 500})

    found = pulse(city, QUARTER + timedelta(minutes=20))

    assert found is not None
    assert (found.vehicles, found.is_crossings, found.cameras) == (150, False, 1)
    assert found.usual is not None
    assert found.usual.middle == 100
    assert (found.pace, found.change) == (Pace.BUSIER, pytest.approx(0.5))


def test_weeks_that_were_partly_watched_are_not_compared_with(city: TrafficCity) -> None:
    for week in range(5):
        city.watch(QUARTER - week * WEEK, coverage=1.0 if week in (0, 1, 2) else 0.5)
        city.count("N-S", QUARTER - week * WEEK, {"car": 60})

    found = pulse(city, QUARTER + timedelta(minutes=20))

    assert found is not None
    assert found.usual is None
    assert found.pace is Pace.UNKNOWN


def test_withheld_or_unwatched_is_not_known(city: TrafficCity) -> None:
    city.watch(QUARTER)
    city.count("N-S", QUARTER, None, withheld_bins=15)

    found = pulse(city, QUARTER + timedelta(minutes=20))

    assert found is not None
    assert (found.vehicles, found.coverage) == (None, 1.0)


def test_another_tenant_sees_nothing(city: TrafficCity) -> None:
    assert pulse(city, QUARTER, tenant="shelbyville") is None
