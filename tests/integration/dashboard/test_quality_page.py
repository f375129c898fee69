"""The data quality page over a real database: ledger, anomalies, filters and reviews."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI

from common.security import Role
from coordinator.database import Database
from coordinator.traffic.anomaly_store import AnomalyKind, ReviewState
from coordinator.traffic.gaps import Reason
from tests.fakes.clocks import StandingClock
from tests.fakes.dashboard import PageClient, dashboard_app
from tests.fakes.ops_city import OpsCity
from tests.fakes.ops_pages import HOSTILE
from tests.fakes.traffic_city import TENANT

pytestmark = pytest.mark.integration

NOW = datetime(2026, 5, 18, 14, 0, tzinfo=UTC)
DAYS = {"from": "2026-05-12", "to": "2026-05-18"}


@pytest.fixture
def city(database: Database) -> OpsCity:
    return OpsCity(database, now=NOW)


def app_of(city: OpsCity, folder: Path, *roles: Role) -> FastAPI:
    clock = StandingClock(NOW)
    return dashboard_app(
        city.database, clock, tenant=TENANT, data_folder=folder, roles=roles or (Role.ANALYST,)
    )


@pytest.fixture
def pages(city: OpsCity, tmp_path: Path) -> PageClient:
    return PageClient(app_of(city, tmp_path))


def level_shift(city: OpsCity) -> int:
    return city.anomaly(AnomalyKind.LEVEL_SHIFT, "north-leg right", {"ratio": 0.5, "is_up": False})


def test_a_city_without_gaps_says_so(pages: PageClient) -> None:
    text = pages.get("/quality", params=DAYS).text

    assert "No gap in these days" in text
    assert "Nothing here" in text


def test_the_ledger_tells_each_gap_with_its_reason_and_what_is_usual(
    city: OpsCity, pages: PageClient
) -> None:
    city.gap("station-square-1", NOW - timedelta(days=2), timedelta(hours=9), Reason.OFFLINE)
    city.gap("cam-north", NOW - timedelta(days=1), timedelta(hours=1), Reason.MAINTENANCE)

    text = pages.get("/quality", params=DAYS).text

    assert "9 h 00 min" in text
    assert "learned from 31 pauses" in text
    assert "pauses up to 2 min" in text
    # Maintenance is nobody's loss.
    assert '<span class="stat__number">9 h 00 min</span>' in text


def test_filters_are_in_the_address(city: OpsCity, pages: PageClient) -> None:
    city.gap("station-square-1", NOW - timedelta(days=2), timedelta(hours=9), Reason.OFFLINE)
    city.gap("cam-north", NOW - timedelta(days=1), timedelta(hours=1), Reason.CLOCK)

    elsewhere = pages.get("/quality", params=DAYS | {"site": "harbour-road"}).text
    clocks = pages.get("/quality", params=DAYS | {"reason": "clock"}).text
    before = pages.get("/quality", params={"from": "2026-05-01", "to": "2026-05-07"}).text

    assert "No gap in these days" in elsewhere
    assert '<th scope="row">cam-north' in clocks
    assert '<th scope="row">station-square-1' not in clocks
    assert "No gap in these days" in before


def test_a_period_the_wrong_way_round_is_turned(city: OpsCity, pages: PageClient) -> None:
    city.gap("cam-north", NOW - timedelta(days=1), timedelta(hours=1), Reason.CLOCK)

    answer = pages.get("/quality", params={"from": DAYS["to"], "to": DAYS["from"]})

    assert (answer.status_code, 'value="2026-05-12"' in answer.text) == (200, True)
    assert '<th scope="row">cam-north' in answer.text


@pytest.mark.parametrize(
    "query",
    [{"from": "0001-01-01"}, {"to": "9999-12-31"}, {"page": "9999"}, {"site": "", "state": ""}],
    ids=["before time", "after time", "far page", "blank fields"],
)
def test_odd_addresses_are_answered(pages: PageClient, query: dict[str, str]) -> None:
    assert pages.get("/quality", params=query).status_code == 200


def test_a_site_that_is_not_known_is_a_page_of_its_own(pages: PageClient) -> None:
    answer = pages.get("/quality", params={"site": "nowhere"})

    assert answer.status_code == 404
    assert "text/html" in answer.headers["content-type"]


def test_the_ledger_is_paged(city: OpsCity, pages: PageClient) -> None:
    for n in range(26):
        start = NOW - timedelta(hours=4 * n + 5)
        city.gap("cam-north", start, timedelta(minutes=20), Reason.OFFLINE)

    first = pages.get("/quality", params=DAYS).text
    second = pages.get("/quality", params=DAYS | {"page": "2"}).text

    assert "1 to 25 of 26" in first
    assert "26 to 26 of 26" in second
    assert "page=2" in first


def test_an_anomaly_shows_the_hours_and_says_what_was_seen(
    city: OpsCity, pages: PageClient
) -> None:
    city.weeks(halved_from=NOW - timedelta(hours=10))
    one = level_shift(city)

    text = pages.get(f"/quality/anomalies/{one}").text
    chart = pages.get(f"/quality/anomalies/{one}/chart").text

    assert "Counts on north-leg (right) stay 50 % below what is usual there." in text
    assert chart.count("<path") == 2
    # 10 hours of which each has half of what is usual.
    assert "counted in the marked hours" in chart


def test_a_silent_class_is_held_against_its_mean(city: OpsCity, pages: PageClient) -> None:
    city.weeks(halved_from=NOW - timedelta(hours=10))
    one = city.anomaly(AnomalyKind.SILENT_CLASS, "bicycle", {"expected": 120.0, "counted": 0})

    chart = pages.get(f"/quality/anomalies/{one}/chart").text

    # Two lines see 6 bicycles an hour each: 12 * 10 hours.
    assert "bicycle: 0 counted in the marked hours, 120 usual" in chart


def test_swapped_legs_are_drawn_with_the_leg_they_look_like(
    city: OpsCity, pages: PageClient
) -> None:
    city.weeks()
    legs = {"north-leg": "south-leg", "south-leg": "north-leg"}
    detail = {"looks_like": legs, "misfit": 31.0, "misfit_if_exchanged": 0.6}
    one = city.anomaly(AnomalyKind.LEG_SWAP, "north-leg, south-leg", detail)

    chart = pages.get(f"/quality/anomalies/{one}/chart").text

    assert chart.count('class="evidence__other"') == 2
    assert "usual for south-leg" in chart


def test_a_review_is_kept_with_its_author(city: OpsCity, pages: PageClient) -> None:
    city.weeks()
    one = level_shift(city)
    body = {"state": "confirmed", "text": "works on Elm Street", "csrf_token": "x"}

    answer = pages.post(f"/quality/anomalies/{one}/reviews", data=body)
    text = pages.get(f"/quality/anomalies/{one}").text

    assert (answer.status_code, answer.headers["location"]) == (
        303,
        f"/quality/anomalies/{one}?done=confirmed",
    )
    assert "works on Elm Street" in text
    assert "Confirmed" in text
    assert "<span>Vera Brandt</span>" in text


def test_a_note_without_a_word_is_not_kept(city: OpsCity, pages: PageClient) -> None:
    city.weeks()
    one = level_shift(city)

    answer = pages.post(f"/quality/anomalies/{one}/reviews", data={"text": "  "})
    text = pages.get(answer.headers["location"]).text

    assert "A note needs a text" in text
    assert "Nobody has written anything about it yet." in text


def test_states_are_counted_and_chosen(city: OpsCity, pages: PageClient) -> None:
    city.weeks()
    level_shift(city)
    other = city.anomaly(AnomalyKind.SILENT_CLASS, "bicycle", {"expected": 60.0, "counted": 0})
    city.note(other, "new racks", author="Ada", state=ReviewState.DISMISSED)

    text = pages.get("/quality", params=DAYS | {"state": "dismissed"}).text

    assert 'Dismissed <span class="muted number">1</span>' in text
    assert "No bicycle was counted" in text
    assert "Counts on north-leg" not in text


def test_who_may_only_look_is_offered_no_review(city: OpsCity, tmp_path: Path) -> None:
    city.weeks()
    one = level_shift(city)
    pages = PageClient(app_of(city, tmp_path, Role.VIEWER))

    text = pages.get(f"/quality/anomalies/{one}").text
    answer = pages.post(f"/quality/anomalies/{one}/reviews", data={"state": "confirmed"})

    assert "Your judgement" not in text
    assert answer.status_code == 403


def test_what_people_write_never_becomes_markup(city: OpsCity, pages: PageClient) -> None:
    city.weeks()
    one = city.anomaly(AnomalyKind.LEVEL_SHIFT, HOSTILE, {"ratio": 0.5})
    city.note(one, HOSTILE, author=HOSTILE, state=None)
    legs = {HOSTILE: HOSTILE}
    two = city.anomaly(AnomalyKind.LEG_SWAP, "legs", {"looks_like": legs})

    for path in ("/quality", f"/quality/anomalies/{one}", f"/quality/anomalies/{one}/chart",
                 f"/quality/anomalies/{two}", f"/quality/anomalies/{two}/chart"):  # fmt: skip
        text = pages.get(path).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "&lt;script&gt;" in text


def test_an_anomaly_of_another_tenant_is_not_there(city: OpsCity, tmp_path: Path) -> None:
    one = level_shift(city)
    app = dashboard_app(
        city.database, StandingClock(NOW), tenant="shelbyville", data_folder=tmp_path
    )

    assert PageClient(app).get(f"/quality/anomalies/{one}").status_code == 404
