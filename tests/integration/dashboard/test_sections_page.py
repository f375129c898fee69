"""Drawing lines on a page, seeing a box take them, and the picture behind them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from common.plates import PlateOutcome
from common.security import Role
from coordinator.database import Database
from coordinator.schema import migrate
from tests.fakes.clocks import StandingClock
from tests.fakes.dashboard import PageClient, dashboard_app
from tests.fakes.drawn_site import BASE, CAMERA, DEVICE, LAYOUT, TENANT, DrawnSite
from tests.fakes.plates import webp_file
from tests.fakes.traffic_city import BUILT_AT

pytestmark = pytest.mark.integration

NOW = BUILT_AT + timedelta(days=60)
MOVED = {
    "name": "north leg",
    "use": "traffic",
    "is_area": False,
    "points_px": [[400, 310], [820, 300]],
}
DRAWING: dict[str, Any] = {"sections": [MOVED], "flows": []}


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock(NOW)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[DrawnSite]:
    database = Database(f"sqlite:///{tmp_path / 'its.db'}")
    migrate(database)
    site = DrawnSite(database, NOW)
    site.tell_health()
    yield site
    database.close()


@pytest.fixture
def pages(site: DrawnSite, clock: StandingClock, tmp_path: Path) -> PageClient:
    return PageClient(dashboard(site, clock, tmp_path, Role.TECHNICIAN))


def dashboard(site: DrawnSite, clock: StandingClock, folder: Path, *roles: Role) -> Any:
    return dashboard_app(site.database, clock, tenant=TENANT, data_folder=folder, roles=set(roles))


def send(pages: PageClient, drawing: Any = None, *, if_version: int = 0) -> Any:
    layout = drawing if isinstance(drawing, str) else json.dumps(drawing or DRAWING)
    return pages.post(f"{BASE}/sections", data={"layout": layout, "if_version": str(if_version)})


def drawn_on(page: str) -> dict[str, Any]:
    """The drawing that the page begins with."""
    (value,) = re.findall(r'name="layout" value="([^"]*)"', page)
    found: dict[str, Any] = json.loads(unescape(value))
    return found


def state_of(pages: PageClient) -> str:
    text = pages.get(f"{BASE}/sections/state").text
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_the_editor_begins_with_what_the_box_counts(pages: PageClient) -> None:
    page = pages.get(f"{BASE}/sections")

    assert page.status_code == 200
    drawn = drawn_on(page.text)
    assert [each["name"] for each in drawn["sections"]] == ["north leg", "east leg", "queue"]
    assert drawn["flows"] == LAYOUT["flows"]
    assert 'viewBox="0 0 1280 720"' in page.text
    assert f'href="/fleet/{DEVICE}"' in page.text


def test_a_drawing_becomes_the_wish_for_the_box(pages: PageClient, site: DrawnSite) -> None:
    answer = send(pages)

    assert (answer.status_code, answer.headers["location"]) == (303, f"{BASE}/sections#wish")
    twin = site.twin()
    assert twin is not None
    assert twin.desired_version == 1
    assert twin.desired["cameras"] == [
        {"camera": CAMERA, "mode": "statistics", "sections": [MOVED], "flows": []}
    ]


def test_the_wish_is_followed_from_sent_to_counted(pages: PageClient, site: DrawnSite) -> None:
    states = [state_of(pages)]
    send(pages)
    states.append(state_of(pages))
    site.tell_health(twin_seen=1, twin_version=1, twin_state="applied")
    states.append(state_of(pages))
    site.tell_layout({**LAYOUT, "sections": [MOVED], "flows": []})
    states.append(state_of(pages))

    assert "Nothing sent yet" in states[0]
    assert "Waiting for the box" in states[1]
    assert "The box counts with this drawing. Sent" in states[2]
    assert "It told so just now" in states[3]


@pytest.mark.parametrize(
    ("health", "told"),
    [
        pytest.param(
            {"twin_state": "refused", "twin_reason": "unknown_camera"},
            "The box says: it has no camera of this name",
            id="refused",
        ),
        pytest.param(
            {"twin_state": "rolled_back", "twin_reason": "camera_lost"},
            "The box says: a camera that gave numbers before gave none with the new lines",
            id="rolled back",
        ),
        pytest.param(
            {"twin_state": "refused", "twin_reason": "some_new_word"},
            "The box says: some_new_word",
            id="a reason of a newer box",
        ),
        pytest.param(
            {"twin_state": "applied", "twin_version": 0},
            "Somebody has edited the site file on the box since",
            id="changed by hand",
        ),
    ],
)
def test_the_box_s_own_word_is_shown(
    pages: PageClient, site: DrawnSite, health: dict[str, Any], told: str
) -> None:
    send(pages)

    site.tell_health(twin_seen=1, **health)

    assert told in state_of(pages)


def test_an_older_verdict_is_not_taken_for_one_on_the_newest_wish(
    pages: PageClient, site: DrawnSite
) -> None:
    send(pages)
    site.tell_health(twin_seen=1, twin_state="refused", twin_reason="not_valid")
    send(pages, if_version=1)

    assert "Waiting for the box" in state_of(pages)


def test_a_refused_drawing_is_kept_to_be_mended_and_the_box_s_own_can_be_had(
    pages: PageClient, site: DrawnSite
) -> None:
    send(pages)
    site.tell_health(twin_seen=1, twin_state="refused", twin_reason="not_valid")

    assert drawn_on(pages.get(f"{BASE}/sections").text)["sections"] == [MOVED]
    assert len(drawn_on(pages.get(f"{BASE}/sections?from=box").text)["sections"]) == 3


def test_a_drawing_with_a_mistake_comes_back_with_it(pages: PageClient, site: DrawnSite) -> None:
    outside = {**MOVED, "points_px": [[0, 0], [5000, 5]]}

    answer = send(pages, {"sections": [outside], "flows": []})

    assert answer.status_code == 422
    assert "outside the frame, expected 0 to 1280 and 0 to 720" in unescape(answer.text)
    assert drawn_on(answer.text)["sections"] == [outside]
    assert site.twin() is None


def test_nobody_overwrites_what_somebody_else_sent_since(
    pages: PageClient, site: DrawnSite
) -> None:
    send(pages)

    answer = send(pages, if_version=0)

    assert answer.status_code == 422
    assert "was told version 1, expected 0" in answer.text
    assert drawn_on(answer.text) == DRAWING


def test_a_name_cannot_carry_markup_into_the_page(pages: PageClient) -> None:
    evil = {**MOVED, "name": '"><img src=x onerror=alert(1)>'}

    answer = send(pages, {"sections": [evil], "flows": []})

    assert answer.status_code == 422
    assert "<img src=x" not in answer.text
    assert drawn_on(answer.text)["sections"] == [evil]


def test_the_drawing_is_checked_while_it_is_drawn(pages: PageClient) -> None:
    good = pages.post(f"{BASE}/sections/check", json=DRAWING)
    bad = pages.post(f"{BASE}/sections/check", json={"sections": [], "flows": []})
    broken = pages.post(f"{BASE}/sections/check", json={"sections": [1]})

    assert good.json() == {"mistakes": []}
    assert bad.json()["mistakes"][0]["where"] == "drawing"
    assert broken.status_code == 422


def test_other_cameras_keep_what_they_were_told(pages: PageClient, site: DrawnSite) -> None:
    send(pages)
    other = {**LAYOUT, "camera": "south"}
    twin = site.twin()
    assert twin is not None
    site.add_camera("south", other)
    pages.post(
        BASE.replace(CAMERA, "south") + "/sections",
        data={"layout": json.dumps(DRAWING), "if_version": "1"},
    )

    twin = site.twin()
    assert twin is not None
    assert sorted(each["camera"] for each in twin.desired["cameras"]) == ["north", "south"]


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.TECHNICIAN, 200), (Role.ADMIN, 200), (Role.VIEWER, 403), (Role.ANALYST, 403),
     (Role.ML_ENGINEER, 403), (Role.AUDITOR, 403)],
)  # fmt: skip
def test_only_who_may_draw_sees_the_editor_and_the_picture(
    site: DrawnSite, clock: StandingClock, tmp_path: Path, role: Role, status: int
) -> None:
    app = dashboard(site, clock, tmp_path, role)
    app.state.container.plates().wish("elm-and-main", CAMERA)
    site.answer_plate(1, PlateOutcome.TAKEN, webp_file(64, 48))
    pages = PageClient(app)

    for path in ("/sections", "/sections/state", "/plate", "/plate/state"):
        assert pages.get(BASE + path).status_code == status, path
    assert send(pages).status_code == (303 if status == 200 else 403)


def test_a_picture_is_asked_for_and_served_as_what_it_is(
    pages: PageClient, site: DrawnSite
) -> None:
    asked = pages.post(f"{BASE}/plate", headers={"HX-Request": "true"})
    site.answer_plate(1, PlateOutcome.TAKEN, webp_file(64, 48))
    part = pages.get(f"{BASE}/plate/state").text
    picture = pages.get(f"{BASE}/plate?number=1")

    assert "hx-trigger" in asked.text
    assert 'data-plate-number="1"' in part
    assert "hx-trigger" not in part
    assert picture.content == webp_file(64, 48)
    assert picture.headers["content-type"] == "image/webp"
    assert picture.headers["x-content-type-options"] == "nosniff"
    assert picture.headers["cache-control"] == "private, no-store"


def test_a_box_that_sends_no_pictures_is_told_of_with_the_way_out(
    pages: PageClient, site: DrawnSite
) -> None:
    assert pages.post(f"{BASE}/plate").status_code == 303
    site.answer_plate(1, PlateOutcome.NOT_ALLOWED)

    part = pages.get(f"{BASE}/plate/state").text

    assert "plates_on_request is not set" in part
    assert "Open a picture that was made on the box" in part
    assert pages.get(f"{BASE}/plate").status_code == 404


def test_a_picture_can_be_deleted(pages: PageClient, site: DrawnSite) -> None:
    pages.post(f"{BASE}/plate")
    site.answer_plate(1, PlateOutcome.TAKEN, webp_file(64, 48))

    pages.post(f"{BASE}/plate", data={"action": "forget"})

    assert pages.get(f"{BASE}/plate").status_code == 404


@pytest.mark.parametrize(
    "base", ["/sites/elm-and-main/cameras/west", "/sites/harbour/cameras/north"]
)
def test_what_nobody_told_of_has_no_editor(pages: PageClient, base: str) -> None:
    for path in ("/sections", "/sections/state", "/plate", "/plate/state"):
        assert pages.get(base + path).status_code == 404
