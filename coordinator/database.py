"""A database address → sessions that commit once, on SQLite or PostgreSQL.

SQLite serves one machine; PostgreSQL serves production. Both get the same tables and the
same statements; what differs (partitions, bulk inserts) asks ``is_postgresql``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import DateTime, Dialect, TypeDecorator, create_engine, event, text
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlmodel import Session

from common.errors import ConfigError, UnreachableError
from common.private_files import keep_private

_BUSY_TIMEOUT_MS = 30_000


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC on both databases; SQLite alone would hand back naive ones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Refuse naive moments before they are stored."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value}, expected an aware one")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Moments come back aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    """Connections to one database; safe to share between threads."""

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        """Prepare; nothing is opened yet.

        Args:
            url: ``sqlite:////path/file.db`` or ``postgresql://user@host/name``; a password
                comes from ``PGPASSFILE`` or ``PGPASSWORD``.
            pool_size: Connections kept open, on PostgreSQL.

        Raises:
            ConfigError: The address cannot be understood.
        """
        self._engine = _engine(url, pool_size)

    @property
    def engine(self) -> Engine:
        """For migrations and bulk statements."""
        return self._engine

    @property
    def is_postgresql(self) -> bool:
        """True on PostgreSQL, False on SQLite."""
        return self._engine.dialect.name == "postgresql"

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One unit of work: committed once at the end, rolled back by any error.

        Raises:
            UnreachableError: The database is away; the same call may work later.
        """
        try:
            with Session(self._engine, expire_on_commit=False) as session, session.begin():
                yield session
        except DBAPIError as error:
            if isinstance(error, OperationalError) or error.connection_invalidated:
                raise _away(self._engine, error) from error
            raise

    def check(self) -> None:
        """Ask the database for one row.

        Raises:
            UnreachableError: It did not answer.
        """
        with self.session() as session:
            session.connection().execute(text("SELECT 1"))

    def close(self) -> None:
        """Close every pooled connection; safe to call twice."""
        self._engine.dispose()


def _engine(url: str, pool_size: int) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise _unknown(url) from error
    if parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        parsed = parsed.set(drivername="postgresql+psycopg")
        return create_engine(
            parsed, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True
        )
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise _unknown(url)
    engine = create_engine(parsed, connect_args={"timeout": _BUSY_TIMEOUT_MS / 1000})
    event.listen(engine, "do_connect", _keep_private)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_immediately)
    return engine


def _keep_private(_dialect: object, _record: object, arguments: list[Any], _named: object) -> None:
    if arguments and arguments[0] != ":memory:":
        keep_private(Path(arguments[0]))


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own BEGIN comes late and is not IMMEDIATE: two writers would deadlock.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediately(connection: Any) -> None:
    reads_only = connection.get_execution_options().get("its_read_only", False)
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")


def _unknown(url: str) -> ConfigError:
    return ConfigError(
        f"database address {url.partition('@')[0].partition(':')[0]}:… is not understood, "
        "expected sqlite:////path/file.db or postgresql://user@host/name",
        hint="correct the key database of the coordinator's configuration",
    )


def _away(engine: Engine, error: DBAPIError) -> UnreachableError:
    return UnreachableError(
        f"database {engine.url.render_as_string(hide_password=True)} did not serve: "
        f"{str(error.orig).strip().splitlines()[0] if error.orig else error}",
        hint="start it, or correct the key database of the coordinator's configuration",
    )
