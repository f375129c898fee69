"""A path and a schema → an opened SQLite file that survives power cuts, and damage told apart.

For unattended boxes: every commit reaches the disk, the file stays below its limit and shrinks
again, and a file that is broken is put aside instead of stopping the box.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from common.errors import ConfigError
from common.private_files import keep_private

PAGE_BYTES = 4096
KEPT_ASIDE = 2
"""Damaged files kept for somebody to look at; older ones are deleted, or disk would fill up."""

_WAL_BYTES = 4 * 1024 * 1024
_LOCKED_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What is in a file.

    Attributes:
        name: What people call it.
        schema: Statements that create its tables.
        version: Of the schema; a file with a higher one is refused.
        check: ``integrity_check`` where an index that lacks a row would hide something for ever.
        room_pages: For work beyond the limit of the content.
    """

    name: str
    schema: str
    version: int = 1
    check: Literal["quick_check", "integrity_check"] = "quick_check"
    room_pages: int = 256


def open_durable(
    path: Path, layout: Layout, *, max_bytes: int | None = None, many_threads: bool = True
) -> sqlite3.Connection:
    """Open or create the file (mode 0600), check it, and bound its size.

    Args:
        path: The file.
        layout: What is in it.
        max_bytes: Where it stops growing; without it, where the disk ends.
        many_threads: False binds the connection to the thread that opens it.

    Raises:
        ConfigError: A newer version of the product wrote it.
        sqlite3.Error: It cannot be opened, or is damaged; see ``is_damage``.
    """
    keep_private(path)
    database = sqlite3.connect(
        path, isolation_level=None, check_same_thread=not many_threads, timeout=_LOCKED_S
    )
    try:
        _set_up(database, path, layout, max_bytes)
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


def _set_up(
    database: sqlite3.Connection, path: Path, layout: Layout, max_bytes: int | None
) -> None:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > layout.version:
        raise ConfigError(
            f"{layout.name} {path} has version {version}, expected at most {layout.version}",
            hint="a newer release wrote it: install that again, or name another data_folder",
        )
    if version == 0:
        database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        # Without it the file never shrinks, and the operator's limit would come too late.
        database.execute("PRAGMA auto_vacuum = INCREMENTAL")
    database.execute("PRAGMA journal_mode = WAL")
    # Boxes write a few times a minute: they can wait for the disk, and a power cut loses nothing.
    database.execute("PRAGMA synchronous = FULL")
    database.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
    if max_bytes is not None:
        most = max_bytes // PAGE_BYTES + layout.room_pages
        database.execute(f"PRAGMA max_page_count = {most}")
    (verdict,) = database.execute(f"PRAGMA {layout.check}(1)").fetchone()
    if verdict != "ok":
        damage = sqlite3.DatabaseError(verdict)
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damage
    if version == 0:
        database.executescript(
            f"BEGIN IMMEDIATE; {layout.schema} PRAGMA user_version = {layout.version}; COMMIT;"
        )
