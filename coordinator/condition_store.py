"""A database → what is in it: versions, sizes, spans, partitions, extensions."""
# ruff: noqa: S608 - table names are our own

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from coordinator.database import Database
from coordinator.partitions_store import BASE_TABLES, partitions
from coordinator.schema import schema_version
from coordinator.traffic.rollup_store import count_due

_COUNTED = (*BASE_TABLES, "report", "quarantine", "traffic_count_rollup")
_KNOWN_EXTENSIONS = ("timescaledb", "citus", "pg_partman")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How a database is doing.

    Attributes:
        rows: Rows a table; on PostgreSQL as its statistics say, which ``analyze`` renews.
        extensions: Those that change how bins could be stored; they are told, not used.
        rollups_due: Changed five minutes that wait to be summed.
    """

    kind: str
    server: str
    schema: str | None
    newest_schema: str
    size_bytes: int
    rows: dict[str, int]
    partitions: dict[str, list[str]]
    extensions: dict[str, str]
    rollups_due: int
    oldest_bin: str | None
    newest_bin: str | None


def condition(database: Database) -> Condition:
    """Look at everything that is cheap to look at.

    Raises:
        UnreachableError: The database is away.
    """
    version = schema_version(database)
    with database.session() as session:
        connection = session.connection()
        is_ready = version.is_current
        oldest, newest = _span(connection) if is_ready else (None, None)
        return Condition(
            kind=connection.dialect.name,
            server=_server(connection),
            schema=version.current,
            newest_schema=version.newest,
            size_bytes=_size_bytes(connection),
            rows=_rows(connection) if is_ready else {},
            partitions=partitions(connection),
            extensions=_extensions(connection),
            rollups_due=count_due(connection) if is_ready else 0,
            oldest_bin=oldest,
            newest_bin=newest,
        )


def analyze(database: Database) -> None:
    """Renew the statistics that plans are made of.

    Raises:
        UnreachableError: The database is away.
    """
    with database.session() as session:
        session.connection().execute(text("ANALYZE"))


def _server(connection: Connection) -> str:
    if connection.dialect.name == "postgresql":
        return f"PostgreSQL {_scalar(connection, 'SHOW server_version')}"
    return f"SQLite {_scalar(connection, 'SELECT sqlite_version()')}"


def _size_bytes(connection: Connection) -> int:
    if connection.dialect.name == "postgresql":
        return int(_scalar(connection, "SELECT pg_database_size(current_database())"))
    pages = int(_scalar(connection, "PRAGMA page_count"))
    return pages * int(_scalar(connection, "PRAGMA page_size"))


def _rows(connection: Connection) -> dict[str, int]:
    if connection.dialect.name != "postgresql":
        return {table: _count(connection, table) for table in _COUNTED}
    found = connection.execute(
        text(
            "SELECT coalesce(parent.relname, class.relname), "
            "sum(greatest(class.reltuples, 0))::bigint "
            "FROM pg_class class LEFT JOIN pg_inherits ON inhrelid = class.oid "
            "LEFT JOIN pg_class parent ON parent.oid = inhparent "
            "WHERE class.relkind = 'r' AND class.relnamespace = 'public'::regnamespace "
            "GROUP BY 1"
        )
    )
    counts = {name: int(number) for name, number in found}
    return {table: counts.get(table, 0) for table in _COUNTED}


def _extensions(connection: Connection) -> dict[str, str]:
    if connection.dialect.name != "postgresql":
        return {}
    found = connection.execute(text("SELECT extname, extversion FROM pg_extension"))
    return {name: version for name, version in found if name in _KNOWN_EXTENSIONS}


def _span(connection: Connection) -> tuple[str | None, str | None]:
    oldest, newest = connection.execute(text("SELECT min(start), max(start) FROM camera_bin")).one()
    return (None if oldest is None else str(oldest), None if newest is None else str(newest))


def _count(connection: Connection, table: str) -> int:
    return int(_scalar(connection, f"SELECT count(*) FROM {table}"))  # nosec B608


def _scalar(connection: Connection, statement: str) -> Any:
    return connection.execute(text(statement)).scalar_one()
