from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from common.timing import SystemClock
from coordinator.database import Database
from coordinator.schema import migrate
from edge.deliver.outbox_file import open_outbox
from edge.keeping.store import BinStore
from edge.keeping.stored import StoreLimits

pytestmark = pytest.mark.integration


def open_coordinator(path: Path) -> None:
    database = Database(f"sqlite:///{path}")
    migrate(database)
    database.close()


def open_bins(path: Path) -> None:
    BinStore(path, limits=StoreLimits(max_days=1, max_bytes=1_000_000), clock=SystemClock()).close()


def open_waiting(path: Path) -> None:
    open_outbox(path, max_bytes=1_000_000).close()


@pytest.mark.parametrize(
    "opened",
    [
        pytest.param(open_coordinator, id="the coordinator's database"),
        pytest.param(open_bins, id="the box's bins"),
        pytest.param(open_waiting, id="the box's outbox"),
    ],
)
def test_no_other_user_of_the_machine_reads_a_database(
    opened: Callable[[Path], None], tmp_path: Path
) -> None:
    before = os.umask(0o022)
    try:
        opened(tmp_path / "numbers.sqlite")
    finally:
        os.umask(before)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes["numbers.sqlite"] == 0o600
    assert set(modes.values()) == {0o600}


COME_AND_GO = """
import sqlite3, sys
other = sqlite3.connect(sys.argv[1])
other.execute("SELECT value FROM number").fetchall()
other.close()
"""


def test_opening_a_database_again_leaves_the_locks_of_this_process_alone(tmp_path: Path) -> None:
    path = tmp_path / "numbers.sqlite"
    database, again = (Database(f"sqlite:///{path}") for _ in range(2))
    with database.session() as session:
        session.connection().execute(text("CREATE TABLE number (value INTEGER)"))
    again.check()

    # Another process comes and goes; were it the last user, it would delete the journal.
    subprocess.run([sys.executable, "-c", COME_AND_GO, str(path)], check=True, timeout=60)

    assert path.with_name("numbers.sqlite-wal").exists()
    again.close()
    database.close()
