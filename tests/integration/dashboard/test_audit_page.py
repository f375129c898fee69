"""The audit page over a real log: entries, filters, pages and the check of the whole chain."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from common.security import Role
from coordinator.database import Database
from coordinator.security.actors import Actor, ActorKind
from coordinator.security.audit import SecurityAuditLogger
from coordinator.security.audit_entries import Action
from tests.fakes.clocks import StandingClock
from tests.fakes.dashboard import PageClient, dashboard_app
from tests.fakes.ops_pages import HOSTILE
from tests.fakes.traffic_city import TENANT

pytestmark = pytest.mark.integration

NOW = datetime(2026, 5, 18, 14, 0, tzinfo=UTC)


def pages_of(database: Database, folder: Path, role: Role = Role.AUDITOR) -> PageClient:
    clock = StandingClock(NOW)
    return PageClient(
        dashboard_app(database, clock, tenant=TENANT, data_folder=folder, roles=(role,))
    )


@pytest.fixture
def pages(database: Database, tmp_path: Path) -> PageClient:
    return pages_of(database, tmp_path)


def record(database: Database, subject: str, *, who: str = "Ada", times: int = 1) -> None:
    log = SecurityAuditLogger(tenant=TENANT, clock=StandingClock(NOW))
    for _ in range(times):
        with database.session() as session:
            log.record(
                session,
                Action.DEVICE_RETIRED,
                subject=subject,
                detail={"reason": "stolen", "certificates": 2},
                by=Actor(kind=ActorKind.PERSON, name=who),
            )


def test_an_entry_says_who_did_what_and_more(database: Database, pages: PageClient) -> None:
    record(database, "main-7kq2xa")

    shown = pages.get("/audit").text

    assert "Device retired" in shown
    assert "main-7kq2xa" in shown
    assert "Ada" in shown
    assert "stolen" in shown


def test_filters_leave_out_what_does_not_match(database: Database, pages: PageClient) -> None:
    record(database, "north-1", who="Ada")
    record(database, "south-2", who="Ben")

    shown = pages.get("/audit", params={"actor": "Be", "action": "device_retired"}).text
    none = pages.get("/audit", params={"action": "keys_rotated"}).text

    assert "south-2" in shown
    assert "north-1" not in shown
    assert "No such entry" in none


def test_older_entries_are_a_page_further_and_keep_the_filter(
    database: Database, pages: PageClient
) -> None:
    record(database, "north-1", times=51)

    first = pages.get("/audit", params={"actor": "Ada"}).text
    older = pages.get("/audit", params={"actor": "Ada", "before": 2}).text

    assert "/audit?chain=tenant&amp;actor=Ada&amp;before=2" in first
    assert "Entries 1 to 1" in older


def test_a_whole_log_is_intact_and_a_bent_one_names_the_entry(
    database: Database, pages: PageClient, tmp_path: Path
) -> None:
    record(database, "north-1", times=3)

    before = pages.get("/audit/verification").text
    with database.session() as session:
        for name in ("no_update", "no_delete", "no_replace"):
            session.connection().execute(text(f"DROP TRIGGER IF EXISTS audit_entry_{name}"))
        if database.is_postgresql:
            session.connection().execute(text("DROP TRIGGER audit_entry_stays ON audit_entry"))
        session.connection().execute(
            text("UPDATE audit_entry SET subject = 'north-2' WHERE number = 2")
        )
    # A verdict is good for some seconds in the process that found it: ask another one.
    after = pages_of(database, tmp_path).get("/audit/verification").text

    assert "The log is intact" in before
    assert "The log was changed" in after
    assert f"Entry 2 of {TENANT}: its digest does not match what it says" in after


def test_what_somebody_wrote_stays_text(database: Database, pages: PageClient) -> None:
    record(database, HOSTILE, who=HOSTILE)

    shown = pages.get("/audit").text

    assert HOSTILE not in shown
    assert "&lt;" in shown


def test_others_do_not_see_it(database: Database, tmp_path: Path) -> None:
    assert pages_of(database, tmp_path, Role.ANALYST).get("/audit").status_code == 403
