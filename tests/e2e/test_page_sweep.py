"""Pages of people, models, alerts and the log in a real browser: no complaint at any width."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from common.free_ports import free_ports
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
from tests.fakes.story_people import sign_in_by_hand
from tests.screenshots.__main__ import pages_of
from tests.screenshots.seeding import Shown, shown_coordinator

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine"),
]

PAGES = (
    "models", "model", "rollout", "rollout-start", "alerts", "alert", "audit", "users", "account",
)  # fmt: skip
SIZES = pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])


@dataclass(frozen=True)
class Open:
    """A served city, and what the administrator's browser keeps of having signed in."""

    url: str
    shown: Shown
    signed_in: Any


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Open]:
    folder: Path = tmp_path_factory.mktemp("city")
    (port,) = free_ports(1)
    with shown_coordinator(folder) as shown, served(shown.app, port) as url:
        with watched_page(chromium) as watched:
            sign_in_by_hand(watched.page, url, shown.people["adele"])
            held = watched.page.context.storage_state()
        yield Open(url, shown, held)


def check(watched: WatchedPage, size: tuple[int, int]) -> None:
    """Nothing is wider than the window, nobody complains, and axe finds nothing serious."""
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert axe_findings(watched.page) == []
    assert watched.complaints == []


# Colours do not depend on the size, nor boxes on the colours: each once.
@pytest.mark.parametrize(
    ("size", "theme"),
    [pytest.param(PHONE, "light", id="phone"), pytest.param(DESKTOP, "dark", id="desktop")],
)
def test_pages_are_whole_at_every_size(
    chromium: Browser, city: Open, size: tuple[int, int], theme: str
) -> None:
    addresses = pages_of(city.shown)
    for name in PAGES:
        with watched_page(
            chromium, size=size, theme=theme, storage_state=city.signed_in
        ) as watched:
            watched.page.goto(city.url + addresses[name])
            expect(watched.page.locator("h1")).to_be_visible()
            check(watched, size)


@SIZES
def test_the_door_is_whole_at_every_size(
    chromium: Browser, city: Open, size: tuple[int, int]
) -> None:
    link = city.shown.container.people.accounts().add(f"nora-{size[0]}", {"viewer"}).url
    for path in ("/sign-in", f"/welcome?{link.partition('?')[2]}"):
        with watched_page(chromium, size=size) as watched:
            watched.page.goto(city.url + path)
            check(watched, size)
