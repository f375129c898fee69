"""Store → a coordinator with that database and its own mosquitto, by the product's commands."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import yaml

from common.free_ports import free_port
from coordinator.config import load_config
from coordinator.container import CoordinatorContainer, coordinator_container
from tests.fakes.mosquitto_broker import PROGRAM, USER, hand_over, new_folder
from tests.fakes.postgres_server import PostgresServer, find_binaries

Store = Literal["postgresql", "sqlite"]

REPOSITORY = Path(__file__).resolve().parents[2]
_DATABASE = "from common.cli import run; from coordinator.database_commands import app; run(app)"
_READY_S = 60.0
_STOP_S = 30.0
_POSTGRES = {"shared_buffers": "256MB", "track_commit_timestamp": "on"}
"""With fsync, unlike the server of the other tests: a lag without it would be a boast."""


class Installation:
    """``with Installation("postgresql") as it`` has database and broker; nothing is left after."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.folder = Path(tempfile.mkdtemp(prefix="its-load-"))
        self.folder.chmod(0o755)
        self.broker_port, self.api_port, self.devices_port = (free_port() for _ in range(3))
        self.postgres: PostgresServer | None = None
        self.mosquitto: subprocess.Popen[bytes] | None = None
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._closing = ExitStack()

    @property
    def config_file(self) -> Path:
        return self.folder / "coordinator.yaml"

    def container(self) -> CoordinatorContainer:
        """The objects of this coordinator, for use in the own process."""
        container = coordinator_container(load_config(self.config_file))
        self._closing.callback(container.database().close)
        return container

    def command(self, *arguments: str) -> str:
        """Run a command of the product to its end; returns what it printed."""
        return self._python("-m", "common.cli", *arguments, "--config", str(self.config_file))

    def start_part(self, name: str) -> subprocess.Popen[bytes]:
        """Run ``its-camera-ai coordinator NAME``; returns when it works."""
        command = [sys.executable, "-m", "common.cli", "coordinator", name]
        process = self._spawn(name, [*command, "--config", str(self.config_file)])
        self._wait_for(name, process, "broker_connected" if name == "ingest" else "_started")
        return process

    def log_of(self, name: str) -> str:
        """What a part, or ``mosquitto``, wrote."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def __enter__(self) -> Self:
        self._closing.callback(shutil.rmtree, self.folder, ignore_errors=True)
        try:
            self._begin()
        except BaseException:
            self._closing.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.close()

    def _begin(self) -> None:
        state = new_folder()
        self._closing.callback(shutil.rmtree, state, ignore_errors=True)
        content: dict[str, Any] = {
            "data_folder": "coordinator",
            "api": {"port": self.api_port},
            "devices": {"port": self.devices_port},
            "broker": {
                "kind": "external",
                "port": self.broker_port,
                "pid_file": str(state / "mosquitto.pid"),
                "files_group": USER if os.getuid() == 0 else None,
            },
        }
        if self.store == "postgresql":
            content["database"] = self._started_postgres()
        self.config_file.write_text(yaml.safe_dump(content))
        if self.store == "postgresql":
            self._python("-c", _DATABASE, "migrate", "--config", str(self.config_file))
        self.command("coordinator", "init")
        written = self.command("coordinator", "mosquitto", "--state-folder", str(state))
        self._start_mosquitto(Path(written.strip().splitlines()[-1]))

    def _started_postgres(self) -> str:
        binaries = find_binaries()
        assert binaries, "PostgreSQL's initdb and postgres are not installed"
        self.postgres = PostgresServer(binaries, settings=_POSTGRES)
        self._closing.callback(self.postgres.remove)
        self.postgres.start()
        return self.postgres.create_database()

    def _start_mosquitto(self, folder: Path) -> None:
        # Without the -v of the fake that other tests use: its words would be part of the load.
        hand_over(folder)
        config = folder / "mosquitto.conf"
        self.mosquitto = self._spawn("mosquitto", [str(PROGRAM), "-c", str(config)])
        give_up_s = time.monotonic() + _READY_S
        while not _answers(self.broker_port):
            assert self.mosquitto.poll() is None, f"mosquitto ended:\n{self.log_of('mosquitto')}"
            assert time.monotonic() < give_up_s, "mosquitto does not listen"
            time.sleep(0.05)

    def _spawn(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, cwd=REPOSITORY
            )
        self.running[name] = process
        self._closing.callback(_end, process)
        return process

    def _wait_for(self, name: str, process: subprocess.Popen[bytes], words: str) -> None:
        give_up_s = time.monotonic() + _READY_S
        while words not in self.log_of(name):
            assert process.poll() is None, f"{name} ended:\n{self.log_of(name)[-3000:]}"
            assert time.monotonic() < give_up_s, f"{name}: no {words}\n{self.log_of(name)[-3000:]}"
            time.sleep(0.05)

    @staticmethod
    def _python(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            capture_output=True, text=True, check=False, timeout=120, cwd=REPOSITORY,
        )  # fmt: skip
        assert done.returncode == 0, f"{arguments} failed: {done.stderr[-2000:]}"
        return done.stdout


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """As a supervisor does: politely, then for good."""
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
