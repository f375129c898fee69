"""An outbox whose box is down → the same with its last page torn, as a power cut leaves it."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

_TORN_BYTES = 512


def tear(outbox: Path, chance: random.Random) -> str:
    """Shorten the file, or its log, by 512 bytes, or overwrite them.

    Every other time the log is written into the file first, as SQLite does it now and then:
    with a log that has everything, a torn file is whole again.

    Returns:
        What was done, in one word.
    """
    if chance.random() < 0.5 and outbox.exists():
        _write_log_into(outbox)
    wal = outbox.with_name(outbox.name + "-wal")
    files = [path for path in (outbox, wal) if path.exists() and path.stat().st_size > _TORN_BYTES]
    if not files:
        return "nothing_to_tear"
    # The file itself more often than its log: that is the harder loss.
    path = chance.choice([outbox, *files]) if outbox in files else files[0]
    name = "outbox" if path == outbox else "log"
    size = path.stat().st_size
    if chance.random() < 0.5:
        with path.open("r+b") as file:
            file.truncate(size - _TORN_BYTES)
        return f"{name}_shortened"
    with path.open("r+b") as file:
        file.seek(size - _TORN_BYTES)
        file.write(chance.randbytes(_TORN_BYTES))
    return f"{name}_overwritten"


def _write_log_into(outbox: Path) -> None:
    try:
        with closing(sqlite3.connect(outbox, timeout=5)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.DatabaseError:
        # It was torn before, and its box has not been up since.
        return
