"""One site, as its page tells it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest

from common.security import Role
from tests.fakes.dashboard import PageClient
from tests.fakes.traffic_city import SITE, TrafficCity
from tests.integration.dashboard.conftest import NOW, AppOf

pytestmark = pytest.mark.integration

EIGHT = datetime(2026, 3, 2, 7, 0, tzinfo=NOW.tzinfo)  # in Vienna
QUARTER = timedelta(minutes=15)
WEEK = timedelta(weeks=1)
PAGE = f"/sites/{SITE}"


def words(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_the_chart_gets_gaps_as_gaps_and_zeros_as_zeros(
    city: TrafficCity, pages: PageClient
) -> None:
    city.watch(EIGHT)
    city.count("N-S", EIGHT, {"car": 10, "person": 2})
    city.count("S-N", EIGHT, {"bus": 1})
    city.watch(EIGHT + QUARTER)
    city.count("N-S", EIGHT + QUARTER, {})
    city.watch(EIGHT + 2 * QUARTER, coverage=0.0)
    city.count("N-S", EIGHT + 2 * QUARTER, None)

    told = pages.get(f"{PAGE}/day.json").json()

    place = told["starts"].index(int(EIGHT.timestamp()))
    counts = {one["name"]: one["counts"] for one in told["classes"]}
    assert counts["vehicles"][place : place + 4] == [11, 0, None, None]
    assert counts["person"][place : place + 2] == [2, 0]
    assert len(told["starts"]) == 96
    assert told["until"] == int(NOW.timestamp())
    assert (told["zone"], told["is_today"]) == ("Europe/Vienna", True)


def test_the_usual_is_drawn_beside_the_day(city: TrafficCity, pages: PageClient) -> None:
    for week in range(1, 6):
        city.watch(EIGHT - week * WEEK)
        city.count("N-S", EIGHT - week * WEEK, {"car": 100 + week})

    told = pages.get(f"{PAGE}/day.json").json()

    place = told["starts"].index(int(EIGHT.timestamp()))
    vehicles = told["classes"][0]
    assert vehicles["usual"][place] == 103
    assert vehicles["usual_low"][place] == pytest.approx(101.4)
    assert vehicles["usual"][place + 8] is None
    # Lines and flows: nothing was counted today.
    assert vehicles["counts"][place] is None


def test_movements_are_told_by_leg_and_class(city: TrafficCity, pages: PageClient) -> None:
    city.watch(EIGHT, width_s=3600)
    city.count("N-S", EIGHT, {"car": 40, "truck": 3}, width_s=3600)
    city.count("N-N", EIGHT, {"car": 2}, width_s=3600)

    everything = words(pages.get(f"{PAGE}/movements?day=2026-03-02").text)
    trucks = words(pages.get(f"{PAGE}/movements?day=2026-03-02&user=truck").text)

    assert "From leg Thru U turn Total" in everything
    assert "north-leg 43 2 45" in everything
    assert "north-leg to south-leg, thru: 43" in everything
    assert "north-leg 3 0 3" in trucks
    # What was not counted is not zero: nobody told anything of S-N.
    assert "south-leg – · not drawn –" in everything


def test_figures_of_the_day_are_at_the_top(city: TrafficCity, pages: PageClient) -> None:
    for n, cars in enumerate((10, 20, 30, 40)):
        city.watch(EIGHT + n * QUARTER)
        for flow in ("N-S", "S-N", "N-N"):
            city.count(flow, EIGHT + n * QUARTER, {"car": cars if flow == "N-S" else 0})

    told = words(pages.get(f"{PAGE}/now").text)

    assert "Vehicles so far today 100" in told
    assert "Peak hour 100 from 08:00, peak hour factor 0.62" in told
    assert "without a number" in told


def test_another_day_can_be_chosen_and_tomorrow_cannot(
    city: TrafficCity, pages: PageClient
) -> None:
    before = pages.get(f"{PAGE}?day=2026-03-01").text
    ahead = pages.get(f"{PAGE}?day=2026-03-09").text

    assert 'value="2026-03-01"' in before
    assert "so far today" not in before
    assert f"{PAGE}?day=2026-03-02" in before
    assert 'value="2026-03-02"' in ahead


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param(f"{PAGE}?day=1999-01-01", 422, id="a day nobody counts"),
        pytest.param(f"{PAGE}?day=2000-01-02", 200, id="the first days there are"),
        pytest.param(f"{PAGE}?day=soon", 422, id="no day"),
        pytest.param(f"{PAGE}/movements?user=horse", 422, id="no such class"),
        pytest.param(f"{PAGE}/movements?camera=nowhere", 200, id="no such camera: the first"),
        pytest.param("/sites/nowhere", 404, id="no such site"),
        pytest.param("/sites/NO%20SLUG", 422, id="no slug"),
    ],
)
def test_odd_questions_get_a_page_with_an_answer(pages: PageClient, path: str, status: int) -> None:
    answer = pages.get(path)

    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")


def test_downloads_are_shown_to_whoever_may_have_them(city: TrafficCity, app_of: AppOf) -> None:
    analyst = PageClient(app_of((Role.ANALYST,)))
    viewer = PageClient(app_of((Role.VIEWER,)))

    links = re.findall(r'href="(/api/v1/[^"]+)"', analyst.get(f"{PAGE}?day=2026-03-01").text)

    assert len(links) == 4
    assert {analyst.get(link.replace("&amp;", "&")).status_code for link in links} == {200}
    assert "Downloads are for analysts" in viewer.get(PAGE).text
    assert "/exports/" not in viewer.get(PAGE).text


def test_the_page_says_so_when_nothing_was_counted(pages: PageClient) -> None:
    told = words(pages.get(f"{PAGE}?day=2026-02-01").text)

    assert "Nothing counted on this day" in told
    assert "no hour was watched throughout" in told
    assert "Watched 0" in told


def test_every_line_is_told_by_direction_and_class(city: TrafficCity, pages: PageClient) -> None:
    midnight, day_s = EIGHT - timedelta(hours=8), 86_400
    city.watch(midnight, width_s=day_s)
    city.count("north-leg right", midnight, {"car": 12, "person": 1}, width_s=day_s)

    page = pages.get(PAGE).text

    lines = words(page[page.index('id="lines"') :])
    assert "Line Crossed to Person Bicycle Car Motorcycle Bus Truck All" in lines
    assert "north-leg right 1 0 12 0 0 0 13" in lines
    # Of what nobody told anything, nothing is claimed.
    assert "north-leg left – – – – – – –" in lines
