"""Attacks on sign-ins: each fails, and each is seen."""

from __future__ import annotations

import pytest

from common.security import Role
from tests.fakes.people import PASSWORD, Person, welcomed
from tests.fakes.signed_in import sign_in
from tests.integration.security.attacks.conftest import SESSION, Target, bearer

pytestmark = pytest.mark.integration


@pytest.fixture
def anna(target: Target) -> Person:
    person = welcomed(target.container, "anna", Role.ADMIN)
    target.clock.move(60)
    return person


def signed_in(target: Target, anna: Person) -> dict[str, str]:
    """Tokens of a whole sign-in."""
    first = target.sign_in("anna", PASSWORD).json()["access_token"]
    answer = target.ask(
        "POST", f"{SESSION}/code", json={"code": anna.phone.code()}, headers=bearer(first)
    )
    assert answer.status_code == 200
    tokens: dict[str, str] = answer.json()
    return tokens


def test_password_spraying_is_slowed_down_and_seen(target: Target, anna: Person) -> None:
    names = ["anna", *(f"person-{number}" for number in range(14))]

    statuses = [target.sign_in(name, "Spring is coming 26").status_code for name in names]

    assert set(statuses[:10]) == {401}
    assert set(statuses[10:]) == {429}
    assert target.alerts() == {"password_spraying": "high"}


def test_guessing_at_one_account_is_slowed_down_and_seen(target: Target, anna: Person) -> None:
    statuses = []
    for number in range(40):
        answer = target.sign_in("anna", f"guess number {number}")
        statuses.append(answer.status_code)
        target.clock.move(20)

    # A guess a minute from then on, where every twenty seconds was tried.
    assert statuses.count(401) < 15
    assert target.alerts() == {"brute_force": "medium"}


def test_a_code_that_was_seen_over_the_shoulder_opens_nothing(target: Target, anna: Person) -> None:
    signed_in(target, anna)
    for _ in range(3):
        half = target.sign_in("anna", PASSWORD).json()["access_token"]
        replayed = target.ask(
            "POST", f"{SESSION}/code", json={"code": anna.phone.code()}, headers=bearer(half)
        )
        assert replayed.status_code == 401
        assert target.ask("GET", "/api/v1/devices", headers=bearer(half)).status_code == 403

    assert target.alerts()["code_replay"] == "medium"


def test_a_stolen_refresh_token_ends_the_thiefs_session_with_the_owners(
    target: Target, anna: Person
) -> None:
    stolen = signed_in(target, anna)["refresh_token"]
    thief = target.ask("POST", f"{SESSION}/refresh", json={"refresh_token": stolen}).json()
    owner = target.ask("POST", f"{SESSION}/refresh", json={"refresh_token": stolen})
    after = target.ask("GET", "/api/v1/devices", headers=bearer(thief["access_token"]))
    again = target.ask("POST", f"{SESSION}/refresh", json={"refresh_token": thief["refresh_token"]})

    assert (owner.status_code, after.status_code, again.status_code) == (401, 401, 401)
    assert target.alerts()["token_reuse"] == "high"  # noqa: S105


def test_a_session_that_an_attacker_chose_is_not_the_one_that_somebody_signs_in_to(
    target: Target, anna: Person
) -> None:
    """Session fixation: the cookie is there before, and worth nothing after."""
    chosen = f"{target.container.people.cookies().name}={'a' * 43}"
    form = {"name": "anna", "password": PASSWORD, "next": "/"}
    first = target.ask("POST", "/sign-in", data=form, headers={"Cookie": chosen})
    half = first.headers["set-cookie"].partition(";")[0]
    page = target.ask("GET", "/sign-in/code", headers={"Cookie": half, "Accept": "text/html"})
    csrf = page.text.partition('name="csrf-token" content="')[2].partition('"')[0]
    second = target.ask(
        "POST",
        "/sign-in/code",
        data={"code": anna.phone.code(), "next": "/", "csrf_token": csrf},
        headers={"Cookie": half},
    )
    whole = second.headers["set-cookie"].partition(";")[0]

    assert len({chosen, half, whole}) == 3
    statuses = [
        target.ask("GET", "/api/v1/devices", headers={"Cookie": cookie}).status_code
        for cookie in (chosen, half, whole)
    ]
    assert statuses == [401, 401, 200]


def test_trying_every_door_is_seen(target: Target) -> None:
    viewer = sign_in(target.container, Role.VIEWER, name="vera")

    for _ in range(20):
        assert target.ask("GET", "/api/v1/users", headers=viewer.bearer).status_code == 403

    assert target.alerts() == {"probing": "medium"}
