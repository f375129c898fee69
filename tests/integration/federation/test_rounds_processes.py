"""Processes that outlive whoever started them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.errors import ConfigError
from coordinator.federation.processes import LastingProcess, ProcessOrder
from coordinator.federation.supervision import Supervised, Supervision
from tests.fakes.clocks import StandingClock
from tests.integration.federation.conftest import NOON, wait_until

pytestmark = pytest.mark.integration

SLEEPS = "import time; print('at work', flush=True); time.sleep(600)"
SPAWNS = (
    "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', "
    "'import time; time.sleep(600)']); print(p.pid, flush=True); p.wait()"
)


def order(folder: Path, program: str = SLEEPS, *, stamp: str = "") -> ProcessOrder:
    return ProcessOrder(
        name="worker",
        command=(sys.executable, "-c", program),
        environment=os.environ,
        folder=folder,
        stamp=stamp,
    )


@pytest.fixture
def process(tmp_path: Path) -> Iterator[LastingProcess]:
    process = LastingProcess(order(tmp_path))
    yield process
    process.stop()


def test_a_process_is_found_again_by_its_note(process: LastingProcess, tmp_path: Path) -> None:
    assert process.start()

    later = LastingProcess(order(tmp_path))

    assert (later.is_alive, later.pid, later.is_as_ordered) == (True, process.pid, True)
    assert not later.start()
    assert (tmp_path / "worker.pid.json").stat().st_mode & 0o777 == 0o600


def test_another_certificate_is_another_order(process: LastingProcess, tmp_path: Path) -> None:
    process.start()

    later = LastingProcess(order(tmp_path, stamp="new"))

    assert later.is_alive
    assert not later.is_as_ordered


def test_a_killed_process_is_dead_for_everybody(process: LastingProcess, tmp_path: Path) -> None:
    process.start()
    later = LastingProcess(order(tmp_path))
    assert process.pid is not None

    os.kill(process.pid, signal.SIGKILL)

    wait_until("it is dead", lambda: not process.is_alive)
    assert not later.is_alive
    assert later.pid is None


def test_a_number_that_is_used_again_is_not_the_process(
    process: LastingProcess, tmp_path: Path
) -> None:
    process.start()
    note = tmp_path / "worker.pid.json"
    note.write_text(note.read_text().replace(f'"pid":{process.pid}', f'"pid":{os.getpid()}'))

    assert not LastingProcess(order(tmp_path)).is_alive


def test_what_it_started_ends_with_it(tmp_path: Path) -> None:
    process = LastingProcess(order(tmp_path, SPAWNS))
    process.start()
    log = tmp_path / "worker.log"
    wait_until("it has a child", lambda: log.exists() and log.read_text().strip() != "")
    child = int(log.read_text())

    process.stop()

    wait_until("the child is gone", lambda: not is_running(child))
    assert not (tmp_path / "worker.pid.json").exists()


def test_its_last_words_are_kept(tmp_path: Path) -> None:
    process = LastingProcess(order(tmp_path, "raise SystemExit('no model here')"))
    process.start()

    wait_until("it ended", lambda: not process.is_alive)

    assert process.last_words() == "no model here"


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = ProcessOrder(
        name="worker", command=("/no/such/program",), environment={}, folder=tmp_path
    )

    with pytest.raises(ConfigError, match="worker cannot be started: No such file"):
        LastingProcess(missing).start()


def test_a_process_that_dies_is_started_again_later_each_time(tmp_path: Path) -> None:
    clock = StandingClock(NOON)
    supervised = Supervised(lambda: order(tmp_path, "pass"), clock)
    starts = []

    for second in range(16):
        if supervised.look(may_restart=True):
            starts.append(second)
        wait_until("it ended", lambda: not supervised.is_alive)
        clock.move(1)

    # Pauses of 1, 2, 4 and 8 seconds.
    assert starts == [0, 1, 3, 7, 15]


def test_another_certificate_waits_until_nobody_is_disturbed(tmp_path: Path) -> None:
    stamps = ["old"]
    supervision = Supervision(
        [Supervised(lambda: order(tmp_path, stamp=stamps[0]), StandingClock(NOON))]
    )
    supervision.look()
    try:
        stamps[0] = "new"

        assert supervision.look(may_restart=False) == []
        assert supervision.look(may_restart=True) == ["worker"]
        assert supervision.look(may_restart=True) == []
        assert supervision.missing() == []
    finally:
        supervision.stop()
    assert supervision.missing() == ["worker"]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")
