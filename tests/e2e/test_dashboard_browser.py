"""The city and a site in a real Chromium: what the browser says of them, and what people do."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, expect

from common.timing import SystemClock
from coordinator.database import Database
from coordinator.schema import migrate
from coordinator.traffic.rollups import sum_everything_due
from tests.fakes.browser import (
    CHROMIUM,
    DESKTOP,
    PHONE,
    WALL,
    axe_findings,
    browser,
    watched_page,
)
from tests.fakes.dashboard import dashboard_app, served
from tests.fakes.traffic_city import SITE, TENANT, TrafficCity

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine"),
]

PAGES = ("/", f"/sites/{SITE}")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The junction with a morning of numbers and a gap, behind a real socket."""
    folder = tmp_path_factory.mktemp("dashboard")
    database = Database(f"sqlite:///{folder / 'its.db'}")
    migrate(database)
    fill(TrafficCity(database, timezone="UTC"))
    app = dashboard_app(database, SystemClock(), tenant=TENANT, data_folder=folder / "data")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with served(app, port) as found:
        yield found
    database.close()
    shutil.rmtree(folder)


def fill(city: TrafficCity) -> None:
    """Yesterday by quarter hours with a gap, and the four weeks before it."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for week in range(5):
        begin = midnight - timedelta(days=1) - week * timedelta(weeks=1)
        for n in range(24, 60):
            if week == 0 and 40 <= n < 46:
                continue
            start = begin + n * timedelta(minutes=15)
            city.watch(start)
            city.count("N-S", start, {"car": 40 + n, "person": 3})
            city.count("S-N", start, {"car": 20 + n, "bus": 1})
            city.count("N-N", start, {})
            city.speeds("north-leg right", start, {30: 10, 35: 20, 40: 5})
    sum_everything_due(city.database)


def yesterday() -> str:
    return (datetime.now(UTC) - timedelta(days=1)).date().isoformat()


@pytest.mark.parametrize("path", [*PAGES, "/nowhere"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP, WALL], ids=["phone", "desktop", "wall"])
def test_pages_have_no_serious_finding_and_the_browser_does_not_complain(
    chromium: Browser, address: str, path: str, theme: str, size: tuple[int, int]
) -> None:
    with watched_page(chromium, size=size, theme=theme) as watched:
        page = watched.page
        page.goto(address + (f"{path}?day={yesterday()}" if "sites" in path else path))
        if "sites" in path:
            expect(page.locator('[data-chart="counts"] canvas')).to_be_visible()
        if path == "/":
            expect(page.locator("#map canvas")).to_have_count(1)

        assert axe_findings(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        # A page that is not there is told on the console as such.
        assert [one for one in watched.complaints if "404" not in one] == []


def test_inline_script_and_style_are_refused_by_the_policy(chromium: Browser, address: str) -> None:
    with watched_page(chromium) as watched:
        page = watched.page
        page.goto(address)
        page.evaluate(
            """() => {
              const script = document.createElement("script");
              script.textContent = "window.ran = true";
              document.body.append(script);
              document.body.setAttribute("style", "display: none");
            }"""
        )

        assert page.evaluate("window.ran") is None
        assert page.evaluate("getComputedStyle(document.body).display") != "none"
        assert len([one for one in watched.complaints if "Content Security Policy" in one]) == 2


def test_the_theme_is_chosen_once_and_stays(chromium: Browser, address: str) -> None:
    with watched_page(chromium, theme="light") as watched:
        page = watched.page
        page.goto(address)
        toggle = page.get_by_role("button", name="Theme: system")
        toggle.click()
        page.get_by_role("button", name="Theme: light").click()
        page.goto(f"{address}/sites/{SITE}")

        expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
        assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


def test_a_keyboard_reaches_the_content_first(chromium: Browser, address: str) -> None:
    with watched_page(chromium) as watched:
        page = watched.page
        page.goto(address)
        page.keyboard.press("Tab")

        skip = page.get_by_role("link", name="Skip to content")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"


def test_the_menu_of_a_phone_opens_and_closes(chromium: Browser, address: str) -> None:
    with watched_page(chromium, size=PHONE) as watched:
        page = watched.page
        page.goto(address)
        entry = page.get_by_role("link", name="Data quality", exact=True)
        expect(entry).to_be_hidden()
        page.get_by_role("button", name="Menu").click()
        expect(entry).to_be_visible()
        page.keyboard.press("Escape")

        expect(entry).to_be_hidden()
        expect(page.get_by_role("button", name="Menu")).to_be_focused()


def test_a_search_changes_list_and_map_without_a_new_page(chromium: Browser, address: str) -> None:
    with watched_page(chromium) as watched:
        page = watched.page
        page.goto(address)
        expect(page.locator(".pin")).to_have_count(1)
        page.get_by_label("Search").fill("no such place")

        expect(page.get_by_text("No site matches")).to_be_visible()
        expect(page.locator(".pin")).to_have_count(0)
        expect(page).to_have_url(f"{address}/?q=no%20such%20place&show=all")
        assert watched.complaints == []


def test_a_class_of_movements_is_chosen_without_a_new_page(chromium: Browser, address: str) -> None:
    with watched_page(chromium) as watched:
        page = watched.page
        page.goto(f"{address}/sites/{SITE}?day={yesterday()}")
        page.get_by_label("Class", exact=True).select_option("bus")

        row = page.locator("#movements tr[data-leg='south-leg']")
        # The hours are not summed in this database: nothing is known, and nothing is made up.
        expect(row).to_contain_text("–")
        expect(page.locator("#movements .turns__drawing")).to_be_visible()
        assert watched.complaints == []


def test_the_live_feed_is_followed_while_the_page_is_open(chromium: Browser, address: str) -> None:
    with watched_page(chromium) as watched:
        watched.page.goto(address)

        expect(watched.page.locator("#live")).to_have_text("Live", timeout=15_000)
