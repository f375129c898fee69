from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

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
