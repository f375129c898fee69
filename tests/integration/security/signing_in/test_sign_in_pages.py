"""The same in a browser: forms, cookies, and what other sites must not be able to do."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pyotp
import pytest
from fastapi import FastAPI

from common.security import Role, SecurityLevel
from coordinator.app import create_app
from coordinator.container import CoordinatorContainer
from tests.fakes.asgi_client import ask
from tests.fakes.clocks import StandingClock
from tests.fakes.people import PASSWORD, secret_of, welcomed
from tests.fakes.recorded_events import recorded_events
from tests.fakes.signed_in import SignedInClient, client_of, sign_in

pytestmark = pytest.mark.integration
PAGE = {"Accept": "text/html"}
WRONG = "wrong wrong wrong"
COMMON = "password password"


@pytest.fixture
def app(container: CoordinatorContainer) -> FastAPI:
    return create_app(container)


class Browser:
    """Keeps cookies, follows nothing by itself."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self.cookies = httpx.Cookies()

    def get(self, path: str) -> httpx.Response:
        return self._ask("GET", path)

    def post(self, path: str, **fields: str) -> httpx.Response:
        return self._ask("POST", path, data=fields)

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app=self._app),
                base_url="http://127.0.0.1",
                cookies=self.cookies,
                headers=PAGE,
            ) as client:
                answer = await client.request(method, path, **more)
                self.cookies = client.cookies
                return answer

        return asyncio.run(asked())


def csrf_of(page: httpx.Response) -> str:
    found = re.search(r'name="csrf_token" value="([0-9a-f]{64})"', page.text)
    assert found is not None
    return found.group(1)


def test_somebody_new_walks_from_the_link_to_the_city(
    app: FastAPI, container: CoordinatorContainer, clock: StandingClock
) -> None:
    link = container.people.accounts().bootstrap("anna")
    browser = Browser(app)
    asked = browser.get(f"/welcome?link={secret_of(link.url)}")
    chosen = browser.post("/welcome", link=secret_of(link.url), password=PASSWORD, again=PASSWORD)
    page = browser.get(chosen.headers["location"])
    seed = re.search(r'class="mono">([A-Z2-7 ]+)<', page.text)
    assert seed is not None
    code = pyotp.TOTP(seed.group(1).replace(" ", "")).at(clock.now())
    done = browser.post("/welcome/factor", csrf_token=csrf_of(page), code=code)

    assert "Choose a password" in asked.text
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/welcome/factor")
    assert "data:image/svg+xml;base64," in page.text
    assert len(re.findall(r"[a-z2-9]{4}(?:-[a-z2-9]{4}){3}", done.text)) == 10
    assert browser.get("/account").status_code == 200


def test_signing_in_leads_back_to_where_somebody_wanted_to_go(
    app: FastAPI, container: CoordinatorContainer, clock: StandingClock
) -> None:
    anna = welcomed(container, "anna", Role.VIEWER)
    clock.move(60)
    browser = Browser(app)
    sent = browser.get("/account")
    shown = browser.get(sent.headers["location"])
    first = browser.post("/sign-in", name="anna", password=PASSWORD, next="/account")
    half_way = dict(browser.cookies)
    asked = browser.get(first.headers["location"])
    second = browser.post(
        "/sign-in/code", csrf_token=csrf_of(asked), code=anna.phone.code(), next="/account"
    )

    assert sent.headers["location"] == "/sign-in?next=%2Faccount"
    assert 'value="/account"' in shown.text
    assert (second.status_code, second.headers["location"]) == (303, "/account")
    assert dict(browser.cookies) != half_way
    out = browser.post("/sign-out", csrf_token=csrf_of(browser.get("/account")))
    assert out.headers["location"] == "/sign-in"
    assert browser.get("/account").status_code == 303


def test_a_wrong_password_is_told_on_the_page(app: FastAPI) -> None:
    answer = Browser(app).post("/sign-in", name="<b>anna", password=WRONG)

    assert answer.status_code == 401
    assert "Name, password or code is not right" in answer.text
    assert "&lt;b&gt;anna" in answer.text
    assert "its_session" not in answer.headers.get("set-cookie", "")


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example"])
def test_nobody_is_led_to_another_place(
    app: FastAPI, container: CoordinatorContainer, clock: StandingClock, target: str
) -> None:
    anna = welcomed(container, "anna", Role.VIEWER)
    clock.move(60)
    browser = Browser(app)
    shown = browser.get(f"/sign-in?next={target}")
    first = browser.post("/sign-in", name="anna", password=PASSWORD, next=target)
    asked = browser.get(first.headers["location"])
    second = browser.post(
        "/sign-in/code", csrf_token=csrf_of(asked), code=anna.phone.code(), next=target
    )

    assert "evil" not in shown.text
    assert first.headers["location"] == "/sign-in/code?next=%2F"
    assert second.headers["location"] == "/"


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(
    app: FastAPI, container: CoordinatorContainer
) -> None:
    welcomed(container, "anna", Role.VIEWER)
    answer = Browser(app).post("/sign-in", name="anna", password=PASSWORD)

    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("its_session=")
    assert {"httponly", "samesite=strict", "path=/"} <= set(cookie.split("; "))


@pytest.mark.parametrize("sent", ["", "0" * 64, "other"])
def test_a_form_without_the_token_of_this_session_changes_nothing(
    app: FastAPI, container: CoordinatorContainer, sent: str
) -> None:
    anna = sign_in(container, Role.ADMIN, name="anna")
    other = sign_in(container, Role.ADMIN, name="bert")
    cookie = {"Cookie": anna.page_headers["Cookie"]}
    data = {"csrf_token": other.csrf if sent == "other" else sent, "name": "mallory"}
    answer = ask(app, "POST", "/users/new", headers=cookie, data=data)

    assert answer.status_code == 403
    assert [one.name for one in container.people.accounts().list()] == ["anna", "bert"]
    assert ("csrf_refused", "anna", "127.0.0.1") in recorded_events(container)


def test_an_api_call_with_a_cookie_needs_the_token_as_well(
    app: FastAPI, container: CoordinatorContainer
) -> None:
    anna = sign_in(container, Role.ADMIN)
    body = {"name": "mallory", "roles": ["admin"]}
    cookie = {"Cookie": anna.page_headers["Cookie"]}
    without = ask(app, "POST", "/api/v1/users", headers=cookie, json=body)
    beside = ask(app, "POST", "/api/v1/users", headers=anna.page_headers, json=body)

    assert (without.status_code, beside.status_code) == (403, 201)


@pytest.mark.parametrize("path", ["/sign-in", "/welcome"])
def test_another_site_signs_nobody_in(app: FastAPI, path: str) -> None:
    answer = ask(
        app, "POST", path, headers={"Origin": "https://evil.example"},
        data={"name": "anna", "password": PASSWORD, "link": "x"},
    )  # fmt: skip

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_an_old_link_says_so(app: FastAPI) -> None:
    answer = Browser(app).get("/welcome?link=made-up")

    assert answer.status_code == 403
    assert "This link leads nowhere any more" in answer.text


def test_people_are_managed_on_their_pages(app: FastAPI, container: CoordinatorContainer) -> None:
    admin = client_of(container, app, Role.ADMIN)
    added = admin.post("/users/new", data={"name": "Bert", "roles": ["viewer", "auditor"]})
    twice = admin.post("/users/new", data={"name": "bert"})
    shown = admin.get("/users/bert")
    changed = admin.post("/users/bert/roles", data={"roles": "analyst"})
    disabled = admin.post("/users/bert/disable")
    last = admin.post("/users/tester-admin/disable")

    assert "/welcome?link=" in added.text
    assert twice.status_code == 409
    assert 'value="auditor" checked' in shown.text
    assert (changed.status_code, disabled.status_code) == (303, 303)
    bert = container.people.accounts().named("bert")
    assert (bert.roles, bert.state) == ({Role.ANALYST}, "disabled")
    assert last.status_code == 409
    assert "only administrator" in last.text


def test_what_cannot_be_undone_asks_for_the_phone_and_comes_back(
    app: FastAPI, container: CoordinatorContainer
) -> None:
    stale = sign_in(container, Role.ADMIN, level=SecurityLevel.MULTI_FACTOR)
    answer = SignedInClient(app, stale).get("/users/new", headers=PAGE)

    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in/code?next=%2Fusers%2Fnew"


def test_people_change_their_own_password(app: FastAPI, container: CoordinatorContainer) -> None:
    anna = welcomed(container, "anna", Role.VIEWER)
    browser = Browser(app)
    assert anna.opened.cookie is not None
    browser.cookies.set("its_session", anna.opened.cookie)
    csrf = csrf_of(browser.get("/account/password"))
    new = "seven otters fence with paint"
    unlike = browser.post(
        "/account/password", csrf_token=csrf, current=PASSWORD, password=new, again="x"
    )
    common = browser.post(
        "/account/password", csrf_token=csrf, current=PASSWORD,
        password=COMMON, again=COMMON,
    )  # fmt: skip
    changed = browser.post(
        "/account/password", csrf_token=csrf, current=PASSWORD, password=new, again=new
    )

    assert (unlike.status_code, common.status_code, changed.status_code) == (422, 422, 303)
