"""SQL of the outbox → transactions that end whole, and a damaged file put out of the way."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from common.durable_files import is_damage, move_aside
from common.errors import TrustError, UnreachableError
from common.timing import Clock
from edge.deliver.outbox_file import open_outbox

log = structlog.get_logger(__name__)


class UsedBytes(NamedTuple):
    """Size of the file, and of what is in use of it."""

    file: int
    used: int


class OutboxDatabase:
    """An open outbox file; for the thread that opened it."""

    def __init__(self, path: Path, *, max_bytes: int, clock: Clock) -> None:
        """Open or create the file; a damaged one is moved aside.

        Raises:
            ConfigError: The file is of a newer version.
            UnreachableError: The file cannot be opened or created.
        """
        self.path = path
        self.max_bytes = max_bytes
        self._clock = clock
        try:
            self.sql = self._opened()
        except (sqlite3.Error, OSError) as error:
            raise self._unusable(error) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside, or nothing.

        Raises:
            UnreachableError: The disk is full or failing, or the file turned out to be damaged
                and was moved aside: open the outbox again.
        """
        try:
            self.sql.execute("BEGIN IMMEDIATE")
            is_whole = False
            try:
                yield self.sql
                is_whole = True
            finally:
                # Some errors, such as a full disk, have ended the transaction already.
                if not is_whole and self.sql.in_transaction:
                    self.sql.execute("ROLLBACK")
            self.sql.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._failed(error) from error
        except TrustError as error:
            raise self._put_aside(error) from error

    def read(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query.

        Raises:
            UnreachableError: As ``transaction``.
        """
        try:
            return self.sql.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def fact(self, name: str) -> str:
        """A note that outlives restarts, empty when there is none."""
        rows = self.read("SELECT value FROM fact WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else ""

    def set_fact(self, name: str, value: str) -> None:
        """Note something; call it inside a transaction."""
        self.sql.execute(
            "INSERT INTO fact (name, value) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )

    def used_bytes(self) -> UsedBytes:
        """How big the file is."""
        pages, free, size = (
            self.read(f"PRAGMA {name}")[0][0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return UsedBytes(file=pages * size, used=(pages - free) * size)

    def shrink_file(self) -> None:
        """Give free pages back to the disk."""
        try:
            # Not execute(): that takes one step of it, which frees a single page.
            self.sql.executescript("PRAGMA incremental_vacuum")
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Finish; safe to call twice."""
        self.sql.close()

    def _opened(self) -> sqlite3.Connection:
        try:
            return open_outbox(self.path, max_bytes=self.max_bytes)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            aside = move_aside(self.path, self._clock.now())
            log.error("outbox_damaged", error=str(error), moved_to=aside.name)  # noqa: TRY400
            return open_outbox(self.path, max_bytes=self.max_bytes)

    def _failed(self, error: sqlite3.Error) -> UnreachableError:
        return self._put_aside(error) if is_damage(error) else self._unusable(error)

    def _put_aside(self, error: Exception) -> UnreachableError:
        """Make sure that the next opening begins anew; whoever holds this object starts over."""
        self.sql.close()
        try:
            aside = move_aside(self.path, self._clock.now()) if self.path.exists() else self.path
        except OSError as again:
            return self._unusable(again)
        log.error("outbox_damaged", error=str(error), moved_to=aside.name)
        return UnreachableError(
            f"outbox {self.path} is damaged: {error}",
            hint="a new one is begun, and what the store still has is sent again",
        )

    def _unusable(self, error: sqlite3.Error | OSError) -> UnreachableError:
        return UnreachableError(
            f"outbox {self.path} cannot be used: {error}, expected a healthy disk with free space",
            hint="free disk space and look for disk errors in the system log",
        )
