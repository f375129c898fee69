"""What pages must never do: run foreign text, be framed, be kept, be shown to strangers."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from sqlmodel import select

from common.security import Role
from coordinator.dashboard.assets import packaged_assets
from coordinator.dashboard.security_headers import CONTENT_SECURITY_POLICY
from coordinator.fleet.tables import SiteRow
from coordinator.traffic.tables import LayoutRow, SeriesRow
from tests.fakes.dashboard import PageClient
from tests.fakes.traffic_city import LAYOUT, SITE, TrafficCity
from tests.integration.dashboard.conftest import AppOf

pytestmark = pytest.mark.integration

PAGE = f"/sites/{SITE}"
ATTACK = """"><img src=x onerror=alert(1)><script>alert('2')</script>"""
PATHS = ("/", PAGE, f"{PAGE}/movements", f"{PAGE}/now")


class ReadPage(HTMLParser):
    """Reads a page as a browser would; ``foreign`` is what no template of ours has."""

    def __init__(self) -> None:
        super().__init__()
        self.foreign: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag == "script" and "src" not in names:
            self.foreign.append("script without a source")
        self.foreign += [name for name in names if name.startswith("on") or name == "style"]


def poison(city: TrafficCity) -> None:
    """Every text that a box or a person may have written."""
    with city.database.session() as session:
        site = session.get(SiteRow, city.site_id)
        assert site is not None
        site.name = ATTACK
        for series in session.scalars(select(SeriesRow)):
            series.name = series.name.replace("north-leg", ATTACK[:60])
        layout = session.scalars(select(LayoutRow)).one()
        flows = [flow | {"start": ATTACK[:60]} for flow in LAYOUT["flows"]]
        layout.content = LAYOUT | {"flows": flows}


@pytest.mark.parametrize("path", [*PATHS, "/?q=" + "%22%3E%3Cscript%3Ealert(3)%3C/script%3E"])
def test_text_of_others_stays_text(city: TrafficCity, pages: PageClient, path: str) -> None:
    poison(city)

    text = pages.get(path).text

    read = ReadPage()
    read.feed(text)
    assert "<img src=x" not in text
    assert read.foreign == []


def test_what_is_told_in_a_problem_page_stays_text(pages: PageClient) -> None:
    text = pages.get("/?show=%3Cscript%3Ealert(1)%3C/script%3E").text

    assert "<script>alert" not in text


@pytest.mark.parametrize("path", [*PATHS, f"{PAGE}/day.json", "/nowhere"])
def test_every_answer_tells_the_browser_what_it_must_not_do(pages: PageClient, path: str) -> None:
    headers = pages.get(path).headers

    assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"


def test_static_files_are_kept_for_ever_under_the_address_of_their_build(
    pages: PageClient,
) -> None:
    assets = packaged_assets()

    fresh = pages.get(assets.address("js/shell.js"))
    old = pages.get("/static/0123456789abcdef/js/shell.js")

    assert fresh.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert fresh.headers["Content-Type"] == "text/javascript; charset=utf-8"
    # httpx asks for gzip and unpacks it.
    assert fresh.headers["Content-Encoding"] == "gzip"
    assert fresh.text == old.text
    assert old.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "name", ["../rendering.py", "..%2f..%2fcontainer.py", "js/none.js", "", "/etc/passwd"]
)
def test_nothing_but_static_files_is_served_as_one(pages: PageClient, name: str) -> None:
    answer = pages.get(f"/static/{packaged_assets().build}/{name}")

    # A path that was folded is sent on to where nothing is either.
    assert answer.status_code in (307, 404)
    assert "def " not in answer.text


def test_strangers_are_led_to_the_sign_in_and_back(city: TrafficCity, app_of: AppOf) -> None:
    stranger = PageClient(app_of(None))

    page = stranger.get(f"{PAGE}?day=2026-03-01")
    part = stranger.get("/", headers={"HX-Request": "true"})

    assert (page.status_code, page.headers["Location"]) == (
        303,
        "/sign-in?next=%2Fsites%2Felm-and-main%3Fday%3D2026-03-01",
    )
    assert (part.status_code, part.headers["HX-Redirect"]) == (401, "/sign-in?next=%2F")


def test_programs_get_the_problem_body_as_before(city: TrafficCity, app_of: AppOf) -> None:
    stranger = PageClient(app_of(None))

    answers = [
        stranger.get("/api/v1/sites"),
        stranger.get(PAGE, headers={"Accept": "application/json"}),
    ]

    assert [one.status_code for one in answers] == [401, 401]
    assert {one.headers["Content-Type"] for one in answers} == {"application/problem+json"}


def test_a_page_that_is_not_theirs_says_which_permission_it_needs(
    city: TrafficCity, app_of: AppOf
) -> None:
    answer = PageClient(app_of((Role.VIEWER,))).get("/users")

    assert answer.status_code == 403
    assert "users:manage" in answer.text
    assert 'aria-label="Main"' in answer.text


def test_a_page_carries_the_token_of_its_forms_and_who_is_signed_in(pages: PageClient) -> None:
    text = pages.get("/").text

    assert 'name="csrf-token" content="token-of-a-test"' in text
    assert "Vera Brandt" in text
