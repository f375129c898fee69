"""Minutes as ingest stores them, summed by the roll-ups, asked through the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from coordinator.traffic.rollup_tables import RollupDueRow
from coordinator.traffic.rollups import sum_everything_due
from tests.fakes.traffic_api import AsgiClient, bins_of
from tests.fakes.traffic_city import SITE, TrafficCity

pytestmark = pytest.mark.integration

EIGHT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def sum_up(city: TrafficCity) -> None:
    with city.database.session() as session:
        session.add_all(
            RollupDueRow(camera_id=city.camera_id, start=EIGHT + n * timedelta(minutes=5))
            for n in range(12)
        )
    sum_everything_due(city.database)


@pytest.mark.parametrize("width", ["5min", "15min", "60min", "day"])
def test_every_width_answers_what_the_minutes_hold(
    city: TrafficCity, api: AsgiClient, width: str
) -> None:
    for n in range(10):
        start = EIGHT + timedelta(minutes=n)
        is_watched = n != 3
        city.minute(
            start,
            coverage_s=60.0 if is_watched else 0.0,
            quality="good" if is_watched else "no_data",
            counts={"N-S": {"car": 2, "person": 1} if is_watched else None},
        )
    sum_up(city)
    asked = {"from": "2026-03-02T08:00:00Z", "to": "2026-03-02T09:00:00Z", "section": "N-S"}

    answer = api.get(f"/api/v1/sites/{SITE}/counts", params={**asked, "width": width}).json()

    bins = bins_of(answer)
    measured = [one for one in bins if one["state"] == "measured"]
    assert sum(one["counts"]["car"] for one in measured) == 18
    assert sum(one["total"] for one in measured) == 27
    lengths = {"5min": 300, "15min": 900, "60min": 3600, "day": 86_400}
    watched_s = sum(one["coverage"] for one in bins) * lengths[width]
    assert watched_s == pytest.approx(540, abs=5)


def test_a_quarter_that_was_withheld_or_unwatched_has_no_number(
    city: TrafficCity, api: AsgiClient
) -> None:
    for n in range(15):
        city.minute(EIGHT + timedelta(minutes=n), counts={"N-S": None}, is_withheld=True)
        city.minute(
            EIGHT + timedelta(minutes=15 + n), coverage_s=0.0, quality="no_data",
            counts={"N-S": None},
        )  # fmt: skip
    sum_up(city)

    answer = api.get(
        f"/api/v1/sites/{SITE}/counts",
        params={"from": "2026-03-02T08:00:00Z", "to": "2026-03-02T09:00:00Z", "section": "N-S"},
    ).json()

    states = [(one["state"], one["counts"]) for one in bins_of(answer)]
    assert states == [
        ("withheld", None),
        ("not_watched", None),
        ("not_reported", None),
        ("not_reported", None),
    ]
