"""Settings → a coordinator, its broker and database, and three enrolled boxes, all real.

Every process is started by the commands that a city runs; the database server and mosquitto
are the machine's own programs with the configuration that the product generates.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import yaml

from common.free_ports import free_port
from coordinator.database import Database
from tests.chaos.cutting_proxy import CuttingProxy
from tests.chaos.kept_running import KeptRunning, run_once
from tests.chaos.made_up_traffic import APPROACH, CROSSWALK, FLOW, LINES
from tests.fakes.mosquitto_broker import USER, MosquittoBroker, new_folder
from tests.fakes.postgres_server import PostgresServer, find_binaries

Store = Literal["postgresql", "sqlite"]
Broker = Literal["mosquitto", "amqtt"]

CAMERAS = ("east", "west")
ZONES = ("UTC", "Europe/Berlin", "America/New_York")
_COMMAND = ("-m", "common.cli")
_DATABASE = "from common.cli import run; from coordinator.database_commands import app; run(app)"
_READY_S = 90.0
_HISTORY = timedelta(days=12)


@dataclass(frozen=True, slots=True, kw_only=True)
class TownSettings:
    """What is run.

    Attributes:
        pace: Minutes of bins that each camera makes a second.
    """

    store: Store
    broker: Broker
    seed: int
    pace: float = 20.0
    boxes: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TownBox:
    """One box and the process that is it."""

    name: str
    zone: str
    folder: Path
    process: KeptRunning

    @property
    def outbox_file(self) -> Path:
        return self.folder / "data" / "outbox.sqlite"


class Town:
    """``with Town(settings) as town`` sets everything up and starts it; nothing is left after."""

    def __init__(self, settings: TownSettings) -> None:
        self.settings = settings
        self.folder = Path(tempfile.mkdtemp(prefix="its-chaos-"))
        self.folder.chmod(0o755)
        self.broker_port, self.api_port, self.devices_port, self.boxes_port = (
            free_port() for _ in range(4)
        )
        self.postgres: PostgresServer | None = None
        self.mosquitto: MosquittoBroker | None = None
        self.coordinator: list[KeptRunning] = []
        self.boxes: list[TownBox] = []
        self.proxy = CuttingProxy(
            port=self.boxes_port,
            to_port=self.broker_port,
            chance=random.Random(settings.seed),  # noqa: S311 - chaos, no secret
        )
        self.deliveries = Deliveries(self)
        self._closing = ExitStack()

    @property
    def config_file(self) -> Path:
        return self.folder / "coordinator.yaml"

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def processes(self) -> list[KeptRunning]:
        return [*self.coordinator, *(box.process for box in self.boxes)]

    def metrics_request(self) -> urllib.request.Request:
        """A question for figures, as a metrics server asks it."""
        token = (self.folder / "figures.token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        return urllib.request.Request(f"{self.api_url}/metrics", headers=headers)  # noqa: S310

    def database(self) -> Database:
        """The coordinator's database, for whoever compares."""
        address = yaml.safe_load(self.config_file.read_text()).get("database")
        return Database(address or f"sqlite:///{self.folder}/coordinator/coordinator.sqlite")

    def command(self, *arguments: str) -> str:
        """Run a command of the product with the coordinator's configuration."""
        return run_once(*_COMMAND, *arguments, "--config", str(self.config_file))

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
        content: dict[str, Any] = {
            "data_folder": "coordinator",
            "broker": {"port": self.broker_port, "public_port": self.boxes_port},
            "api": {"port": self.api_port},
            "devices": {"port": self.devices_port},
        }
        if self.settings.store == "postgresql":
            content["database"] = self._started_postgres()
        if self.settings.broker == "mosquitto":
            state = new_folder()
            self._closing.callback(shutil.rmtree, state, ignore_errors=True)
            content["broker"] |= {
                "kind": "external",
                "pid_file": str(state / "mosquitto.pid"),
                "files_group": USER if os.getuid() == 0 else None,
            }
        self.config_file.write_text(yaml.safe_dump(content))
        if self.settings.store == "postgresql":
            run_once("-c", _DATABASE, "migrate", "--config", str(self.config_file))
        if self.settings.broker == "mosquitto":
            self._start_mosquitto(state)
        self._closing.enter_context(self.proxy)
        self._start_coordinator()
        self.command(
            "security", "token", "create", "figures", "--role", "ml_engineer",
            "--scope", "metrics:read", "--output", str(self.folder / "figures.token"),
        )  # fmt: skip
        with ThreadPoolExecutor(2) as threads:
            self.boxes = list(threads.map(self._enrolled_box, range(self.settings.boxes)))
        for box in self.boxes:
            self._started(box.process)

    def _started_postgres(self) -> str:
        binaries = find_binaries()
        assert binaries, "PostgreSQL's initdb and postgres are not installed"
        self.postgres = PostgresServer(binaries)
        self._closing.callback(self.postgres.remove)
        self.postgres.start()
        return self.postgres.create_database()

    def _start_mosquitto(self, state: Path) -> None:
        self.command("coordinator", "init")
        written = self.command("coordinator", "mosquitto", "--state-folder", str(state))
        self.mosquitto = self._closing.enter_context(
            MosquittoBroker(Path(written.strip().splitlines()[-1]))
        )

    def _start_coordinator(self) -> None:
        parts = ("api", "ingest") if self.settings.broker == "mosquitto" else ("serve",)
        for part in parts:
            process = KeptRunning(
                part,
                self.folder / f"{part}.log",
                [*_COMMAND, "coordinator", part, "--config", str(self.config_file)],
            )
            self.coordinator.append(self._started(process))
        self._wait_for_line(self.coordinator[0], "coordinator_started")

    def _enrolled_box(self, number: int) -> TownBox:
        name, zone = f"box-{number}", ZONES[number % len(ZONES)]
        folder = self.folder / name
        folder.mkdir()
        token_file = folder / "token"
        self.command(
            "fleet", "token", "create", "--site", f"site-{number}", "--timezone", zone,
            "--output", str(token_file),
        )  # fmt: skip
        run_once(
            *_COMMAND, "edge", "enroll", "--coordinator", f"https://127.0.0.1:{self.devices_port}",
            "--token-file", str(token_file), "--identity-folder", str(folder / "data" / "identity"),
        )  # fmt: skip
        _write_box_files(folder, f"site-{number}")
        process = KeptRunning(
            name,
            folder / "box.log",
            [
                "-m", "tests.chaos.box_process", str(folder),
                "--seed", f"{self.settings.seed}-{number}", "--pace", str(self.settings.pace),
            ],
        )  # fmt: skip
        return TownBox(name=name, zone=zone, folder=folder, process=process)

    def _started(self, process: KeptRunning) -> KeptRunning:
        process.start()
        self._closing.callback(process.kill)
        return process

    @staticmethod
    def _wait_for_line(process: KeptRunning, line: str) -> None:
        give_up_s = time.monotonic() + _READY_S
        while line not in process.log_tail(100_000):
            assert process.is_running, f"{process.name} ended:\n{process.log_tail()}"
            assert time.monotonic() < give_up_s, f"{process.name}: no {line}\n{process.log_tail()}"
            time.sleep(0.1)


class Deliveries:
    """How many messages ingest was handed, over all lives of all processes."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._counted = 0

    def read(self) -> None:
        """Add what this life of the coordinator counted; call it before it ends."""
        if self._town.settings.broker == "mosquitto":
            return
        try:
            with urllib.request.urlopen(self._town.metrics_request(), timeout=5) as answer:  # noqa: S310
                found = re.search(r"^its_ingest_received_total (\S+)", answer.read().decode(), re.M)
        except OSError:
            return  # it is not up yet, so it was handed nothing
        self._counted += int(float(found[1])) if found else 0

    @property
    def total(self) -> int:
        """Messages, those that were handed over again included."""
        broker = self._town.mosquitto
        if broker is None:
            return self._counted
        return len(re.findall(r"Sending PUBLISH to \S+ \(.*?'its/v1/[^']+/up/", broker.log))


def device_of(box: TownBox) -> str:
    """Id that the coordinator gave to a box."""
    found = re.search(
        r'"device":\s*"([^"]+)"', (box.folder / "data" / "identity" / "device.json").read_text()
    )
    assert found, f"{box.name} has no device id"
    return found[1]


def _write_box_files(folder: Path, site: str) -> None:
    camera = {
        "source": "simulate:road",
        "frame_size": [100, 100],
        "sections": [
            {"name": LINES[0], "line": [[0, 20], [100, 20]]},
            {"name": LINES[1], "line": [[0, 80], [100, 80]]},
            {"name": APPROACH, "polygon": [[0, 0], [50, 0], [50, 50]], "use": "approach"},
            {"name": CROSSWALK, "polygon": [[50, 50], [99, 50], [99, 99]], "use": "crosswalk"},
        ],
        "flows": [{"name": FLOW, "from": LINES[0], "to": LINES[1]}],
    }
    cameras = [{"id": camera_id, **camera} for camera_id in CAMERAS]
    agent = {
        "site_file": "site.yaml",
        "data_folder": "data",
        "coordinator": {"clock_is_right": True, "resend_after_s": 2, "window": 16},
    }
    (folder / "site.yaml").write_text(yaml.safe_dump({"site": site, "cameras": cameras}))
    (folder / "edge.yaml").write_text(yaml.safe_dump(agent))
    begin = (datetime.now(UTC) - _HISTORY).replace(hour=22, minute=0, second=0, microsecond=0)
    (folder / "begin").write_text(begin.isoformat())
