"""``python -m tests.screenshots --out DIR`` → a PNG of every page, on a phone and on a desk.

People sign in as people do. The pages that are looked at most are taken in the dark as well.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from playwright.sync_api import Browser, Page

from common.free_ports import free_ports
from tests.fakes.browser import DESKTOP, PHONE, browser, watched_page
from tests.fakes.dashboard import served
from tests.fakes.people import PASSWORD
from tests.fakes.story_people import sign_in_by_hand
from tests.screenshots.seeding import Shown, shown_coordinator

_SETTLED_MS = 900
"""Charts and maps are drawn by then."""

_MAIN = ("city", "site", "quality", "fleet", "rounds", "models")


def pages_of(shown: Shown) -> dict[str, str]:
    """Name of the picture → path."""
    return {
        "city": "/",
        "site": "/sites/elm-and-main",
        "sections": "/sites/elm-and-main/cameras/cam-north/sections",
        "quality": "/quality",
        "anomaly": "/quality/anomalies/1",
        "fleet": "/fleet",
        "box": f"/fleet/{shown.box}",
        "tokens": "/fleet/tokens",
        "rounds": "/rounds",
        "run": "/rounds/night-2026-05",
        "launch": "/rounds/-/launch",
        "models": "/models",
        "model": f"/models/{shown.version}",
        "rollout": f"/rollouts/{shown.rollout}",
        "rollout-start": f"/rollouts/-/start?version={shown.version}",
        "alerts": "/alerts",
        "alert": "/alerts/1",
        "audit": "/audit",
        "users": "/users",
        "account": "/account",
        "not-found": "/nowhere",
    }


def take(
    out: Annotated[Path, typer.Option(help="Folder of the pictures.")],
    only: Annotated[str, typer.Option(help="Names, with commas between; default all.")] = "",
) -> None:
    """Take pictures of every page."""
    out.mkdir(parents=True, exist_ok=True)
    wanted = [name for name in only.split(",") if name]
    (port,) = free_ports(1)
    complaints = []
    with (
        tempfile.TemporaryDirectory() as folder,
        shown_coordinator(Path(folder)) as shown,
        served(shown.app, port) as url,
        browser() as chromium,
    ):
        pages = {n: path for n, path in pages_of(shown).items() if not wanted or n in wanted}
        if not wanted or "sign-in" in wanted:
            complaints += list(_doors(chromium, url, shown, out))
        complaints += list(_rooms(chromium, url, shown, out, pages))
    for one in complaints:
        typer.echo(one, err=True)
    sys.exit(1 if complaints else 0)


def _rooms(
    chromium: Browser, url: str, shown: Shown, out: Path, pages: dict[str, str]
) -> Iterator[str]:
    """Every page as the administrator sees it, who signs in once."""
    with watched_page(chromium) as watched:
        sign_in_by_hand(watched.page, url, shown.people["adele"])
        held = watched.page.context.storage_state()
    for theme in ("light", "dark"):
        for size in (DESKTOP, PHONE):
            with watched_page(chromium, size=size, theme=theme, storage_state=held) as watched:
                for name, path in pages.items():
                    if theme == "light" or name in _MAIN:
                        watched.page.goto(url + path)
                        _shoot(watched.page, out, name, size, theme)
                yield from (
                    f"{theme} {size[0]}: {one}" for one in watched.complaints if "404" not in one
                )


def _doors(chromium: Browser, url: str, shown: Shown, out: Path) -> Iterator[str]:
    """How somebody comes in: sign-in, code, and the first visit of somebody new."""
    link = shown.container.people.accounts().add("nora", {"viewer"}).url
    for size in (DESKTOP, PHONE):
        with watched_page(chromium, size=size) as watched:
            page = watched.page
            page.goto(f"{url}/sign-in")
            _shoot(page, out, "sign-in", size, "light")
            page.get_by_label("Name").fill("victor")
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Continue").click()
            page.get_by_label("Six digits").wait_for()
            _shoot(page, out, "sign-in-code", size, "light")
            yield from watched.complaints
    secret = link.partition("?")[2]
    with watched_page(chromium) as watched:
        page = watched.page
        page.goto(f"{url}/welcome?{secret}")
        _shoot(page, out, "welcome", DESKTOP, "light")
        for label in page.locator("input[type=password]").all():
            label.fill(PASSWORD)
        page.get_by_role("button").last.click()
        page.locator(".qr, img").first.wait_for()
        _shoot(page, out, "welcome-factor", DESKTOP, "light")
        yield from watched.complaints


def _shoot(page: Page, out: Path, name: str, size: tuple[int, int], theme: str) -> None:
    # Some charts are fetched when they come into view.
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.wait_for_timeout(_SETTLED_MS)
    page.evaluate("scrollTo(0, 0)")
    dark = "-dark" if theme == "dark" else ""
    page.screenshot(path=str(out / f"{name}-{size[0]}{dark}.png"), full_page=True)
    if name == "site" and size == DESKTOP and theme == "light":
        page.set_viewport_size({"width": 1440, "height": 1080})
        page.wait_for_timeout(_SETTLED_MS)
        page.screenshot(path=str(out / "dashboard.png"))
        page.set_viewport_size({"width": size[0], "height": size[1]})
    typer.echo(f"{name}-{size[0]}{dark}.png")


if __name__ == "__main__":
    typer.run(take)
