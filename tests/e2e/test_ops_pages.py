"""Data quality, boxes and rounds in a real browser: no complaint, nothing out of reach, live."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser

from common.free_ports import free_ports
from common.rounds import RunState
from coordinator.database import Database
from coordinator.schema import migrate
from tests.fakes.browser import (
    CHROMIUM,
    DESKTOP,
    PHONE,
    WatchedPage,
    axe_findings,
    browser,
    watched_page,
)
from tests.fakes.dashboard import served
from tests.fakes.ops_city import OpsCity
from tests.fakes.ops_fleet import OpsFleet
from tests.fakes.ops_pages import container_of, ops_app, rounds_with_boxes
from tests.fakes.ops_rounds import OpsRounds

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium"),
]

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


class Place:
    """A served coordinator with a city, boxes and runs."""

    def __init__(self, app: FastAPI, url: str, rounds: OpsRounds, boxes: dict[str, str]) -> None:
        self.app = app
        self.url = url
        self.rounds = rounds
        self.boxes = boxes


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder: Path = tmp_path_factory.mktemp("ops")
    database = Database(f"sqlite:///{folder}/its.db")
    migrate(database)
    OpsCity(database, now=NOW).everything()
    app = ops_app(database, folder, now=NOW)
    boxes = OpsFleet(container_of(app), now=NOW).everything()
    rounds = rounds_with_boxes(app, now=NOW)
    rounds.everything()
    (port,) = free_ports(1)
    with served(app, port) as url:
        yield Place(app, url, rounds, boxes)
    database.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


def check(seen: WatchedPage, width: int) -> None:
    """Nothing is wider than the window, nobody complains, and axe finds nothing serious."""
    page = seen.page
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert axe_findings(page) == []
    assert seen.complaints == []


# Colours do not depend on the size, nor boxes on the colours: each once.
@pytest.mark.parametrize(
    ("size", "theme"),
    [pytest.param(PHONE, "dark", id="phone"), pytest.param(DESKTOP, "light", id="desktop")],
)
def test_pages_are_whole_at_every_size(
    place: Place, chromium: Browser, size: tuple[int, int], theme: str
) -> None:
    troubled = place.boxes["troubled"]
    for path in (
        "/quality", "/quality/anomalies/1", "/fleet", f"/fleet/{troubled}",
        f"/fleet/{troubled}/retirement", "/fleet/tokens", "/rounds", "/rounds/night-2026-05",
        "/rounds/-/launch",
    ):  # fmt: skip
        with watched_page(chromium, size=size, theme=theme) as seen:
            seen.page.goto(place.url + path)
            check(seen, size[0])


def test_a_chart_of_an_anomaly_comes_into_view(place: Place, chromium: Browser) -> None:
    with watched_page(chromium) as seen:
        seen.page.goto(place.url + "/quality")
        seen.page.locator(".evidence__counted").first.wait_for(state="attached")
        check(seen, DESKTOP[0])


def test_a_token_is_made_and_shown(place: Place, chromium: Browser) -> None:
    with watched_page(chromium, size=PHONE) as seen:
        seen.page.goto(place.url + "/fleet/tokens")
        seen.page.fill("#f-site", "new-site")
        seen.page.get_by_role("button", name="Make the token").click()
        seen.page.locator("#token-text").wait_for()
        assert seen.page.locator(".qr").evaluate("one => one.naturalWidth > 0")
        check(seen, PHONE[0])


def test_the_plan_is_looked_at_before_the_launch(place: Place, chromium: Browser) -> None:
    with watched_page(chromium) as seen:
        seen.page.goto(place.url + "/rounds/-/launch")
        seen.page.get_by_role("button", name="Show the plan").click()
        seen.page.get_by_text("Who is asked").last.wait_for()
        seen.page.get_by_text("3, of which 2 must answer").wait_for()
        check(seen, DESKTOP[0])


def test_a_run_goes_on_before_the_eyes(place: Place, chromium: Browser) -> None:
    place.rounds.launch("live")
    place.rounds.move("live", RunState.RUNNING)
    with watched_page(chromium) as seen:
        page = seen.page
        page.goto(place.url + "/rounds/live")
        page.get_by_text("No round is finished yet").wait_for()
        page.locator("#live", has_text="Live").wait_for()

        place.rounds.finish_round("live", 1)
        page.locator(".round__head", has_text="Round 1").wait_for()
        page.locator(".curve__key", has_text="night").wait_for()
        place.rounds.move("live", RunState.FAILED, reason="the bench ended")
        page.get_by_text("the bench ended").first.wait_for()

        page.get_by_role("button", name="Resume").wait_for()
        check(seen, DESKTOP[0])
