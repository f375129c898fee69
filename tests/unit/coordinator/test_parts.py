import socket
import threading
from pathlib import Path

import pytest

from common.errors import ConfigError, UnreachableError
from coordinator.metrics import Metrics
from coordinator.parts import Loop, Parts

pytestmark = pytest.mark.unit
WAIT_S = 10.0


class Recorded:
    """A part that says what was done to it."""

    def __init__(self, name: str, calls: list[str], *, fault: Exception | None = None) -> None:
        self.name = name
        self.calls = calls
        self.fault = fault
        self.is_alive = False

    def start(self) -> None:
        if self.fault is not None:
            raise self.fault
        self.calls.append(f"start {self.name}")
        self.is_alive = True

    def stop(self) -> None:
        self.calls.append(f"stop {self.name}")
        self.is_alive = False


def test_parts_stop_in_the_opposite_order() -> None:
    calls: list[str] = []
    parts = Parts()
    for name in ("broker", "api"):
        parts.add(name, Recorded(name, calls))
    stop = threading.Event()
    stop.set()

    parts.run(stop)

    assert calls == ["start broker", "start api", "stop api", "stop broker"]


def test_a_part_that_cannot_start_stops_what_had_started() -> None:
    calls: list[str] = []
    parts = Parts()
    parts.add("broker", Recorded("broker", calls))
    parts.add("api", Recorded("api", calls, fault=ConfigError("port is taken")))

    with pytest.raises(ConfigError, match="port is taken"):
        parts.run(threading.Event())
    assert calls == ["start broker", "stop api", "stop broker"]


def test_a_part_that_ends_by_itself_ends_the_process() -> None:
    parts = Parts()
    part = Recorded("ingest", [])
    parts.add("ingest", part)
    part.start = lambda: None  # type: ignore[method-assign]

    with pytest.raises(UnreachableError, match="ingest ended unexpectedly"):
        parts.run(threading.Event())


def test_a_loop_goes_on_after_a_fault_of_the_world_and_counts_it() -> None:
    metrics, rounds, done = Metrics(), [], threading.Event()

    def action() -> None:
        rounds.append(len(rounds))
        if len(rounds) == 1:
            raise UnreachableError("database is away")
        done.set()

    loop = Loop("rounds", action, every_s=0.01, metrics=metrics)
    loop.start()

    assert done.wait(WAIT_S)
    loop.stop()
    assert b'its_loop_failures_total{loop="rounds"} 1.0' in metrics.text()


def test_a_part_that_lives_but_cannot_work_says_why() -> None:
    parts = Parts()
    part = Recorded("ingest", [])
    parts.add("ingest", part, condition=lambda: "broker is away")

    before = parts.conditions()
    part.is_alive = True

    assert before == {"ingest": "stopped"}
    assert parts.conditions() == {"ingest": "broker is away"}
    assert parts.states() == {"ingest": "ok"}


def test_the_service_manager_hears_ready_alive_and_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, parts = threading.Event(), Parts()
    parts.add("api", Recorded("api", []))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(WAIT_S)
        monkeypatch.setenv("NOTIFY_SOCKET", manager.getsockname())
        running = threading.Thread(target=parts.run, args=(stop,))
        running.start()

        heard = [manager.recv(100), manager.recv(100)]
        stop.set()
        running.join(WAIT_S)
        while heard[-1] == b"WATCHDOG=1":
            heard.append(manager.recv(100))

    assert heard[:2] == [b"READY=1", b"WATCHDOG=1"]
    assert heard[-1] == b"STOPPING=1"
