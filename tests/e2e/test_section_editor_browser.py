"""The section editor in a real browser: with a mouse, a finger and the keys alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from common.free_ports import free_port
from common.plates import PlateOutcome
from common.security import Role
from common.timing import SystemClock
from coordinator.database import Database
from coordinator.schema import migrate
from edge.anonymise.plate_pictures import to_webp
from tests.fakes.browser import DESKTOP, PHONE, WatchedPage, axe_findings, browser, watched_page
from tests.fakes.dashboard import dashboard_app, served
from tests.fakes.drawn_site import BASE, TENANT, DrawnSite

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Served:
    """A real site behind a real socket."""

    url: str
    site: DrawnSite
    container: Any


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture
def editor(tmp_path: Path) -> Iterator[Served]:
    database = Database(f"sqlite:///{tmp_path / 'its.db'}")
    migrate(database)
    site = DrawnSite(database, datetime.now(UTC))
    site.tell_health()
    app = dashboard_app(
        database, SystemClock(), tenant=TENANT, data_folder=tmp_path, roles={Role.TECHNICIAN}
    )
    with served(app, free_port()) as url:
        yield Served(url, site, app.state.container)
    database.close()


def opened(watched: WatchedPage, editor: Served) -> Page:
    page = watched.page
    page.goto(f"{editor.url}{BASE}/sections")
    page.wait_for_selector("#drawing .section")
    page.locator("#drawing").evaluate("drawing => drawing.scrollIntoView({block: 'center'})")
    return page


def place(page: Page, x: float, y: float) -> tuple[float, float]:
    """A share of the drawing → pixels of the screen."""
    box = page.locator("#drawing").bounding_box()
    assert box is not None
    return box["x"] + box["width"] * x, box["y"] + box["height"] * y


def drawn(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page.input_value("[data-layout]"))
    return found


def test_a_line_is_drawn_renamed_undone_and_sent(chromium: Browser, editor: Served) -> None:
    with watched_page(chromium, size=DESKTOP) as watched:
        page = opened(watched, editor)
        page.click("[data-tool=line]")
        page.mouse.move(*place(page, 0.1, 0.5))
        page.mouse.down()
        page.mouse.move(*place(page, 0.2, 0.6))
        page.mouse.move(*place(page, 0.25, 0.75))
        page.mouse.up()

        assert drawn(page)["sections"][3]["points_px"] == pytest.approx(
            np.array([[128, 360], [320, 540]]), abs=2
        )
        page.click("[data-undo]")
        assert len(drawn(page)["sections"]) == 3
        page.click("[data-redo]")
        page.click(".item__head >> nth=3")
        page.fill('[data-key="section name 3"]', "west leg")
        page.wait_for_function("!document.querySelector('[data-send]').disabled")
        page.click("[data-send]")
        page.wait_for_selector('#wish[data-wish-step="sent"]')
        twin = editor.site.twin()
        assert twin is not None
        assert twin.desired["cameras"][0]["sections"][3]["name"] == "west leg"

        editor.site.tell_health(twin_seen=1, twin_state="refused", twin_reason="not_valid")
        page.wait_for_selector('#wish[data-wish-step="refused"]')
        assert "does not hold together" in page.inner_text("#wish")
        assert axe_findings(page) == []
        assert watched.complaints == []


def test_a_mistake_is_told_while_drawing_and_nothing_can_be_sent(
    chromium: Browser, editor: Served
) -> None:
    with watched_page(chromium, size=DESKTOP) as watched:
        page = opened(watched, editor)
        page.click(".item__head >> nth=1")

        page.fill('[data-key="section name 1"]', "north leg")

        page.wait_for_selector(".item--wrong")
        assert "'north leg' is named 2 times" in page.inner_text(".editor__mistakes")
        assert page.is_disabled("[data-send]")
        assert axe_findings(page) == []


def test_everything_can_be_done_with_keys(chromium: Browser, editor: Served) -> None:
    with watched_page(chromium, size=DESKTOP) as watched:
        page = opened(watched, editor)
        page.focus("[data-tool=area]")
        page.keyboard.press("Enter")
        page.focus("[data-middle]")
        page.keyboard.press("Enter")
        before = drawn(page)["sections"][3]["points_px"]

        page.focus('[data-key="point 3 0"]')
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Shift+ArrowDown")

        (x, y), *rest = before
        assert drawn(page)["sections"][3]["points_px"] == [[x + 1, y + 10], *rest]
        page.keyboard.press("Delete")
        assert len(drawn(page)["sections"][3]["points_px"]) == 3
        page.focus('[data-key="section 3"]')
        page.keyboard.press("Delete")
        assert len(drawn(page)["sections"]) == 3
        page.keyboard.press("Control+z")
        assert len(drawn(page)["sections"]) == 4


def test_a_finger_draws_a_line_and_the_page_fits_a_phone(chromium: Browser, editor: Served) -> None:
    with watched_page(chromium, size=PHONE, has_touch=True) as watched:
        page = opened(watched, editor)
        page.tap("[data-tool=line]")
        page.touchscreen.tap(*place(page, 0.1, 0.5))
        page.touchscreen.tap(*place(page, 0.3, 0.8))

        assert drawn(page)["sections"][3]["points_px"] == pytest.approx(
            np.array([[128, 360], [384, 576]]), abs=6
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        assert axe_findings(page) == []
        assert watched.complaints == []


def test_a_picture_from_the_box_comes_behind_the_lines_by_itself(
    chromium: Browser, editor: Served
) -> None:
    with watched_page(chromium, size=DESKTOP) as watched:
        page = opened(watched, editor)
        assert page.locator("#drawing image").count() == 0
        page.click("#plate button")
        page.wait_for_selector("#plate .spinner")

        webp = to_webp(np.full((540, 960, 3), 90, np.uint8))
        assert editor.site.answer_plate(1, PlateOutcome.TAKEN, webp)

        page.wait_for_selector("#drawing image")
        page.wait_for_load_state("networkidle")
        assert "/plate?number=1" in str(page.get_attribute("#drawing image", "href"))
        assert watched.complaints == []


def test_a_file_stays_in_the_browser(chromium: Browser, editor: Served, tmp_path: Path) -> None:
    picture = tmp_path / "preview.png"
    cv2.imwrite(str(picture), np.full((360, 640, 3), 120, np.uint8))
    with watched_page(chromium, size=DESKTOP) as watched:
        page = opened(watched, editor)
        sent: list[str] = []
        page.on("request", lambda request: sent.append(f"{request.method} {request.url}"))

        page.set_input_files("[data-file]", str(picture))

        page.wait_for_selector("#drawing image")
        assert str(page.get_attribute("#drawing image", "href")).startswith("blob:")
        assert not [line for line in sent if "blob:" not in line and "/sections" not in line]
        assert not [line for line in sent if line.startswith("POST") and "/check" not in line]
        assert watched.complaints == []
