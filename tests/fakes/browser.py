"""A real Chromium → pages that fail a test when the browser complains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking",
]  # fmt: skip
PHONE, DESKTOP, WALL = (390, 844), (1440, 900), (3840, 2160)


class WatchedPage:
    """A page with everything the browser complained about."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("console", self._heard)
        page.on("requestfailed", self._failed)

    def _heard(self, message: Any) -> None:
        # Policy violations are told as console errors too.
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def _failed(self, request: Any) -> None:
        # A stream or a question that ends because the page is left is no fault.
        if "ERR_ABORTED" not in (request.failure or ""):
            self.complaints.append(f"failed: {request.url} {request.failure}")


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium of the system; CI installs it."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        try:
            yield started
        finally:
            started.close()


@contextmanager
def watched_page(
    started: Browser, *, size: tuple[int, int] = DESKTOP, theme: str = "light", **more: Any
) -> Iterator[WatchedPage]:
    """One page in a context of its own."""
    width, height = size
    context = started.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, **more
    )
    try:
        yield WatchedPage(context.new_page())
    finally:
        context.close()


def axe_findings(page: Page) -> list[str]:
    """Serious and critical findings of axe, one line each."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['target']} {node['failureSummary'][:300]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
