"""Signing in over the API, as a script does it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from common.security import Permission, Role, SecurityLevel
from coordinator.app import create_app
from coordinator.container import CoordinatorContainer
from coordinator.security.sessions import Medium
from tests.fakes.asgi_client import ask
from tests.fakes.clocks import StandingClock
from tests.fakes.people import PASSWORD, welcomed
from tests.fakes.recorded_events import recorded_events
from tests.fakes.signed_in import SignedInClient, program, sign_in

pytestmark = pytest.mark.integration
SESSION = "/api/v1/session"


@pytest.fixture
def app(container: CoordinatorContainer) -> FastAPI:
    return create_app(container)


def post(app: FastAPI, path: str, body: Any, token: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return ask(app, "POST", path, json=body, headers=headers)


def test_a_script_signs_in_with_two_steps_and_goes_on_by_refreshing(
    app: FastAPI, container: CoordinatorContainer, clock: StandingClock
) -> None:
    anna = welcomed(container, "anna", Role.ANALYST)
    clock.move(60)
    first = post(app, SESSION, {"name": "Anna ", "password": PASSWORD})
    second = post(app, f"{SESSION}/code", {"code": anna.phone.code()}, first.json()["access_token"])
    held = second.json()
    clock.move(299)
    who = ask(app, "GET", SESSION, headers={"Authorization": f"Bearer {held['access_token']}"})
    renewed = post(app, f"{SESSION}/refresh", {"refresh_token": held["refresh_token"]})
    clock.move(1)
    late = ask(app, "GET", SESSION, headers={"Authorization": f"Bearer {held['access_token']}"})

    assert (first.status_code, first.json()["next"]) == (201, "code")
    assert first.json()["refresh_token"] is None
    assert (second.status_code, held["next"], held["expires_in_s"]) == (200, "done", 300)
    assert (who.json()["name"], who.json()["level"]) == ("anna", "fresh")
    assert Permission.TRAFFIC_EXPORT in who.json()["permissions"]
    assert renewed.status_code == 200
    assert late.status_code == 401


def test_half_a_sign_in_reads_nothing(app: FastAPI, container: CoordinatorContainer) -> None:
    half = sign_in(container, Role.ADMIN, level=SecurityLevel.PASSWORD)
    answers = {
        path: ask(app, "GET", f"/api/v1/{path}", headers=half.bearer).status_code
        for path in ("devices", "users", "session/list", "session")
    }

    assert answers == {"devices": 403, "users": 403, "session/list": 403, "session": 200}


def test_a_wrong_password_says_how_to_sign_in_and_not_what_was_wrong(app: FastAPI) -> None:
    answer = post(app, SESSION, {"name": "nobody", "password": "wrong wrong wrong"})

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["detail"] == "name, password or code is not right"


def test_a_flood_is_put_off(app: FastAPI) -> None:
    answers = [
        post(app, SESSION, {"name": f"n{number}", "password": "wrong wrong wrong"}).status_code
        for number in range(11)
    ]

    assert answers == [401] * 10 + [429]


def test_signing_out_ends_tokens_at_once(app: FastAPI, container: CoordinatorContainer) -> None:
    anna = sign_in(container, Role.VIEWER)
    before = ask(app, "GET", "/api/v1/devices", headers=anna.bearer).status_code
    out = ask(app, "DELETE", SESSION, headers=anna.bearer).status_code
    after = ask(app, "GET", "/api/v1/devices", headers=anna.bearer).status_code

    assert (before, out, after) == (200, 204, 401)


def test_a_disabled_user_is_nobody_from_the_next_request_on(
    app: FastAPI, container: CoordinatorContainer
) -> None:
    anna = sign_in(container, Role.VIEWER, name="anna")
    admin = SignedInClient(app, sign_in(container, Role.ADMIN), by=Medium.API)
    disabled = admin.post("/api/v1/users/anna/disabling")

    assert disabled.json()["state"] == "disabled"
    assert ask(app, "GET", "/api/v1/devices", headers=anna.bearer).status_code == 401


def test_changing_people_asks_for_the_phone_again(
    app: FastAPI, container: CoordinatorContainer
) -> None:
    stale = sign_in(container, Role.ADMIN, level=SecurityLevel.MULTI_FACTOR)
    client = SignedInClient(app, stale, by=Medium.API)
    listed = client.get("/api/v1/users")
    refused = client.post("/api/v1/users", json={"name": "bert", "roles": ["viewer"]})
    fresh = SignedInClient(app, sign_in(container, Role.ADMIN), by=Medium.API)
    added = fresh.post("/api/v1/users", json={"name": "bert", "roles": ["viewer"]})

    assert (listed.status_code, refused.status_code, added.status_code) == (200, 403, 201)
    assert added.json()["url"].startswith("http://127.0.0.1:8000/welcome?link=")


def test_forged_tokens_are_noted_and_old_ones_are_not(
    app: FastAPI, container: CoordinatorContainer, clock: StandingClock
) -> None:
    anna = sign_in(container, Role.VIEWER)
    clock.move(301)
    for token in (anna.bearer["Authorization"], "Bearer a.b.c", "Bearer its_service_made_up"):
        answer = ask(app, "GET", "/api/v1/devices", headers={"Authorization": token})
        assert answer.status_code == 401

    assert [kind for kind, *_ in recorded_events(container)] == ["token_refused"] * 2


def test_a_bad_token_is_nobody_even_beside_a_good_cookie(
    app: FastAPI, container: CoordinatorContainer
) -> None:
    anna = sign_in(container, Role.VIEWER)
    headers = anna.page_headers | {"Authorization": "Bearer a.b.c"}

    assert ask(app, "GET", "/api/v1/devices", headers=headers).status_code == 401


def test_a_program_reads_and_has_no_account(app: FastAPI, container: CoordinatorContainer) -> None:
    headers = program(container, Role.ADMIN)

    assert ask(app, "GET", "/api/v1/devices", headers=headers).status_code == 200
    assert ask(app, "GET", "/api/v1/users", headers=headers).status_code == 403
    assert ask(app, "GET", f"{SESSION}/list", headers=headers).status_code == 403


def test_a_second_factor_is_set_up_over_the_api_too(
    app: FastAPI, container: CoordinatorContainer
) -> None:
    anna = sign_in(container, Role.VIEWER)
    client = SignedInClient(app, anna, by=Medium.API)
    begun = client.post(f"{SESSION}/factor").json()
    wrong = client.post(f"{SESSION}/factor/confirmation", json={"code": "000000"})

    assert begun["uri"].startswith("otpauth://totp/ITS%20City:tester-viewer?secret=")
    assert begun["qr_svg"].startswith("<svg")
    assert wrong.status_code == 401


def test_what_is_too_long_is_refused_without_being_repeated(app: FastAPI) -> None:
    answer = post(app, SESSION, {"name": "anna", "password": "hunter2" * 200})

    assert answer.status_code == 422
    assert "hunter2" not in answer.text
