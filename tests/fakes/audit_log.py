"""A database → an audit log of many entries, and the edits of somebody who owns the machine."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from pathlib import Path

from coordinator.database import Database
from coordinator.schema import migrate
from coordinator.security.actors import Actor, ActorKind
from coordinator.security.audit_entries import Action, AuditEntry, Deed, Link, next_entry

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
TENANT = "city"
_INSERT = f"INSERT INTO audit_entry VALUES ({', '.join('?' * 10)})"  # noqa: S608 - our own words


def deed(number: int, *, why: str = "stolen") -> Deed:
    """Somebody retires box number so and so."""
    return Deed(
        actor=Actor(kind=ActorKind.COMMAND, name="anna: its-camera-ai fleet retire"),
        action=Action.DEVICE_RETIRED,
        subject=f"main-{number:06d}",
        detail={"reason": why, "certificates": 1},
        at=NOON + timedelta(seconds=number),
    )


def chain(first: int, last: int, *, after: Link | None = None) -> Iterator[AuditEntry]:
    """Entries that follow from each other."""
    link = after or Link()
    for number in range(first, last + 1):
        entry = next_entry(TENANT, deed(number), after=link)
        yield entry
        link = entry.link


def filled(file: Path, *, count: int) -> list[AuditEntry]:
    """Make a SQLite database whose log has ``count`` entries."""
    database = Database(f"sqlite:///{file}")
    migrate(database)
    database.close()
    entries = list(chain(1, count))
    with tampering(file) as connection:
        add(connection, entries)
        put_head(connection, entries[-1])
    return entries


@contextmanager
def tampering(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection of somebody who took the triggers away."""
    with closing(sqlite3.connect(file)) as connection, connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in names.fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        yield connection


def add(connection: sqlite3.Connection, entries: Iterable[AuditEntry]) -> None:
    connection.executemany(_INSERT, map(astuple, entries))


def remove(connection: sqlite3.Connection, *, first: int, last: int) -> None:
    connection.execute("DELETE FROM audit_entry WHERE number BETWEEN ? AND ?", (first, last))


def put_head(connection: sqlite3.Connection, entry: AuditEntry) -> None:
    connection.execute("DELETE FROM audit_head")
    connection.execute(
        "INSERT INTO audit_head VALUES (?, ?, ?)", (TENANT, entry.number, entry.digest)
    )
