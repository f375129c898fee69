"""Traces of attacks in real tables → alerts that are raised once, followed, and closed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from coordinator.database import Database
from coordinator.fleet.tables import DeviceRow, SiteRow, TenantRow
from coordinator.reports.store import QuarantineEntry, add_to_quarantine
from coordinator.reports.tables import ReportRow
from coordinator.security.audit import SecurityAuditLogger
from coordinator.security.audit_store import newest_entries, still
from coordinator.security.events import MOST_WAITING, EventKind, SecurityEvents, stranger
from coordinator.security.threats.alert_book import AlertBook
from coordinator.security.threats.alerts import Alert, AlertFilter, AlertState
from coordinator.security.threats.engine import MANY_OTHERS, MOST_OF_A_KIND, ThreatDetectionEngine
from coordinator.security.threats.findings import Severity, ThreatKind
from tests.fakes.clocks import StandingClock

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


class Watch:
    """Events, engine and alerts of one tenant, on one clock."""

    def __init__(self, database: Database, tenant: str = "city") -> None:
        self.database = database
        self.clock = StandingClock(NOON)
        self.events = SecurityEvents(database, tenant=tenant, clock=self.clock)
        self.engine = ThreatDetectionEngine(database, tenant=tenant, clock=self.clock)
        audit = SecurityAuditLogger(tenant=tenant, clock=self.clock)
        self.book = AlertBook(database, audit, tenant=tenant, clock=self.clock)

    def note(self, kind: EventKind, subject: str, *, times: int = 1) -> None:
        for _ in range(times):
            self.events.record(kind, subject=subject, address="192.0.2.1")
        self.events.write()

    def alerts(self, state: AlertState | None = None) -> list[Alert]:
        return self.book.list(AlertFilter(state=state))


@pytest.fixture
def watch(database: Database) -> Watch:
    return Watch(database)


def enrol(watch: Watch, device: str, *, seen_at: datetime | None) -> None:
    with watch.database.session() as session:
        if session.get(TenantRow, "city") is None:
            session.add(TenantRow(id="city", name="City", created_at=NOON))
            session.flush()
            session.add(SiteRow(id=1, tenant_id="city", slug="elm", name="Elm", created_at=NOON))
            session.flush()
        session.add(
            DeviceRow(
                id=device, tenant_id="city", site_id=1, state="enrolled", last_seen_at=seen_at,
                enrolled_at=NOON - timedelta(days=9),
            )
        )  # fmt: skip


def report(watch: Watch, device: str, epoch: int, sequence: int, made_at: datetime) -> None:
    with watch.database.session() as session:
        session.add(
            ReportRow(
                device_id=device, epoch=epoch, sequence=sequence, tenant_id="city", kind="bins",
                digest=b"x", created_at=made_at, received_at=made_at,
            )
        )  # fmt: skip


def test_a_trace_is_one_alert_however_often_it_is_seen(watch: Watch) -> None:
    watch.note(EventKind.REFRESH_REUSED, "anna")

    assert [watch.engine.look() for _ in range(3)] == [1, 0, 0]
    (alert,) = watch.alerts()
    assert (alert.kind, alert.subject, alert.state) == (
        ThreatKind.TOKEN_REUSE,
        "anna",
        AlertState.OPEN,
    )
    assert watch.engine.open_alerts()[Severity.HIGH] == 1


def test_an_alert_that_somebody_works_on_comes_back_when_it_gets_worse(watch: Watch) -> None:
    watch.note(EventKind.SIGN_IN_FAILED, "anna", times=8)
    watch.engine.look()
    (alert,) = watch.alerts()
    watch.book.move(alert.id, AlertState.ACKNOWLEDGED, note="on it", by="Ada Byron")
    watch.clock.move(10)
    watch.note(EventKind.SIGNED_IN, "anna")

    assert watch.engine.look() == 1
    shown = watch.book.show(alert.id)
    assert (shown.state, shown.severity) == (AlertState.OPEN, Severity.HIGH)
    assert [(note.by, note.text) for note in shown.notes] == [
        ("Ada Byron", "on it"),
        ("coordinator", "now high"),
    ]


def test_what_was_closed_stays_closed_until_something_new_happens(watch: Watch) -> None:
    watch.note(EventKind.REFRESH_REUSED, "anna")
    watch.engine.look()
    watch.book.move(1, AlertState.CLOSED, note="a restored phone", by="Ada Byron")

    assert watch.engine.look() == 0
    watch.clock.move(5)
    watch.note(EventKind.REFRESH_REUSED, "anna")
    assert watch.engine.look() == 1
    assert [alert.state for alert in watch.alerts()] == [AlertState.OPEN, AlertState.CLOSED]


def test_every_change_is_on_record_with_who_made_it(watch: Watch) -> None:
    watch.note(EventKind.REFRESH_REUSED, "anna")
    watch.engine.look()
    watch.book.move(1, AlertState.CLOSED, note="a restored phone", by="Ada Byron")

    with still(watch.database) as session:
        (entry,) = newest_entries(session, ["city"], most=9)
    assert (entry.action, entry.subject) == ("alert_moved", "token_reuse anna")
    assert entry.detail == '{"after":"closed","alert":1,"before":"open"}'


def test_a_silent_box_is_told_and_its_alert_ends_when_it_is_heard(watch: Watch) -> None:
    enrol(watch, "main-1", seen_at=NOON)
    for n in range(20):
        report(watch, "main-1", 1, n, NOON - timedelta(minutes=20 - n))
    watch.clock.move(601)
    watch.engine.look()
    (alert,) = watch.alerts()

    with watch.database.session() as session:
        session.get_one(DeviceRow, "main-1").last_seen_at = watch.clock.now()
    watch.engine.look()

    assert (alert.kind, alert.subject) == (ThreatKind.SILENT_DEVICE, "main-1")
    ended = watch.book.show(alert.id)
    assert (ended.state, ended.notes[0].by) == (AlertState.CLOSED, "coordinator")


def test_a_copied_box_is_found_by_its_two_streams(watch: Watch) -> None:
    enrol(watch, "main-1", seen_at=NOON)
    enrol(watch, "main-2", seen_at=NOON)
    for device, old_until in (("main-1", NOON), ("main-2", NOON - timedelta(hours=9))):
        report(watch, device, 1, 1, NOON - timedelta(hours=10))
        report(watch, device, 1, 2, old_until)
        report(watch, device, 2, 1, NOON - timedelta(hours=3))
        report(watch, device, 2, 2, NOON)

    watch.engine.look()

    (alert,) = watch.alerts()
    assert (alert.kind, alert.subject) == (ThreatKind.IMPOSSIBLE_SEQUENCE, "main-1")
    assert alert.evidence["overlap_s"] == 3 * 3600


def test_messages_that_were_not_believed_are_looked_at(watch: Watch) -> None:
    enrol(watch, "main-1", seen_at=NOON)
    entry = QuarantineEntry(
        reason="bad_signature", topic="t", device="main-1", size_bytes=1, digest="0" * 64
    )
    with watch.database.session() as session:
        add_to_quarantine(session.connection(), [entry] * 3, at=NOON)

    watch.engine.look()
    foreign = Watch(watch.database, tenant="other-town")
    foreign.engine.look()

    assert [alert.kind for alert in watch.alerts()] == [ThreatKind.BAD_SIGNATURES]
    assert foreign.alerts() == []


def test_an_attack_from_everywhere_is_a_few_alerts(watch: Watch) -> None:
    for number in range(200):
        watch.events.record(EventKind.REFRESH_REUSED, subject=f"person-{number}", address="x")
    watch.events.write()

    assert watch.engine.look() == MOST_OF_A_KIND
    assert watch.engine.look() == 0
    assert MANY_OTHERS in {alert.subject for alert in watch.alerts()}


def test_two_processes_that_find_the_same_raise_one_alert(watch: Watch) -> None:
    other = ThreatDetectionEngine(watch.database, tenant="city", clock=watch.clock)
    watch.note(EventKind.REFRESH_REUSED, "anna")

    assert watch.engine.look() + other.look() == 1


def test_what_an_attacker_makes_us_note_is_bounded(watch: Watch) -> None:
    for number in range(MOST_WAITING + 500):
        watch.events.record(
            EventKind.SIGN_IN_FAILED, subject=stranger(f"name {number}"), address="192.0.2.1"
        )

    assert watch.events.write() == MOST_WAITING + 1
    with watch.database.session() as session:
        found = session.connection().execute(text("SELECT SUM(times) FROM security_event"))
        assert found.scalar() == MOST_WAITING + 500


def test_what_was_typed_as_a_name_is_not_kept(watch: Watch) -> None:
    watch.note(EventKind.SIGN_IN_FAILED, stranger("my secret password"))

    with watch.database.session() as session:
        rows = session.connection().execute(text("SELECT subject FROM security_event")).all()
    assert rows
    assert "secret" not in repr(rows)


def test_old_events_are_forgotten(watch: Watch) -> None:
    watch.note(EventKind.SIGNED_IN, "anna")
    watch.clock.move(31 * 86_400)
    watch.engine.look()

    with watch.database.session() as session:
        assert not session.connection().execute(text("SELECT 1 FROM security_event")).all()
