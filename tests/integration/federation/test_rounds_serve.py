"""`coordinator serve` killed between and inside rounds, as a power supply does it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from common.free_ports import free_port
from common.rounds import RunState
from common.security import Role
from coordinator.container import CoordinatorContainer
from coordinator.federation.views import RunWish
from tests.conftest import REPOSITORY
from tests.fakes.signed_in import program
from tests.integration.federation.conftest import state_of, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]

RUN = "from common.cli import run; from coordinator.cli import app; run(app)"


class Coordinator:
    """One `coordinator serve` after the other on the same configuration."""

    def __init__(self, config: Path, api_port: int, bench_note: Path) -> None:
        self._config = config
        self._port = api_port
        self._note = bench_note
        self._log = config.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None
        self.headers: dict[str, str] = {}

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", RUN, "serve", "--config", str(self._config)],
                stdout=log, stderr=log, cwd=REPOSITORY, env=os.environ,
            )  # fmt: skip

    def get(self, path: str) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}{path}", headers=dict(self.headers)
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)

    def clean(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        if self._note.exists():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(json.loads(self._note.read_text())["pid"], signal.SIGKILL)


@pytest.fixture
def coordinator(
    container: CoordinatorContainer, gate: Path, tmp_path: Path
) -> Iterator[Coordinator]:
    told = container.settings().model_dump(mode="json")
    ports = {name: free_port() for name in ("api", "devices", "broker")}
    for name, port in ports.items():
        told[name]["port"] = port
    config = tmp_path / "coordinator.yaml"
    config.write_text(yaml.safe_dump(told))
    note = container.settings().federation_folder / "runs" / "first" / "bench.pid.json"
    coordinator = Coordinator(config, ports["api"], note)
    yield coordinator
    for hold in gate.glob("hold-*"):
        hold.unlink()
    coordinator.clean()


def test_a_run_outlives_its_coordinator(
    container: CoordinatorContainer, wish: RunWish, coordinator: Coordinator, gate: Path
) -> None:
    for hold in ("inside-1", "before-2"):
        (gate / f"hold-{hold}").touch()
    container.training().launch(wish)

    coordinator.start()
    wait_until("inside round 1", (gate / "at-inside-1").exists)
    coordinator.kill()
    (gate / "hold-inside-1").unlink()
    wait_until("between the rounds", (gate / "at-before-2").exists)
    coordinator.start()
    wait_until("round 1 is taken in", lambda: container.training().show("first").round == 1)
    coordinator.kill()
    (gate / "hold-before-2").unlink()
    coordinator.start()
    wait_until("it ends", lambda: state_of(container, "first") is RunState.CANDIDATE)
    coordinator.headers = program(container, Role.AUDITOR)
    ready = coordinator.get("/health/ready")
    verified = coordinator.get("/api/v1/rounds/first/verification")
    status = coordinator.stop()

    kinds = [event.kind for event in container.training().events("first")]
    assert kinds.count("run_resumed") == 0
    assert kinds.count("round_finished") == 2
    assert verified["findings"] == []
    assert ready["parts"]["rounds"] == "ok"
    assert status == 0


def test_a_coordinator_that_is_stopped_ends_its_bench_and_goes_on_later(
    container: CoordinatorContainer, wish: RunWish, coordinator: Coordinator, gate: Path
) -> None:
    (gate / "hold-inside-2").touch()
    container.training().launch(wish)

    coordinator.start()
    wait_until("inside round 2", (gate / "at-inside-2").exists)
    wait_until("round 1 is taken in", lambda: container.training().show("first").round == 1)
    status = coordinator.stop()
    state = container.training().show("first")
    (gate / "hold-inside-2").unlink()
    coordinator.start()
    wait_until("it ends", lambda: state_of(container, "first") is RunState.CANDIDATE)
    coordinator.stop()

    kinds = [event.kind for event in container.training().events("first")]
    assert (status, state.state, state.round) == (0, RunState.RUNNING, 1)
    assert kinds.count("run_resumed") == 1
    assert container.training().verify("first").holds
