"""The city, as its page tells it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest

from common.security import Role
from coordinator.fleet.tables import DeviceRow, SiteRow, TenantRow
from tests.fakes.dashboard import PageClient
from tests.fakes.traffic_city import BUILT_AT, SITE, TENANT, TrafficCity
from tests.integration.dashboard.conftest import NOW, AppOf

pytestmark = pytest.mark.integration

# The last quarter hour that was complete at 12:07.
QUARTER = datetime(2026, 3, 2, 10, 45, tzinfo=NOW.tzinfo)
DAY = datetime(2026, 3, 1, 23, 0, tzinfo=NOW.tzinfo)
WEEK = timedelta(weeks=1)


def add_site(city: TrafficCity, slug: str, name: str, *, placed: bool = True) -> None:
    with city.database.session() as session:
        session.add(
            SiteRow(
                tenant_id=TENANT,
                slug=slug,
                name=name,
                timezone="Europe/Vienna",
                latitude=48.21 if placed else None,
                longitude=16.38 if placed else None,
                created_at=BUILT_AT,
            )
        )


def add_box(city: TrafficCity, name: str, *, seen_at: datetime) -> None:
    with city.database.session() as session:
        session.add(
            DeviceRow(
                id=name,
                tenant_id=TENANT,
                site_id=city.site_id,
                state="enrolled",
                enrolled_at=BUILT_AT,
                last_seen_at=seen_at,
            )
        )


def row_of(text: str, site: str) -> str:
    """The words of one row of the list."""
    (row,) = re.findall(rf'<tr data-site="{site}".*?</tr>', text, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", row).split())


def test_a_city_without_a_box_says_how_to_enrol_one(app_of: AppOf, city: TrafficCity) -> None:
    with city.database.session() as session:
        session.add(TenantRow(id="elsewhere", name="Elsewhere", created_at=BUILT_AT))
        session.flush()
        site = session.get(SiteRow, city.site_id)
        assert site is not None
        site.tenant_id = "elsewhere"

    answer = PageClient(app_of((Role.ADMIN,))).get("/")

    assert answer.status_code == 200
    assert "No box yet" in answer.text
    assert "its-camera-ai edge enroll" in answer.text
    assert "data-site" not in answer.text


def test_a_site_is_compared_with_the_same_quarter_hour_of_past_weeks(
    city: TrafficCity, pages: PageClient
) -> None:
    for week in range(6):
        city.watch(QUARTER - week * WEEK)
        city.count("N-S", QUARTER - week * WEEK, {"car": 100 if week else 150, "person": 9})

    row = row_of(pages.get("/").text, SITE)

    assert "Elm and Main Busier 150 +50" in row


def test_a_quarter_hour_that_was_partly_watched_is_not_called_quiet(
    city: TrafficCity, pages: PageClient
) -> None:
    for week in range(6):
        city.watch(QUARTER - week * WEEK, coverage=1.0 if week else 0.4)
        city.count("N-S", QUARTER - week * WEEK, {"car": 100 if week else 40})

    row = row_of(pages.get("/").text, SITE)

    assert "Partly watched 40 40" in row
    assert "Quieter" not in row


def test_nothing_watched_is_no_zero(city: TrafficCity, pages: PageClient) -> None:
    city.watch(QUARTER, coverage=0.0)
    city.count("N-S", QUARTER, None)

    row = row_of(pages.get("/").text, SITE)

    assert row.startswith("Elm and Main Not watched – 0 %")  # of today


def test_boxes_and_data_of_today_stand_beside_the_traffic(
    city: TrafficCity, pages: PageClient
) -> None:
    add_box(city, "main-aaaaaa", seen_at=NOW - timedelta(minutes=1))
    add_box(city, "main-bbbbbb", seen_at=NOW - timedelta(hours=2))
    city.watch(DAY, width_s=86_400, seconds=(NOW - DAY).total_seconds(), coverage=0.5)

    row = row_of(pages.get("/").text, SITE)

    assert "50 %" in row
    assert "1 of 2" in row


@pytest.mark.parametrize(
    ("query", "names"),
    [
        pytest.param("q=elm", {"elm-and-main"}, id="by name"),
        pytest.param("q=ELM", {"elm-and-main"}, id="whatever the case"),
        pytest.param("show=unplaced", {"depot"}, id="without a position"),
        pytest.param("q=elm&show=unplaced", set(), id="both"),
        pytest.param("", {"elm-and-main", "depot", "river"}, id="all"),
    ],
)
def test_sites_are_searched_and_filtered(
    city: TrafficCity, pages: PageClient, query: str, names: set[str]
) -> None:
    add_site(city, "depot", "Depot", placed=False)
    add_site(city, "river", "River Road")

    text = pages.get(f"/?{query}").text

    assert set(re.findall(r'data-site="([^"]+)"', text)) == names
    if not names:
        assert "No site matches" in text


def test_a_site_without_a_position_is_told_beside_the_map(
    city: TrafficCity, pages: PageClient
) -> None:
    add_site(city, "depot", "Depot", placed=False)

    text = pages.get("/").text

    assert "1 site has no position" in " ".join(text.split())
    assert len(re.findall("data-latitude", text)) == 1


def test_htmx_gets_the_part_that_changes(pages: PageClient) -> None:
    answer = pages.get("/?q=elm", headers={"HX-Request": "true"})

    assert "<html" not in answer.text
    assert 'id="city"' in answer.text
    assert 'hx-swap-oob="true"' in answer.text
    assert answer.headers["Vary"] == "HX-Request"


def test_a_search_that_is_no_search_is_refused_with_a_page(pages: PageClient) -> None:
    answer = pages.get(f"/?q={'x' * 500}")

    assert answer.status_code == 422
    assert "That could not be understood" in answer.text
