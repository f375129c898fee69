"""Ids of another town: known or guessed, they are not there."""

from __future__ import annotations

import pytest

from common.security import Role
from coordinator.app import create_app
from coordinator.security.events import EventKind
from tests.fakes.asgi_client import ask
from tests.fakes.enrolled_box import Box
from tests.fakes.signed_in import SignedInClient, sign_in
from tests.integration.security.attacks.conftest import Target, town

pytestmark = pytest.mark.integration


@pytest.fixture
def stranger(target: Target) -> SignedInClient:
    """An administrator of another town that shares the database."""
    other = town("other-town", target.folder, target.clock)
    return SignedInClient(create_app(other), sign_in(other, Role.ADMIN, name="oscar"))


@pytest.fixture
def device(target: Target) -> str:
    """A box of ours, an alert, an account and a session."""
    container = target.container
    token = container.tokens().create("main", hours=1).token
    container.security_events().record(EventKind.REFRESH_REUSED, subject="anna", address="x")
    assert target.alerts()
    sign_in(container, Role.VIEWER, name="anna")
    device: str = container.enrolment().enrol(Box.new().request(token.secret)).device
    return device


def test_nothing_of_ours_is_in_their_lists(stranger: SignedInClient, device: str) -> None:
    paths = ("devices", "sites", "alerts", "audit", "quarantine", "rounds", "anomalies", "models")
    told = {path: stranger.get(f"/api/v1/{path}") for path in paths}

    assert {answer.status_code for answer in told.values()} == {200}
    everything = "".join(answer.text for answer in told.values())
    assert device not in everything
    assert "anna" not in everything
    assert told["devices"].json() == told["alerts"].json() == told["audit"].json() == []
    assert [one["name"] for one in stranger.get("/api/v1/users").json()] == ["oscar"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/v1/devices/{device}", None),
        ("GET", "/api/v1/devices/{device}/twin", None),
        ("PUT", "/api/v1/devices/{device}/twin", {"cameras": []}),
        ("POST", "/api/v1/devices/{device}/retirement", {"reason": "mine now"}),
        ("GET", "/api/v1/sites/main", None),
        ("GET", "/api/v1/sites/main/quality?day=2026-03-14", None),
        ("GET", "/api/v1/alerts/1", None),
        ("POST", "/api/v1/alerts/1/state", {"state": "closed", "note": "nothing here"}),
        ("PUT", "/api/v1/users/anna/roles", {"roles": ["admin"]}),
        ("POST", "/api/v1/users/anna/disabling", None),
        ("DELETE", "/api/v1/session/{session}", None),
    ],
)
def test_what_is_ours_is_not_known_to_them(
    target: Target,
    stranger: SignedInClient,
    device: str,
    method: str,
    path: str,
    body: dict[str, object] | None,
) -> None:
    """Not known, rather than forbidden: that would say that it is there."""
    anna = sign_in(target.container, Role.VIEWER, name="anna")
    named = path.format(device=device, session=anna.context.session_id)
    more = {} if body is None else {"json": body}

    theirs = stranger.ask(method, named, **more)
    made_up = stranger.ask(method, named.replace(device, "main-000000"), **more)

    assert theirs.status_code == 404
    assert made_up.status_code == 404
    assert target.container.fleet().show(device).state == "enrolled"
    assert ask(target.app, "GET", "/api/v1/session", headers=anna.bearer).status_code == 200
    assert target.container.alerts().show(1).state == "open"


def test_what_they_do_is_on_their_record_and_not_on_ours(
    target: Target, stranger: SignedInClient
) -> None:
    before = target.container.audit_trail().verify().verdict.chains
    stranger.post("/api/v1/users", json={"name": "olga", "roles": ["viewer"]})
    target.clock.move(60)
    after = target.container.audit_trail().verify().verdict.chains

    assert after == before
    assert "account_added" in stranger.get("/api/v1/audit").text
