"""Closed one-minute bins → rows of a local SQLite file that survives power cuts.

Each bin is one row, unique by camera, start and part. The file is bounded by age and by
size; what had to go, and a file that was found damaged, are written down in ``loss``.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from common.durable_files import is_damage, move_aside, open_durable
from common.errors import UnreachableError
from common.timing import Clock
from edge.keeping.store_file import STORE
from edge.keeping.stored import Loss, StoredBin, StoreLimits
from edge.measure.bins import MinuteBin

_MOST_AGED_PER_ADD = 200
"""A clock that is far ahead for a moment must not empty the store."""

_FULL_SHARE, _SHRUNK_SHARE = 0.95, 0.9
_TOO_OLD, _TOO_MUCH, _DAMAGED = "too_old", "store_full", "file_damaged"

log = structlog.get_logger(__name__)


class BinStore:
    """The bins of one box; safe to share between threads."""

    def __init__(self, path: Path, *, limits: StoreLimits, clock: Clock) -> None:
        """Open or create the file; a damaged one is moved aside first and said so.

        Raises:
            ConfigError: The file is of a newer version.
            UnreachableError: The file cannot be opened or created.
        """
        self._path = path
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._damage: sqlite3.Error | None = None
        try:
            self._database = open_durable(path, STORE, max_bytes=limits.max_bytes)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise _unusable(path, error) from error
            self._start_anew(error)

    def add(self, bins: Iterable[MinuteBin]) -> int:
        """Store bins, all or none; one that is already there stays as it is.

        Returns:
            How many were new.

        Raises:
            UnreachableError: The disk is full or failing; the same call may work later.
        """
        rows = [
            (
                bin_.camera_id,
                _seconds(bin_.start),
                bin_.part,
                json.dumps(bin_.to_dict(), separators=(",", ":"), ensure_ascii=False),
            )
            for bin_ in bins
        ]
        with self._lock:
            if self._damage is not None:
                self._start_anew(self._damage)
            try:
                return self._added(rows)
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise _unusable(self._path, error) from error
                self._database.close()
                self._start_anew(error)
                return self._added(rows)

    def bins(
        self,
        camera_id: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        after_row: int = 0,
    ) -> Iterator[StoredBin]:
        """Bins in the order they were stored.

        Args:
            camera_id: Of this camera only.
            since: Starting then or later.
            until: Starting before then.
            after_row: Only those with a higher ``row_id``.
        """
        query = (
            "SELECT id, camera, start_s, part, content FROM bin WHERE id > ?"
            " AND (camera = ? OR ? IS NULL) AND start_s >= ? AND start_s < ? ORDER BY id LIMIT 500"
        )
        low = _seconds(since) if since else -(2**62)
        high = _seconds(until) if until else 2**62
        while rows := self._read(query, (after_row, camera_id, camera_id, low, high)):
            for row_id, camera, start_s, part, content in rows:
                yield StoredBin(
                    row_id=row_id,
                    camera_id=camera,
                    start=_moment(start_s),
                    part=part,
                    content=json.loads(content),
                )
            after_row = rows[-1][0]

    def parts(self, camera_id: str, start: datetime) -> int:
        """How many parts of a minute are stored."""
        query = "SELECT COALESCE(MAX(part) + 1, 0) FROM bin WHERE camera = ? AND start_s = ?"
        return int(self._read(query, (camera_id, _seconds(start)))[0][0])

    def last_start(self, camera_id: str) -> datetime | None:
        """Start of the camera's latest minute, or None before the first."""
        found = self._read("SELECT MAX(start_s) FROM bin WHERE camera = ?", (camera_id,))[0][0]
        return None if found is None else _moment(found)

    def losses(self) -> list[Loss]:
        """What is gone, by camera and reason."""
        query = (
            "SELECT camera, reason, bins, first_s, last_s, detail FROM loss"
            " ORDER BY camera, reason, detail"
        )
        return [
            Loss(
                camera_id=camera,
                reason=reason,
                bins=bins,
                first_at=None if first_s is None else _moment(first_s),
                last_at=None if last_s is None else _moment(last_s),
                detail=detail,
            )
            for camera, reason, bins, first_s, last_s, detail in self._read(query)
        ]

    def note_lost(self, camera_id: str, reason: str, starts: Iterable[datetime]) -> None:
        """Write down bins that never made it into the store.

        Raises:
            UnreachableError: The disk is full or failing.
        """
        try:
            with self._lock, self._transaction():
                self._note(reason, [(camera_id, _seconds(start)) for start in starts])
        except sqlite3.Error as error:
            raise _unusable(self._path, error) from error

    def close(self) -> None:
        """Finish; safe to call twice."""
        with self._lock:
            self._database.close()

    def _added(self, rows: list[tuple[str, int, int, str]]) -> int:
        self._make_room()
        with self._transaction():
            before = self._database.total_changes
            self._database.executemany(
                "INSERT OR IGNORE INTO bin (camera, start_s, part, content) VALUES (?, ?, ?, ?)",
                rows,
            )
            return self._database.total_changes - before

    def _make_room(self) -> None:
        eldest_s = _seconds(self._clock.now() - timedelta(days=self._limits.max_days))
        with self._transaction():
            aged = self._delete("WHERE start_s < ?", _MOST_AGED_PER_ADD, eldest_s)
            self._note(_TOO_OLD, aged)
        if self._bytes().used > self._limits.max_bytes * _FULL_SHARE:
            self._shrink()
        if self._bytes().file > self._limits.max_bytes:
            # Not execute(): that takes one step of it, which frees a single page.
            self._database.executescript("PRAGMA incremental_vacuum")

    def _shrink(self) -> None:
        aim = self._limits.max_bytes * _SHRUNK_SHARE
        while (used := self._bytes().used) > aim:
            (count,) = self._database.execute("SELECT COUNT(*) FROM bin").fetchone()
            if not count:
                return
            surplus = used - aim
            with self._transaction():
                gone = self._delete("", 1 + int(count * surplus / used))
                self._note(_TOO_MUCH, gone)
            log.warning("store_full", deleted=len(gone), max_bytes=self._limits.max_bytes)

    def _delete(self, condition: str, most: int, *values: int) -> list[tuple[str, int]]:
        return self._database.execute(
            "DELETE FROM bin WHERE id IN"  # noqa: S608 - the condition is ours  # nosec B608
            f" (SELECT id FROM bin {condition} ORDER BY start_s, id LIMIT ?)"
            " RETURNING camera, start_s",
            (*values, most),
        ).fetchall()

    def _note(self, reason: str, gone: list[tuple[str, int]], detail: str = "") -> None:
        starts = defaultdict(list)
        for camera, start_s in gone:
            starts[camera].append(start_s)
        for camera, seconds in starts.items():
            self._database.execute(
                "INSERT INTO loss (camera, reason, bins, first_s, last_s, detail)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (camera, reason, detail) DO UPDATE SET"
                " bins = bins + excluded.bins, first_s = MIN(first_s, excluded.first_s),"
                " last_s = MAX(last_s, excluded.last_s)",
                (camera, reason, len(seconds), min(seconds), max(seconds), detail),
            )

    def _start_anew(self, error: sqlite3.Error) -> None:
        """Put a damaged file aside and begin another; tried again until the disk lets us."""
        self._damage = error
        try:
            aside = move_aside(self._path, self._clock.now()) if self._path.exists() else None
            self._database = open_durable(self._path, STORE, max_bytes=self._limits.max_bytes)
            self._database.execute(
                "INSERT INTO loss (camera, reason, bins, detail) VALUES ('', ?, NULL, ?)",
                (_DAMAGED, f"moved to {aside.name}" if aside else "the file was gone"),
            )
        except (sqlite3.Error, OSError) as again:
            raise _unusable(self._path, again) from again
        log.error("store_damaged", error=str(error), moved_to=str(aside))
        self._damage = None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except sqlite3.Error:
            # Some errors, such as a full disk, have ended the transaction already.
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def _read(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                return self._database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise _unusable(self._path, error) from error

    def _bytes(self) -> _Bytes:
        pages, free, size = (
            self._database.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return _Bytes(file=pages * size, used=(pages - free) * size)


class _Bytes(NamedTuple):
    file: int
    used: int


def _unusable(path: Path, error: sqlite3.Error | OSError) -> UnreachableError:
    return UnreachableError(
        f"store {path} cannot be used: {error}, expected a healthy disk with free space",
        hint="free disk space and look for disk errors in the system log",
    )


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
