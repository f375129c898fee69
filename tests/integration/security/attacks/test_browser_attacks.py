"""What another site, a link or a stored text could make a browser do."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from fastapi import FastAPI

from common.security import Role
from coordinator.app import create_device_app
from coordinator.fleet.store import FleetStore
from coordinator.security.events import EventKind
from coordinator.traffic.anomaly_store import AnomalyKind, AnomalyStore, Finding
from coordinator.traffic.tables import CameraRow
from tests.fakes.enrolled_box import Box
from tests.fakes.people import PASSWORD, welcomed
from tests.fakes.raw_asgi import Answer, asked
from tests.fakes.signed_in import SignedInClient, sign_in
from tests.integration.security.attacks.conftest import NOON, Target

pytestmark = pytest.mark.integration

SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def admin(target: Target) -> SignedInClient:
    return SignedInClient(target.app, sign_in(target.container, Role.ADMIN))


def camera(target: Target) -> tuple[str, str, int]:
    """A box, and an anomaly of a camera at its site."""
    container = target.container
    token = container.tokens().create("main", hours=1).token
    device = container.enrolment().enrol(Box.new().request(token.secret)).device
    with container.database().session() as session:
        (site_id,) = FleetStore(session, "city").sites()
        row = CameraRow(tenant_id="city", site_id=site_id, slug="north", created_at=NOON)
        session.add(row)
        session.flush()
        AnomalyStore(session, "city").record(
            Finding(
                camera_id=row.id or 0, kind=AnomalyKind.LEVEL_SHIFT, subject="N-S", start=NOON,
                end=NOON + timedelta(hours=1), score=9.0, detail={},
            ),
            now=NOON,
        )  # fmt: skip
    return device, "main", 1


def test_a_script_in_any_text_comes_back_as_text(target: Target) -> None:
    """Stored XSS: whatever is stored is answered as JSON that no browser takes for a page."""
    device, site, anomaly = camera(target)
    target.container.security_events().record(
        EventKind.REFRESH_REUSED, subject=SCRIPT, address=SCRIPT
    )
    assert target.alerts() == {"token_reuse": "high"}
    client = admin(target)
    window = {"start": NOON.isoformat(), "end": (NOON + timedelta(hours=1)).isoformat()}
    writes: dict[str, Any] = {
        f"/api/v1/anomalies/{anomaly}/notes": {"text": SCRIPT},
        f"/api/v1/anomalies/{anomaly}/reviews": {"state": "confirmed", "text": SCRIPT},
        f"/api/v1/sites/{site}/cameras/north/maintenance": {**window, "note": SCRIPT},
        "/api/v1/alerts/1/state": {"state": "closed", "note": SCRIPT},
        f"/api/v1/devices/{device}/retirement": {"reason": SCRIPT},
    }
    reads = (
        f"/api/v1/anomalies/{anomaly}",
        f"/api/v1/sites/{site}/quality?from=2026-03-14T00:00:00Z&to=2026-03-15T00:00:00Z",
        "/api/v1/alerts/1",
        f"/api/v1/devices/{device}",
        "/api/v1/audit",
    )

    answers = [client.post(path, json=body) for path, body in writes.items()]
    shown = [client.get(path) for path in reads]

    assert [answer.status_code for answer in answers] == [201] * len(answers)
    for answer in (*answers, *shown):
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert all("<script>" in answer.text for answer in shown)


def test_a_script_in_a_name_is_no_name(target: Target) -> None:
    client = admin(target)

    answer = client.post("/api/v1/users", json={"name": SCRIPT, "roles": ["viewer"]})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_script_in_an_address_is_answered_as_text(target: Target) -> None:
    client = admin(target)

    for path in (f"/api/v1/sites/{SCRIPT}", f"/api/v1/{SCRIPT}", f"/{SCRIPT}"):
        answer = client.get(path)
        assert answer.status_code in (404, 422)
        assert answer.headers["content-type"] == "application/problem+json"
    page = client.get(f"/{SCRIPT}", headers={"Accept": "text/html"})
    assert "<script>alert" not in page.text
    assert "onerror" not in page.text.replace("onerror=alert(2)&gt;", "")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"reason": "csrf"}'),
        ("text/plain", b'{"reason": "csrf"}'),
        ("application/x-www-form-urlencoded", b"reason=csrf"),
        ("multipart/form-data; boundary=x", b"--x--"),
    ],
)
def test_another_site_changes_nothing_with_somebodys_cookie(
    target: Target, kind: str, body: bytes
) -> None:
    """CSRF: a browser sends the cookie along, and the other site cannot know the token."""
    device, *_ = camera(target)
    cookie = sign_in(target.container, Role.ADMIN).page_headers["Cookie"]
    path = f"/api/v1/devices/{device}/retirement"

    answer = target.ask(
        "POST",
        path,
        content=body,
        headers={"Cookie": cookie, "Content-Type": kind, "Origin": "https://evil.example"},
    )

    assert answer.status_code == 403
    assert target.container.fleet().show(device).state == "enrolled"
    assert "access-control-allow-origin" not in answer.headers


def test_another_site_may_read_nothing(target: Target) -> None:
    cookie = sign_in(target.container, Role.ADMIN).page_headers["Cookie"]
    asked = {"Cookie": cookie, "Origin": "https://evil.example"}

    answer = target.ask("GET", "/api/v1/devices", headers=asked)
    before = target.ask(
        "OPTIONS", "/api/v1/devices", headers=asked | {"Access-Control-Request-Method": "POST"}
    )

    for one in (answer, before):
        assert not [name for name in one.headers if name.startswith("access-control")]
        assert one.headers["cross-origin-resource-policy"] == "same-origin"
        assert one.headers["x-frame-options"] == "DENY"
    assert before.status_code == 405


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "/ok\r\nSet-Cookie: its_session=x",
        "\t//evil.example",
        "/\t/evil.example",
        "http://127.0.0.1@evil.example",
    ],
)
def test_signing_in_leads_to_no_other_place(target: Target, wanted: str) -> None:
    """Open redirect: before the sign-in, after it, and after the code."""
    anna = welcomed(target.container, "anna", Role.VIEWER)
    target.clock.move(60)
    form = {"name": "anna", "password": PASSWORD, "next": wanted}

    page = target.ask("GET", "/sign-in", params={"next": wanted})
    first = target.ask("POST", "/sign-in", data=form)
    cookie = first.headers["set-cookie"].partition(";")[0]
    half = target.ask("GET", first.headers["location"], headers={"Cookie": cookie})
    csrf = half.text.partition('name="csrf-token" content="')[2].partition('"')[0]
    second = target.ask(
        "POST",
        "/sign-in/code",
        data={"code": anna.phone.code(), "next": wanted, "csrf_token": csrf},
        headers={"Cookie": cookie},
    )

    assert "evil.example" not in page.text
    assert "javascript:" not in page.text
    assert first.headers["location"].startswith("/sign-in/code")
    assert "evil" not in first.headers["location"]
    assert second.headers["location"] == "/"
    assert second.headers.get_list("set-cookie") == [second.headers["set-cookie"]]


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example", "/%2f%2fevil.example"])
def test_a_page_that_asks_for_a_sign_in_comes_back_to_this_place(target: Target, path: str) -> None:
    answer = target.ask("GET", f"http://127.0.0.1{path}", headers={"Accept": "text/html"})

    location = answer.headers.get("location", "/")
    assert location.startswith("/")
    assert not location.startswith("//")


ABOVE = ("../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "....//", "..%252f", "%00/../")


def sent(app: FastAPI, path: str, headers: dict[str, str]) -> Answer:
    """As a server hands it on: nothing tidied up, and escapes undone once."""
    return asyncio.run(asked(app, "GET", unquote(path), headers=headers))


@pytest.mark.parametrize("above", ABOVE)
def test_no_file_beside_those_that_are_offered_is_read(target: Target, above: str) -> None:
    """Path traversal: static files, downloads, and releases for boxes."""
    boxes, headers = create_device_app(target.container), admin(target).somebody.bearer
    for up in (above, above * 6):
        for path in (
            f"/static/x/{up}rendering.py",
            f"/static/{up}/templates/base.html",
            f"/static/x/{up}etc/passwd",
            f"/api/v1/sites/{up}etc/passwd/exports/tmc.csv",
            f"/api/v1/rounds/{up}keys/verification",
        ):
            answer = sent(target.app, path, headers)
            assert answer.status in (404, 422), path
            assert b"root:" not in answer.body
        for path in (
            f"/releases/metadata/{up}{up}keys/orders.key",
            f"/releases/targets/releases/{up}1.0.0.json",
            f"/releases/targets/artefacts/{up}{'0' * 64}.onnx",
        ):
            assert sent(boxes, path, {}).status in (404, 422), path


def test_a_foreign_name_for_this_machine_is_refused(target: Target) -> None:
    """DNS rebinding: another site's name that points here."""
    cookie = sign_in(target.container, Role.ADMIN).page_headers["Cookie"]

    answer = target.ask(
        "GET", "/api/v1/devices", headers={"Cookie": cookie, "Host": "evil.example"}
    )

    assert answer.status_code == 400
