"""A path → an opened SQLite file with our tables, or a damaged one put out of the way."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path

from common.errors import ConfigError
from common.private_files import keep_private

SCHEMA_VERSION = 1
PAGE_BYTES = 4096
WAL_BYTES = 4 * 1024 * 1024
KEPT_ASIDE = 2
"""Damaged files kept for somebody to look at; older ones are deleted, or disk would fill up."""

_ROOM_FOR_WORK_PAGES = 256
_SCHEMA = """
CREATE TABLE bin (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    camera TEXT NOT NULL,
    start_s INTEGER NOT NULL,
    part INTEGER NOT NULL,
    content TEXT NOT NULL,
    UNIQUE (camera, start_s, part)
);
CREATE INDEX bin_by_start ON bin (start_s);
CREATE TABLE loss (
    camera TEXT NOT NULL,
    reason TEXT NOT NULL,
    bins INTEGER,
    first_s INTEGER,
    last_s INTEGER,
    detail TEXT NOT NULL,
    PRIMARY KEY (camera, reason, detail)
) WITHOUT ROWID;
"""


def open_database(path: Path, *, max_bytes: int) -> sqlite3.Connection:
    """Open or create the file, check it, and bound its size.

    Raises:
        ConfigError: A newer version of the product wrote it.
        sqlite3.Error: It cannot be opened, or is damaged; see ``is_damage``.
    """
    keep_private(path)
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        _set_up(database, path, max_bytes)
    except (sqlite3.Error, ConfigError):
        database.close()
        raise
    return database


def is_damage(error: sqlite3.Error) -> bool:
    """True when the file itself is broken, not the disk full or the file locked."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def move_aside(path: Path, now: datetime) -> Path:
    """Rename a damaged file with its log, so that a new one can take its place.

    Returns:
        Where it lies now.
    """
    stamp = now.strftime("%Y%m%dT%H%M%S%fZ")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        companion = path.with_name(path.name + suffix)
        if companion.exists():
            companion.rename(aside.with_name(aside.name + suffix))
    earlier = sorted(
        file
        for file in path.parent.glob(f"{path.name}.damaged-*")
        if not file.name.endswith(("-wal", "-shm"))
    )
    for file in earlier[:-KEPT_ASIDE]:
        for suffix in ("", "-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)
    return aside


def _set_up(database: sqlite3.Connection, path: Path, max_bytes: int) -> None:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise ConfigError(
            f"store {path} has version {version}, expected at most {SCHEMA_VERSION}",
            hint="a newer release wrote it: install that again, or name another data_folder",
        )
    if version == 0:
        database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        # Without it the file never shrinks, and the operator's limit would come too late.
        database.execute("PRAGMA auto_vacuum = INCREMENTAL")
    database.execute("PRAGMA journal_mode = WAL")
    # A bin a minute: we can afford to wait for the disk, and a power cut then loses nothing.
    database.execute("PRAGMA synchronous = FULL")
    database.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
    database.execute(f"PRAGMA max_page_count = {max_bytes // PAGE_BYTES + _ROOM_FOR_WORK_PAGES}")
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        damage = sqlite3.DatabaseError(verdict)
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damage
    if version == 0:
        database.executescript(
            f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )
