"""The log on both databases: serial, in the transaction of the action, and never changed."""

from __future__ import annotations

import multiprocessing
from datetime import UTC, datetime

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from common.errors import ConflictError, TrustError
from common.timing import SystemClock
from coordinator.database import Database
from coordinator.schema import differences, migrate, migrate_down
from coordinator.security.audit import SecurityAuditLogger
from coordinator.security.audit_entries import Action
from coordinator.security.audit_store import has_audit_log, newest_entries, still
from coordinator.security.audit_verification import verify_log

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
EACH = 25


def retire(database: Database, subject: str, *, tenant: str = "city") -> None:
    with database.session() as session:
        SecurityAuditLogger(tenant=tenant, clock=SystemClock()).record(
            session, Action.DEVICE_RETIRED, subject=subject, detail={"reason": "stolen"}
        )


def subjects(database: Database, *tenants: str) -> list[str]:
    with still(database) as session:
        return [
            entry.subject for entry in newest_entries(session, list(tenants or ["city"]), most=999)
        ]


def retire_many(url: str, worker: int) -> None:
    """Runs in a process of its own."""
    database = Database(url)
    for number in range(EACH):
        retire(database, f"{worker}-{number}")
    database.close()


def test_processes_that_write_at_once_make_one_chain(database: Database, database_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=retire_many, args=(database_url, i)) for i in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    verdict = verify_log(database)

    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert verdict.is_intact
    assert verdict.chains[0].holds.number == 3 * EACH
    assert len(set(subjects(database))) == 3 * EACH


def test_every_tenant_has_a_chain_of_its_own(database: Database) -> None:
    retire(database, "a", tenant="city")
    retire(database, "b", tenant="town")
    retire(database, "c", tenant="city")

    verdict = verify_log(database)

    assert [(c.tenant, c.holds.number) for c in verdict.chains] == [("city", 2), ("town", 1)]
    assert subjects(database, "city") == ["a", "c"]


def test_an_action_that_is_rolled_back_leaves_no_entry(database: Database) -> None:
    retire(database, "a")

    with pytest.raises(ConflictError):
        _retire_and_change_my_mind(database, "b")
    retire(database, "c")

    assert subjects(database) == ["a", "c"]
    assert verify_log(database).is_intact


def _retire_and_change_my_mind(database: Database, subject: str) -> None:
    with database.session() as session:
        SecurityAuditLogger(tenant="city", clock=SystemClock()).record(
            session, Action.DEVICE_RETIRED, subject=subject
        )
        raise ConflictError("changed my mind")


def test_an_entry_that_cannot_be_written_stops_the_action(database: Database) -> None:
    retire(database, "a")
    with database.session() as session:
        session.connection().execute(text("DELETE FROM audit_head"))
        session.connection().execute(text("CREATE TABLE action (done INTEGER)"))

    with pytest.raises(TrustError, match="entry 1 of the audit log of 'city' is there already"):
        _act(database)

    with database.session() as session:
        assert session.connection().execute(text("SELECT count(*) FROM action")).scalar() == 0


def _act(database: Database) -> None:
    with database.session() as session:
        session.connection().execute(text("INSERT INTO action VALUES (1)"))
        SecurityAuditLogger(tenant="city", clock=SystemClock()).record(
            session, Action.DEVICE_RETIRED, subject="b"
        )


REFUSED = {
    "sqlite": (
        "UPDATE audit_entry SET subject = 'b'",
        "DELETE FROM audit_entry",
        "INSERT OR REPLACE INTO audit_entry SELECT * FROM audit_entry",
    ),
    "postgresql": (
        "UPDATE audit_entry SET subject = 'b'",
        "UPDATE audit_entry SET subject = 'b' WHERE number = 9",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
        "SET session_replication_role = replica; DELETE FROM audit_entry",
    ),
}


def test_the_database_refuses_to_change_an_entry(database: Database) -> None:
    retire(database, "a")

    for statement in REFUSED["postgresql" if database.is_postgresql else "sqlite"]:
        with pytest.raises(DBAPIError, match="never changed or removed"):
            _execute(database, statement)

    assert subjects(database) == ["a"]


def _execute(database: Database, statement: str) -> None:
    with database.session() as session:
        for part in statement.split("; "):
            session.connection().execute(text(part))


def test_the_step_goes_up_and_down_and_up_again(database: Database) -> None:
    retire(database, "a")

    assert differences(database) == []
    migrate_down(database, to="0006")
    assert not has_audit_log(database)
    assert "audit_head" not in inspect(database.engine).get_table_names()
    migrate(database)
    retire(database, "b")

    assert subjects(database) == ["b"]


def test_one_flipped_bit_is_located(database: Database) -> None:
    for subject in "abcde":
        retire(database, subject)
    disarm = (
        "ALTER TABLE audit_entry DISABLE TRIGGER USER"
        if database.is_postgresql
        else "DROP TRIGGER audit_entry_no_update"
    )

    _execute(database, disarm)
    # "c" is 0x63, "b" is 0x62.
    _execute(database, "UPDATE audit_entry SET subject = 'b' WHERE number = 3")

    assert [(fault.tenant, fault.number) for fault in verify_log(database).faults] == [("city", 3)]
