"""The alerts page over a real database: lists, evidence, decisions and who may take them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.security import Role
from coordinator.database import Database
from coordinator.security.threats.alerts_store import AlertStore
from coordinator.security.threats.findings import Finding, Severity, ThreatKind
from tests.fakes.clocks import StandingClock
from tests.fakes.dashboard import PageClient, dashboard_app
from tests.fakes.ops_pages import HOSTILE
from tests.fakes.traffic_city import TENANT

pytestmark = pytest.mark.integration

NOW = datetime(2026, 5, 18, 14, 0, tzinfo=UTC)


def pages_of(database: Database, folder: Path, role: Role) -> PageClient:
    clock = StandingClock(NOW)
    return PageClient(
        dashboard_app(database, clock, tenant=TENANT, data_folder=folder, roles=(role,))
    )


@pytest.fixture
def pages(database: Database, tmp_path: Path) -> PageClient:
    return pages_of(database, tmp_path, Role.ADMIN)


def found(database: Database, subject: str = "198.51.100.7", summary: str = "12 of 10") -> int:
    finding = Finding(
        kind=ThreatKind.PASSWORD_SPRAYING,
        subject=subject,
        severity=Severity.HIGH,
        summary=summary,
        first_at=NOW - timedelta(minutes=9),
        last_at=NOW - timedelta(minutes=1),
        evidence={"accounts": ["ada", "ben"], "failures": 12},
    )
    with database.session() as session:
        kept = AlertStore(session, TENANT).keep(finding, now=NOW)
        assert kept is not None
        session.flush()
        number = kept[0].id
    assert number is not None
    return number


def test_a_quiet_city_has_nothing_open(pages: PageClient) -> None:
    assert "Nothing is open" in pages.get("/alerts").text


def test_an_alert_leads_to_its_evidence(database: Database, pages: PageClient) -> None:
    alert = found(database)

    listed, shown = pages.get("/alerts").text, pages.get(f"/alerts/{alert}").text

    assert f'href="/alerts/{alert}"' in listed
    assert "One address tries many accounts" in listed
    assert "ada, ben" in shown
    assert "Nobody has looked at it yet" in shown


def test_a_decision_is_kept_with_who_took_it(database: Database, pages: PageClient) -> None:
    alert = found(database)

    moved = pages.post(
        f"/alerts/{alert}/state", data={"state": "closed", "note": "our own scanner"}
    )
    shown = pages.get(f"/alerts/{alert}", params={"done": "moved"}).text

    assert moved.status_code == 303
    assert "our own scanner" in shown
    assert "Vera Brandt" in shown
    assert "Nothing is open" in pages.get("/alerts").text
    assert "198.51.100.7" in pages.get("/alerts", params={"state": "closed"}).text


def test_closing_without_a_word_is_refused_in_the_form(
    database: Database, pages: PageClient
) -> None:
    alert = found(database)

    refused = pages.post(f"/alerts/{alert}/state", data={"state": "closed", "note": " "})

    assert refused.status_code == 422
    assert "Closing needs a note" in refused.text


def test_who_may_only_look_is_offered_nothing_else(database: Database, tmp_path: Path) -> None:
    alert = found(database)
    auditor = pages_of(database, tmp_path, Role.AUDITOR)

    assert "Take it up" not in auditor.get(f"/alerts/{alert}").text
    assert auditor.post(f"/alerts/{alert}/state", data={"state": "closed"}).status_code == 403
    assert pages_of(database, tmp_path, Role.VIEWER).get("/alerts").status_code == 403


def test_what_an_attacker_wrote_stays_text(database: Database, pages: PageClient) -> None:
    alert = found(database, subject=HOSTILE, summary=HOSTILE)

    assert HOSTILE not in pages.get("/alerts").text
    assert HOSTILE not in pages.get(f"/alerts/{alert}").text


def test_an_alert_that_is_not_there_is_a_page_that_says_so(pages: PageClient) -> None:
    missing = pages.get("/alerts/999")

    assert missing.status_code == 404
    assert "not known" in missing.text or "no alert" in missing.text.lower()
