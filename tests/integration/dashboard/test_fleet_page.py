"""The pages of boxes over a real database: health, configuration, tokens and the end of a box."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI

from common.enrolment import EnrolmentToken
from common.messages import CameraState
from common.release.reasons import IN_WORDS, LOW_F1
from common.security import Role
from coordinator.database import Database
from coordinator.fleet.states import DeviceState
from tests.fakes.dashboard import PageClient
from tests.fakes.ops_city import OpsCity
from tests.fakes.ops_fleet import OpsFleet
from tests.fakes.ops_pages import HOSTILE, container_of, ops_app

pytestmark = pytest.mark.integration

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def app(database: Database, tmp_path: Path) -> FastAPI:
    OpsCity(database, now=NOW)
    return ops_app(database, tmp_path, now=NOW)


@pytest.fixture
def fleet(app: FastAPI) -> OpsFleet:
    return OpsFleet(container_of(app), now=NOW)


@pytest.fixture
def pages(app: FastAPI) -> PageClient:
    return PageClient(app)


def viewer(database: Database, folder: Path) -> PageClient:
    return PageClient(ops_app(database, folder, now=NOW, roles=(Role.VIEWER,)))


def test_a_fleet_without_boxes_says_how_to_add_one(pages: PageClient) -> None:
    text = pages.get("/fleet").text

    assert "No box yet" in text
    assert 'href="/fleet/tokens"' in text


def test_every_condition_of_a_box_has_its_words(fleet: OpsFleet, pages: PageClient) -> None:
    boxes = fleet.everything()

    text = pages.get("/fleet").text
    ended = pages.get("/fleet", params={"show": "ended"}).text

    for words in ("Silent for 7 h 00 min", "Never heard of", "Applied v1", "Refused v1",
                  "Waiting for v1", "1.2.0: refused", "1.2.0: watching", "2.0 GiB free", "91 °C",
                  "940 waiting"):  # fmt: skip
        assert words in text, words
    assert boxes["ended"] not in text
    assert "stolen from the pole" in ended


def test_only_boxes_that_need_attention_are_listed(fleet: OpsFleet, pages: PageClient) -> None:
    boxes = fleet.everything()

    text = pages.get("/fleet", params={"show": "attention"}).text

    assert boxes["troubled"] in text
    assert boxes["silent"] in text
    assert boxes["well"] not in text


def test_a_box_is_found_by_its_site(fleet: OpsFleet, pages: PageClient) -> None:
    boxes = fleet.everything()

    text = pages.get("/fleet", params={"q": "Harbour"}).text

    assert boxes["updating"] in text
    assert boxes["well"] not in text


def test_a_list_of_many_boxes_is_paged(fleet: OpsFleet, pages: PageClient) -> None:
    for _ in range(51):
        fleet.enrol("elm-and-main")

    text = pages.get("/fleet", params={"page": "2"}).text

    assert "51 to 51 of 51" in text


def test_one_box_tells_everything(fleet: OpsFleet, pages: PageClient) -> None:
    boxes = fleet.everything()

    text = pages.get(f"/fleet/{boxes['troubled']}").text

    for words in ("No frames", "9.7", IN_WORDS[LOW_F1],
                  "F1 64.2", "18 samples", "temperature, window", "Refused v1",
                  "7 d 0 h"):  # fmt: skip
        assert words in text, words


def test_cameras_of_a_silent_box_are_not_said_to_run(fleet: OpsFleet, pages: PageClient) -> None:
    boxes = fleet.everything()

    text = pages.get(f"/fleet/{boxes['silent']}").text

    assert "Was running" in text


def test_desired_and_reported_layouts_are_compared(fleet: OpsFleet, pages: PageClient) -> None:
    device = fleet.enrol("elm-and-main")
    fleet.heard(device)
    fleet.wish(device)

    text = pages.get(f"/fleet/{device}").text

    # Nothing is desired of the camera, and it reports four sections.
    assert "section north-leg is still there" in text
    assert "4 sections, 3 flows" in text


def test_a_token_is_shown_once(fleet: OpsFleet, app: FastAPI, pages: PageClient) -> None:
    # As a browser sends it: fields that nobody filled in are there, and blank.
    blank = dict.fromkeys(("replaces", "name", "timezone", "latitude", "longitude"), "")
    made = pages.post("/fleet/tokens", data={"site": "new-site", "hours": "24"} | blank)
    listed = pages.get("/fleet/tokens").text

    text = html.unescape(re.findall(r'id="token-text"[^>]*>([^<]+)<', made.text)[0])
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    assert EnrolmentToken.from_text(text).to_text() == text
    assert "its-camera-ai edge enroll --coordinator https://127.0.0.1:8443" in made.text
    assert 'src="data:image/svg+xml' in made.text
    assert text not in listed
    assert "new-site" in listed
    assert [one.site for one in container_of(app).tokens().list()] == ["new-site"]


def test_an_open_token_is_revoked_once(fleet: OpsFleet, app: FastAPI, pages: PageClient) -> None:
    pages.post("/fleet/tokens", data={"site": "new-site", "hours": "24"})
    (token,) = container_of(app).tokens().list()
    path = f"/fleet/tokens/{token.id}/revocation"

    before = pages.get("/fleet/tokens").text
    revoked = pages.post(path, data={})
    after = pages.get(revoked.headers["location"]).text
    again = pages.post(path, data={})

    assert f'action="{path}"' in before
    assert revoked.status_code == 303
    assert "nobody enrols with it any more" in after
    assert path not in after
    assert again.status_code == 409
    assert "is over" in again.text


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("site", "No Slug", "Expected 1 to 64 of a-z"),
        ("hours", "0", "Expected greater than or equal to 0.1"),
        ("hours", "soon", "valid number"),
        ("latitude", "91", "Expected less than or equal to 90"),
        ("timezone", "Mars/Olympus", "is not known"),
    ],
)
def test_a_token_that_cannot_be_is_refused_beside_its_field(
    fleet: OpsFleet, app: FastAPI, pages: PageClient, field: str, value: str, words: str
) -> None:
    given = {"site": "new-site", "hours": "24", field: value}

    answer = pages.post("/fleet/tokens", data=given)

    assert answer.status_code == 422
    assert words in html.unescape(answer.text)
    assert f'value="{value}"' in answer.text
    assert container_of(app).tokens().list() == []


def test_a_box_is_retired_when_its_name_is_typed(
    fleet: OpsFleet, app: FastAPI, pages: PageClient
) -> None:
    device = fleet.enrol("elm-and-main")
    path = f"/fleet/{device}/retirement"

    mistyped = pages.post(path, data={"name": device[:-1], "reason": "stolen"})
    unexplained = pages.post(path, data={"name": device, "reason": " "})
    still = container_of(app).fleet().show(device).state
    retired = pages.post(path, data={"name": device, "reason": "stolen"})
    again = pages.post(path, data={"name": device, "reason": "stolen"})

    assert (mistyped.status_code, unexplained.status_code) == (422, 422)
    assert f"Type {device} to make sure" in mistyped.text
    assert still is DeviceState.ENROLLED
    assert retired.headers["location"] == f"/fleet/{device}?done=retired"
    assert container_of(app).fleet().show(device).ended_why == "stolen"
    assert again.status_code == 409


def test_a_viewer_changes_nothing(fleet: OpsFleet, database: Database, tmp_path: Path) -> None:
    device = fleet.enrol("elm-and-main")
    pages = viewer(database, tmp_path)

    text = pages.get(f"/fleet/{device}").text
    answers = [
        pages.get("/fleet/tokens"),
        pages.post("/fleet/tokens", data={"site": "new-site", "hours": "24"}),
        pages.post(f"/fleet/tokens/{'0' * 12}/revocation", data={}),
        pages.get(f"/fleet/{device}/retirement"),
        pages.post(f"/fleet/{device}/retirement", data={"name": device, "reason": "x"}),
    ]

    assert "Retire" not in text
    assert [answer.status_code for answer in answers] == [403] * 5


def test_what_boxes_and_people_wrote_never_becomes_markup(
    fleet: OpsFleet, app: FastAPI, pages: PageClient
) -> None:
    device = fleet.enrol("elm-and-main")
    fleet.heard(device, cameras=(CameraState(camera="cam-north", state="running"),))
    ended = fleet.enrol("elm-and-main")
    container_of(app).fleet().retire(ended, reason=HOSTILE)
    told = [
        pages.get("/fleet", params={"q": HOSTILE}).text,
        pages.get("/fleet", params={"show": "ended"}).text,
        pages.get(f"/fleet/{ended}").text,
        pages.post("/fleet/tokens", data={"site": HOSTILE, "hours": HOSTILE}).text,
        pages.post(f"/fleet/{device}/retirement", data={"name": HOSTILE, "reason": "x"}).text,
    ]

    for text in told:
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "&lt;script&gt;" in text


def test_certificates_that_were_not_renewed_in_time_are_named(
    fleet: OpsFleet, database: Database, tmp_path: Path
) -> None:
    device = fleet.enrol("elm-and-main")
    later = NOW + timedelta(hours=168 * 0.8)
    pages = PageClient(ops_app(database, tmp_path, now=later))

    text = pages.get(f"/fleet/{device}").text

    assert "Certificate: 1 d 9 h left" in text
