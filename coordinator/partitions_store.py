"""Months → native partitions of the tables of bins, made ahead and dropped by retention.

PostgreSQL alone has them; on SQLite making room does nothing and retention deletes rows.
A month (UTC) a partition: a year of history is a dozen of them, which a planner passes over
quickly, and dropping one gives its space back at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import Connection, text

from coordinator.database import Database

BASE_TABLES = ("camera_bin", "traffic_count", "traffic_speed", "traffic_area")

_LOCK = 0x17_5CA3
"""Advisory lock: two workers never make the same partition at once."""

_EXISTING = text(
    """
    SELECT parent.relname, child.relname
      FROM pg_inherits
      JOIN pg_class parent ON parent.oid = inhparent
      JOIN pg_class child ON child.oid = inhrelid
     WHERE parent.relname = ANY(:tables) AND parent.relnamespace = 'public'::regnamespace
    """
)


def month_of(at: datetime) -> datetime:
    """First moment of the month, in UTC."""
    return at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month(month: datetime) -> datetime:
    """First moment of the month after."""
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


def months_between(first: datetime, last: datetime) -> list[datetime]:
    """Every month that holds a moment of the interval, both ends included."""
    month, months = month_of(first), []
    while month <= last:
        months.append(month)
        month = next_month(month)
    return months


def make_room(connection: Connection, months: Iterable[datetime]) -> int:
    """Create missing partitions; they belong to the caller's transaction.

    Args:
        connection: PostgreSQL, or SQLite, where nothing happens.
        months: First moments of months, as of ``month_of``.

    Returns:
        How many partitions were made.
    """
    wanted = sorted(set(months))
    if connection.dialect.name != "postgresql" or not wanted:
        return 0
    if not _missing(connection, wanted):
        return 0
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    missing = _missing(connection, wanted)
    for table, month in missing:
        _create(connection, table, month)
    return len(missing)


def make_room_for(database: Database, *, first: datetime, last: datetime) -> int:
    """Create the missing partitions of an interval, in a transaction of their own.

    Raises:
        UnreachableError: The database is away.
    """
    with database.session() as session:
        return make_room(session.connection(), months_between(first, last))


def partitions(connection: Connection) -> dict[str, list[str]]:
    """Table → names of its partitions in order of time; empty on SQLite."""
    found: dict[str, list[str]] = {}
    if connection.dialect.name == "postgresql":
        for table, name in connection.execute(_EXISTING, {"tables": list(BASE_TABLES)}):
            found.setdefault(table, []).append(name)
    return {table: sorted(found[table]) for table in sorted(found)}


def forget_before(connection: Connection, oldest: datetime) -> int:
    """Drop bins that began before the month of ``oldest``, on SQLite before ``oldest`` itself.

    Returns:
        Partitions that were dropped, or rows that were deleted.
    """
    if connection.dialect.name != "postgresql":
        return sum(
            connection.execute(
                text(f"DELETE FROM {table} WHERE start < :oldest"),  # noqa: S608 - ours  # nosec B608
                {"oldest": oldest.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")},
            ).rowcount
            for table in BASE_TABLES
        )
    limit = f"_p{month_of(oldest):%Y%m}"
    dropped = 0
    for table, names in partitions(connection).items():
        for name in names:
            if name < table + limit:
                connection.execute(text(f"DROP TABLE {name}"))
                dropped += 1
    return dropped


def _missing(connection: Connection, months: list[datetime]) -> list[tuple[str, datetime]]:
    existing = {name for names in partitions(connection).values() for name in names}
    return [
        (table, month)
        for table in BASE_TABLES
        for month in months
        if _name(table, month) not in existing
    ]


def _create(connection: Connection, table: str, month: datetime) -> None:
    name = _name(table, month)
    connection.execute(
        text(
            f"CREATE TABLE {name} PARTITION OF {table} "
            f"FOR VALUES FROM ('{month.isoformat()}') TO ('{next_month(month).isoformat()}')"
        )
    )
    # Rows arrive almost in order of time, so a few kilobytes find a day among all series.
    connection.execute(
        text(
            f"CREATE INDEX tune_{name}_start ON {name} "
            "USING brin (start) WITH (pages_per_range = 32)"
        )
    )


def _name(table: str, month: datetime) -> str:
    return f"{table}_p{month:%Y%m}"
