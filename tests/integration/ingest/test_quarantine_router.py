"""The quarantine as the API shows it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlmodel import Session

from coordinator.database import Database
from coordinator.dependencies import session_of, tenant_of
from coordinator.fleet.tables import DeviceRow, SiteRow, TenantRow
from coordinator.reports.router import router
from coordinator.reports.store import QuarantineEntry, add_to_quarantine
from coordinator.schema import migrate
from tests.fakes.asgi_client import ask
from tests.fakes.lets_in import lets_in

pytestmark = pytest.mark.integration

AT = datetime(2026, 3, 14, 12, tzinfo=UTC)


def enrolled(database: Database, number: int, tenant: str, device: str) -> None:
    with database.session() as session:
        session.add(TenantRow(id=tenant, name=tenant, created_at=AT))
        session.flush()
        session.add(SiteRow(id=number, tenant_id=tenant, slug="elm", name="Elm", created_at=AT))
        session.flush()
        session.add(
            DeviceRow(id=device, tenant_id=tenant, site_id=number, state="enrolled", enrolled_at=AT)
        )


@pytest.fixture
def api(tmp_path: Path) -> Iterator[FastAPI]:
    database = Database(f"sqlite:///{tmp_path / 'its.db'}")
    migrate(database)
    for number, (tenant, device) in enumerate((("city", "box-1"), ("other-town", "box-9")), 1):
        enrolled(database, number, tenant, device)
    entries = [
        QuarantineEntry(
            reason=reason, topic="its/v1/box-1/up/bins", device=device, size_bytes=9,
            digest="a" * 64, detail="why",
        )
        for reason, device in (
            ("schema", "box-1"), ("schema", "box-1"), ("truncated", None), ("schema", "box-9"),
        )
    ]  # fmt: skip
    with database.session() as session:
        add_to_quarantine(session.connection(), entries, at=AT)

    def session() -> Iterator[Session]:
        with database.session() as opened:
            yield opened

    app = FastAPI()
    app.include_router(router)
    app.dependency_overrides = {session_of: session, tenant_of: lambda: "city"}
    yield lets_in(app)
    database.close()


def test_counters_are_shown_per_reason_and_box(api: FastAPI) -> None:
    found = ask(api, "GET", "/quarantine/counts").json()

    assert {(row["reason"], row["device_id"], row["messages"]) for row in found} == {
        ("schema", "box-1", 2),
        ("truncated", "?", 1),
    }


def test_details_can_be_asked_for_by_reason_and_box(api: FastAPI) -> None:
    assert len(ask(api, "GET", "/quarantine").json()) == 3
    assert len(ask(api, "GET", "/quarantine", params={"most": 1}).json()) == 1
    (row,) = ask(api, "GET", "/quarantine", params={"reason": "truncated"}).json()
    assert (row["device_id"], row["size_bytes"], row["at"]) == (None, 9, "2026-03-14T12:00:00Z")
    assert len(ask(api, "GET", "/quarantine", params={"device": "box-1"}).json()) == 2


def test_a_box_of_another_tenant_is_nobodys_to_see(api: FastAPI) -> None:
    assert ask(api, "GET", "/quarantine", params={"device": "box-9"}).json() == []
    devices = {row["device_id"] for row in ask(api, "GET", "/quarantine/counts").json()}
    assert devices == {"box-1", "?"}


def test_a_question_that_makes_no_sense_is_refused(api: FastAPI) -> None:
    assert ask(api, "GET", "/quarantine", params={"reason": "'; --"}).status_code == 422
    assert ask(api, "POST", "/quarantine").status_code == 405
