"""People with passwords and phones → browsers in which they signed in by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, expect

from common.security import Role
from coordinator.container import CoordinatorContainer
from tests.fakes.browser import WatchedPage, watched_page
from tests.fakes.people import PASSWORD, Person, welcomed

NAMES = {
    Role.ANALYST: "vera",
    Role.TECHNICIAN: "tom",
    Role.ML_ENGINEER: "mila",
    Role.AUDITOR: "aurel",
    Role.ADMIN: "adele",
    Role.VIEWER: "victor",
}
SECOND_ENGINEER = "emil"


def everybody(container: CoordinatorContainer) -> dict[str, Person]:
    """One person of every role, and a second engineer, by name."""
    people = [(name, role) for role, name in NAMES.items()]
    people.append((SECOND_ENGINEER, Role.ML_ENGINEER))
    return {name: welcomed(container, name, role) for name, role in people}


def sign_in_by_hand(page: Page, url: str, person: Person, path: str = "/") -> None:
    """Ask for a page, be sent to the sign-in, type name, password and code, and arrive.

    A code counts once. Setting the account up used the code of that half minute, and this uses
    the next one, so somebody signs in once in a story.
    """
    page.goto(url + path)
    expect(page).to_have_title("Sign in · ITS Camera AI")
    page.get_by_label("Name").fill(person.name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Six digits").fill(person.phone.code(steps=1))
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(lambda found: urlsplit(found).path == urlsplit(path).path)


@contextmanager
def visit(
    chromium: Browser, url: str, person: Person, path: str = "/", **more: Any
) -> Iterator[WatchedPage]:
    """A browser in which somebody signed in; it must not have complained at the end."""
    with watched_page(chromium, **more) as watched:
        sign_in_by_hand(watched.page, url, person, path)
        yield watched
        assert watched.complaints == []
