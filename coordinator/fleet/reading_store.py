"""A database → sessions that only read, and so hold no writer back on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlmodel import Session

from coordinator.database import Database


@contextmanager
def reading(database: Database) -> Iterator[Session]:
    """One unit of questions.

    Raises:
        UnreachableError: The database is away.
    """
    with database.session() as session:
        session.connection(execution_options={"its_read_only": True})
        yield session
