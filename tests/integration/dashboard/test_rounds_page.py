"""The pages of federated runs over a real database and real run folders."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi import FastAPI

from common.rounds import RunState
from common.security import Role
from coordinator.database import Database
from tests.fakes.dashboard import PageClient
from tests.fakes.ops_city import OpsCity
from tests.fakes.ops_pages import HOSTILE, container_of, ops_app, rounds_with_boxes
from tests.fakes.ops_rounds import OpsRounds

pytestmark = pytest.mark.integration

NOW = datetime.now(UTC).replace(microsecond=0)
HTMX = {"HX-Request": "true"}


@pytest.fixture
def app(database: Database, tmp_path: Path) -> FastAPI:
    OpsCity(database, now=NOW)
    return ops_app(database, tmp_path, now=NOW)


@pytest.fixture
def rounds(app: FastAPI) -> OpsRounds:
    return rounds_with_boxes(app, now=NOW)


@pytest.fixture
def pages(app: FastAPI) -> PageClient:
    return PageClient(app)


def test_without_a_run_the_page_offers_the_first(pages: PageClient) -> None:
    text = pages.get("/rounds").text

    assert "No run yet" in text
    assert 'href="/rounds/-/launch"' in text


def test_runs_are_listed_with_what_became_of_them(rounds: OpsRounds, pages: PageClient) -> None:
    rounds.everything()

    text = pages.get("/rounds").text

    for words in ("night-2026-05", "Candidate", "Rejected", "Failed", "Running",
                  "its-yolo11n-1.1.0+night.pt", "the bench ended 6 times"):  # fmt: skip
        assert words in text, words


def test_a_run_tells_of_every_box_in_every_round(rounds: OpsRounds, pages: PageClient) -> None:
    rounds.everything()

    text = pages.get("/rounds/night-2026-05").text

    for words in ("Round 3", "points against the others", "1 did not come", "606.4 KiB", "48.4",
                  "mAP50", "bicycle", "+9.0", "FedAvg"):  # fmt: skip
        assert words in text, words


def test_curves_have_holes_where_a_box_was_missing(rounds: OpsRounds, app: FastAPI) -> None:
    rounds.everything()

    told = PageClient(app).get("/rounds/night-2026-05/curves.json").json()

    assert told["rounds"] == [1, 2, 3]
    night = next(line for line in told["map50"] if line["label"] == "night")
    assert night["values"] == [42.2, 45.3, 48.4]
    absent = next(line for line in told["loss"] if line["label"] == rounds.devices[1])
    assert absent["values"][1] is None


def test_a_ledger_that_does_not_hold_says_what(rounds: OpsRounds, pages: PageClient) -> None:
    rounds.launch("fresh")
    rounds.launch("made-up")
    rounds.finish_round("made-up", 1)

    fresh = pages.get("/rounds/fresh/verification", headers=HTMX).text
    made_up = pages.get("/rounds/made-up/verification", headers=HTMX).text

    assert "Everything holds: 0 lines" in fresh
    assert "round 1 of the ledger is not the one that was taken in" in made_up


def test_the_plan_is_shown_and_nothing_is_kept(rounds: OpsRounds, pages: PageClient) -> None:
    answer = pages.post("/rounds/-/plan", data={"rounds": "4", "who": "all"}, headers=HTMX)

    text = " ".join(answer.text.split())
    assert (answer.status_code, "<html" in text) == (200, False)
    assert "2, of which 2 must answer" in text
    assert rounds.devices[0] in text
    assert "No run yet" in pages.get("/rounds").text


def test_a_launched_run_is_planned_and_named(
    rounds: OpsRounds, app: FastAPI, pages: PageClient
) -> None:
    given = {
        "run": "night", "rounds": "4", "who": "chosen", "strategy": "fedprox",
        "devices": list(rounds.devices[:2]), "deadline_min": "7.5", "epochs": "2", "note": "why",
    }  # fmt: skip

    answer = pages.post("/rounds/-/launch", data=given)
    plan = container_of(app).training().show("night").plan

    assert answer.headers["location"] == "/rounds/night?done=launched"
    assert (plan.rounds, plan.strategy.value, plan.deadline_s) == (4, "fedprox", 450.0)
    assert (plan.local.epochs, plan.note) == (2, "why")


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        ({"run": "No Slug"}, 422, "Expected 1 to 64 of a-z"),
        ({"rounds": "0"}, 422, "Expected greater than or equal to 1"),
        ({"who": "chosen"}, 422, "Choose at least two boxes"),
        ({"deadline_min": "soon"}, 422, "Expected a number of minutes"),
        ({"strategy": "bulyan"}, 422, "expected at least 7"),
        ({"is_secure_sum": "yes"}, 422, "secure sum with"),
        ({"is_private": "yes", "clip_norm": "1", "noise_multiplier": "0.1", "most_epsilon": "1"},
         409, "cost epsilon"),
        ({"kind": "replay"}, 422, "anchor replay without data"),
    ],
    ids=["name", "rounds", "nobody", "deadline", "too few", "secure", "privacy", "anchor"],
)  # fmt: skip
def test_a_run_that_cannot_be_says_why_and_keeps_what_was_typed(
    rounds: OpsRounds, pages: PageClient, given: dict[str, str], status: int, words: str
) -> None:
    answer = pages.post(
        "/rounds/-/launch", data={"rounds": "2", "who": "all", "note": "kept words"} | given
    )

    assert answer.status_code == status
    assert words in html.unescape(answer.text)
    assert "kept words" in answer.text
    assert "No run yet" in pages.get("/rounds").text


def test_boxes_that_cannot_take_part_say_why(rounds: OpsRounds, pages: PageClient) -> None:
    text = pages.get("/rounds/-/launch").text

    assert "has 9 samples, expected at least 20" in text
    assert "412 samples" in text


def test_a_run_is_stopped_and_resumed(rounds: OpsRounds, app: FastAPI, pages: PageClient) -> None:
    rounds.launch("night")
    training = container_of(app).training()

    stopped = pages.post("/rounds/night/stop")
    after = training.show("night").state
    again = pages.post("/rounds/night/stop")
    resumed = pages.post("/rounds/night/resumption")

    assert stopped.headers["location"] == "/rounds/night?done=stopped"
    assert after is RunState.FAILED
    assert (again.status_code, "That is not possible now" in again.text) == (409, True)
    assert resumed.headers["location"] == "/rounds/night?done=resumed"
    assert training.show("night").state is RunState.PLANNED


def test_who_may_only_read_launches_and_stops_nothing(
    rounds: OpsRounds, database: Database, tmp_path: Path
) -> None:
    rounds.launch("night")
    pages = PageClient(ops_app(database, tmp_path, now=NOW, roles=(Role.AUDITOR,)))

    text = pages.get("/rounds/night").text
    answers = [
        pages.get("/rounds/-/launch"),
        pages.post("/rounds/-/plan", data={"rounds": "2"}),
        pages.post("/rounds/-/launch", data={"rounds": "2"}),
        pages.post("/rounds/night/stop"),
        pages.post("/rounds/night/resumption"),
    ]

    assert 'data-opens="stop-run"' not in text
    assert [answer.status_code for answer in answers] == [403] * 5


def test_what_people_and_boxes_wrote_never_becomes_markup(
    rounds: OpsRounds, pages: PageClient
) -> None:
    rounds.launch("night", note=HOSTILE)
    rounds.move("night", RunState.FAILED, reason=HOSTILE)
    rounds.launch("rain")
    rounds.finish_round("rain", 1)
    rounds.candidate("rain", reasons=(HOSTILE,))

    told = [
        pages.get("/rounds").text,
        pages.get("/rounds/night").text,
        pages.get("/rounds/rain").text,
        pages.post("/rounds/-/launch", data={"run": HOSTILE, "note": HOSTILE}).text,
        pages.post("/rounds/-/plan", data={"run": HOSTILE, "strategy": HOSTILE}).text,
    ]

    for text in told:
        assert "<script>alert" not in text
        assert "<img src=x" not in text
    for text in told[:-1]:
        assert "&lt;script&gt;" in text


def test_runs_of_another_tenant_are_not_there(rounds: OpsRounds, pages: PageClient) -> None:
    for path in ("", "/curves.json", "/verification"):
        assert pages.get(f"/rounds/strange{path}").status_code == 404
