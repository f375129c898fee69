"""A large table → the same without indexes while it is filled, and with them afterwards.

Filling a bare table that the same transaction emptied costs no journal (``wal_level``
minimal), and one sort builds an index faster than a hundred million insertions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text


@contextmanager
def emptied(connection: Connection, table: str) -> Iterator[None]:
    """Empty a table and take its indexes away while the block runs.

    Args:
        connection: PostgreSQL, in a transaction.
        table: Name of a table, or of a partition, which is detached meanwhile.
    """
    parent = connection.execute(text(_PARENT), {"table": table}).one_or_none()
    if parent is not None:
        connection.exec_driver_sql(f"ALTER TABLE {parent.name} DETACH PARTITION {table}")
    connection.exec_driver_sql(f"TRUNCATE {table}")
    keys = connection.execute(text(_KEYS), {"table": table}).all()
    for name, _ in keys:
        connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    indexes = connection.execute(text(_INDEXES), {"table": table}).all()
    for name, _ in indexes:
        connection.exec_driver_sql(f"DROP INDEX {name}")
    yield
    for name, definition in keys:
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
    for _, definition in indexes:
        connection.exec_driver_sql(definition)
    if parent is not None:
        connection.exec_driver_sql(
            f"ALTER TABLE {parent.name} ATTACH PARTITION {table} {parent.bound}"
        )


_PARENT = """
SELECT inhparent::regclass::text AS name, pg_get_expr(relpartbound, child.oid) AS bound
FROM pg_class AS child JOIN pg_inherits ON inhrelid = child.oid
WHERE child.oid = CAST(:table AS regclass)
"""
_KEYS = """
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = CAST(:table AS regclass) AND contype = 'p'
"""
# Asked after the keys are gone, so theirs are no longer among them.
_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE schemaname = 'public' AND tablename = :table
"""
