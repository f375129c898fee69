"""A database ↔ one file: SQLite by its own backup, PostgreSQL by ``pg_dump`` and ``pg_restore``.

Both are consistent while the coordinator runs. Keys are not in the database: without
``data_folder/keys`` a restored coordinator has the counts, and no box believes it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

from sqlalchemy import inspect

from common.errors import ConflictError, UnreachableError
from coordinator.database import Database

_INSTALLED = "/usr/lib/postgresql"


def back_up(database: Database, path: Path) -> int:
    """Write everything to a new file, mode 0600.

    Returns:
        Size of the file in bytes.

    Raises:
        ConflictError: The file exists.
        UnreachableError: The database is away, or a program of PostgreSQL is missing or failed.
    """
    if path.exists():
        raise ConflictError(f"{path} exists, expected a new file", hint="choose another name")
    # Counts of a city are nobody else's business, and pg_dump would write 0644.
    before = os.umask(0o077)
    try:
        if database.is_postgresql:
            _run("pg_dump", "--format=custom", "--no-owner", f"--file={path}", _address(database))
        else:
            _copy_sqlite(_file(database), path)
    finally:
        os.umask(before)
    return path.stat().st_size


def restore(database: Database, path: Path) -> None:
    """Fill an empty database from a file.

    Raises:
        ConflictError: The database is not empty, or the file is missing or of another kind.
        UnreachableError: The database is away, or a program of PostgreSQL is missing or failed.
    """
    if not path.is_file():
        raise ConflictError(f"{path} is no file", hint="give the file that backup wrote")
    _refuse_full(database)
    is_sqlite = path.read_bytes()[:15] == b"SQLite format 3"
    if is_sqlite == database.is_postgresql:
        raise ConflictError(
            f"{path} is a backup of {'SQLite' if is_sqlite else 'PostgreSQL'}, expected one of "
            f"{'PostgreSQL' if database.is_postgresql else 'SQLite'}",
            hint="restore it into a database of its own kind",
        )
    if database.is_postgresql:
        _run(
            "pg_restore", "--no-owner", "--exit-on-error", "--single-transaction",
            f"--dbname={_address(database)}", str(path),
        )  # fmt: skip
    else:
        database.close()
        _copy_sqlite(path, _file(database))


def _refuse_full(database: Database) -> None:
    with database.session() as session:
        tables = inspect(session.connection()).get_table_names()
    if tables:
        raise ConflictError(
            f"database has {len(tables)} tables, expected an empty one",
            hint="create a new database and name it in the configuration",
        )


def _copy_sqlite(source: Path, target: Path) -> None:
    try:
        reading, writing = sqlite3.connect(source), sqlite3.connect(target)
        try:
            reading.backup(writing)
        finally:
            writing.close()
            reading.close()
    except sqlite3.Error as error:
        raise UnreachableError(f"{source} could not be copied to {target}: {error}") from error


def _run(program: str, *arguments: str) -> None:
    found = shutil.which(program) or _newest_installed(program)
    if found is None:
        raise UnreachableError(
            f"{program} is not on this machine", hint="install PostgreSQL's client programs"
        )
    finished = subprocess.run(  # noqa: S603 - our own program and arguments
        [found, *arguments], capture_output=True, text=True, check=False
    )
    if finished.returncode:
        lines = finished.stderr.strip().splitlines() or ["no message"]
        raise UnreachableError(f"{program} failed: {lines[0]}")


def _newest_installed(program: str) -> str | None:
    return next((str(p) for p in sorted(Path(_INSTALLED).glob(f"*/bin/{program}"))[::-1]), None)


def _address(database: Database) -> str:
    """For libpq, which takes passwords from its own file or environment."""
    url = database.engine.url.set(drivername="postgresql", password=None)
    return url.render_as_string()


def _file(database: Database) -> Path:
    name = database.engine.url.database
    if not name or name == ":memory:":
        raise ConflictError("database lives in memory, expected one in a file")
    return Path(name)
