"""A coordinator with three boxes that could train, and benches that are real processes."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.rounds import RunState
from coordinator.config import CoordinatorConfig, FederationSettings
from coordinator.container import CoordinatorContainer, coordinator_container
from coordinator.federation.bench import CommandBench
from coordinator.federation.driving import DriverParts, RunDriver
from coordinator.federation.run_folder import RunFolders
from coordinator.federation.views import RunWish
from coordinator.setting_up import set_up
from tests.conftest import REPOSITORY
from tests.fakes.bench_process import PLACE
from tests.fakes.clocks import SkippingClock
from tests.fakes.federated_fleet import enrol_box, synthetic_parent

WAIT_S = 90.0
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
BENCH_COMMAND = (sys.executable, "-m", "tests.fakes.bench_process")


def wait_until(what: str, is_so: Callable[[], bool], *, wait_s: float = WAIT_S) -> None:
    """Look again and again."""
    ends_s, pause = time.monotonic() + wait_s, threading.Event()
    while not is_so():
        assert time.monotonic() < ends_s, f"not within {wait_s:.0f} s: {what}"
        pause.wait(0.1)


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where benches are held; see ``tests.fakes.bench_process``."""
    folder = tmp_path / "gate"
    folder.mkdir()
    monkeypatch.setenv(PLACE, str(folder))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    return folder


@pytest.fixture
def clock() -> SkippingClock:
    return SkippingClock(datetime.now(UTC))


@pytest.fixture
def container(tmp_path: Path, clock: SkippingClock) -> Iterator[CoordinatorContainer]:
    """SQLite, rounds on, a parent of the synthetic trainer."""
    federation = FederationSettings(
        parent=synthetic_parent(tmp_path / "parent"), bench_command=BENCH_COMMAND, most_restarts=2
    )
    settings = CoordinatorConfig(data_folder=tmp_path / "data", federation=federation)
    container = coordinator_container(settings)
    container.clock.override(clock)
    set_up(container)
    yield container
    container.database().close()


@pytest.fixture
def devices(container: CoordinatorContainer) -> tuple[str, ...]:
    return tuple(enrol_box(container) for _ in range(3))


@pytest.fixture
def wish(devices: tuple[str, ...]) -> RunWish:
    return RunWish(
        run="first",
        devices=devices,
        samples={device: 30 + 10 * place for place, device in enumerate(devices)},
        quorum=3,
        local={"learning_rate": 0.5, "epochs": 1},  # type: ignore[arg-type]
    )


@pytest.fixture
def new_driver(container: CoordinatorContainer, gate: Path) -> Iterator[Callable[[], RunDriver]]:
    """Another coordinator each time: nothing but database and folders is shared."""
    made: list[RunDriver] = []

    def make() -> RunDriver:
        settings = container.settings()
        assert settings.federation is not None
        driver = RunDriver(
            DriverParts(
                database=container.database(),
                folders=RunFolders(settings.federation_folder / "runs"),
                bench=CommandBench(settings.federation.bench_command),
                clock=container.clock(),
                tenant=settings.tenant.id,
                most_restarts=settings.federation.most_restarts,
            )
        )
        made.append(driver)
        return driver

    yield make
    for hold in gate.glob("hold-*"):
        hold.unlink()
    for driver in made:
        driver.rest()
        for process in driver.parts.bench._processes.values():  # type: ignore[attr-defined]
            wait_until("it is gone", lambda process=process: not process.is_alive)


def state_of(container: CoordinatorContainer, run: str) -> RunState:
    state: RunState = container.training().show(run).state
    return state


def drive(container: CoordinatorContainer, driver: RunDriver, run: str, *ends: RunState) -> None:
    """Look until the run is in one of these states."""

    def has_ended() -> bool:
        driver.step()
        return state_of(container, run) in ends

    wait_until(f"run {run} is {' or '.join(ends)}", has_ended)
