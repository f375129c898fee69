"""A coordinator, mosquitto and one box whose cameras see the canary, on either database.

All is real and as the product sets it up; between box and broker stands the recorder.
``ingest`` is started by the test, so that it can look into an outbox that waits.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from common.free_ports import free_port
from common.geometry import Direction
from common.timing import SystemClock
from coordinator.fleet.authority import Authority
from edge.config import EdgeConfig, load_config
from edge.enrol.identity import Identity
from edge.keeping.store import BinStore
from edge.keeping.stored import StoreLimits
from edge.measure.bins import MinuteBin, Quality, SectionBin
from tests.canary.clip import HEIGHT, WIDTH, write_clip
from tests.canary.recording_proxy import RecordingProxy
from tests.chaos.kept_running import KeptRunning, run_once
from tests.chaos.town import Store, Town, TownBox, TownSettings
from tests.fakes.canary import Canary

CAMERAS = {"quiet": "statistics", "open": "operational"}
NOTABLE_COUNT = 7919
_COMMAND = ("-m", "common.cli")


class CanaryTown(Town):
    """``with CanaryTown(store) as town``: the box is enrolled and does not run yet."""

    def __init__(self, store: Store) -> None:
        super().__init__(TownSettings(store=store, broker="mosquitto", seed=1, boxes=1))
        through, self.boxes_port = self.boxes_port, free_port()
        self.recorder = RecordingProxy(
            port=self.boxes_port,
            to_port=through,
            as_broker=self._broker_side,
            as_box=self.box_side,
        )
        self.notes = self.folder / "notes"
        self.ingest = KeptRunning(
            "ingest",
            self.folder / "ingest.log",
            [*_COMMAND, "coordinator", "ingest", "--config", str(self.config_file)],
        )

    @property
    def box(self) -> TownBox:
        return self.boxes[0]

    @property
    def box_config(self) -> EdgeConfig:
        return load_config(self.box.folder / "edge.yaml")

    @property
    def state_folder(self) -> Path:
        """Where mosquitto saves sessions and queued messages."""
        assert self.mosquitto is not None
        (line,) = (
            line
            for line in (self.mosquitto.folder / "mosquitto.conf").read_text().splitlines()
            if line.startswith("persistence_location ")
        )
        return Path(line.split()[1])

    @property
    def database_url(self) -> str:
        """For whoever reads PostgreSQL itself."""
        address: str = yaml.safe_load(self.config_file.read_text())["database"]
        return address

    def opening_key_files(self) -> list[Path]:
        """The coordinator's keys that open reports."""
        return sorted((self.folder / "coordinator" / "keys").glob("opening-*.key"))

    def save_broker(self) -> None:
        """Have mosquitto write down what it holds, as its autosave does; it starts again."""
        assert self.mosquitto is not None
        self.mosquitto.stop()
        self.mosquitto.start()

    def identity(self) -> Identity:
        return Identity.load(self.box_config.identity_folder)

    def authority(self) -> Authority:
        """The coordinator's own CA."""
        return Authority(
            self.folder / "coordinator" / "keys",
            clock=SystemClock(),
            device_hours=1,
            server_days=1,
            crl_days=1,
        )

    def box_side(self) -> ssl.SSLContext:
        """TLS as the box speaks it."""
        identity = self.box_config.identity_folder
        context = ssl.create_default_context(cafile=identity / "trust.pem")
        context.check_hostname = False
        context.load_cert_chain(identity / "tls.pem", identity / "tls.key")
        return context

    def count_once(self, *, within_s: float = 150.0) -> None:
        """Run the agent until its clips end."""
        self.box.process.start()
        assert self.box.process._process is not None
        code = self.box.process._process.wait(within_s)
        assert code == 0, f"the agent ended with {code}:\n{self.box.process.log_tail()}"

    def start_ingest(self) -> None:
        self._started(self.ingest)
        self._wait_for_line(self.ingest, "broker_connected")

    def _start_coordinator(self) -> None:
        self._closing.enter_context(self.recorder)
        api = KeptRunning(
            "api",
            self.folder / "api.log",
            [*_COMMAND, "coordinator", "api", "--config", str(self.config_file)],
        )
        self.coordinator.append(self._started(api))
        self._wait_for_line(api, "coordinator_started")

    def _enrolled_box(self, number: int) -> TownBox:
        folder = self.folder / f"box-{number}"
        folder.mkdir()
        token_file = folder / "token"
        self.command("fleet", "token", "create", "--site", "elm", "--output", str(token_file))
        run_once(
            *_COMMAND, "edge", "enroll", "--coordinator", f"https://127.0.0.1:{self.devices_port}",
            "--token-file", str(token_file), "--identity-folder", str(folder / "data" / "identity"),
        )  # fmt: skip
        self._write_files(folder)
        process = KeptRunning(
            "box",
            folder / "box.log",
            [
                "-m", "tests.canary.watching_agent", str(folder / "edge.yaml"), str(self.notes),
            ],
        )  # fmt: skip
        self._closing.callback(process.kill)
        return TownBox(name="box", zone="UTC", folder=folder, process=process)

    def _started(self, process: KeptRunning) -> KeptRunning:
        if process.name == "box":
            return process  # each test decides when it counts
        return super()._started(process)

    def _write_files(self, folder: Path) -> None:
        clip = self.folder / "clip.mkv"
        write_clip(clip, Canary())
        cameras = [
            {
                "id": camera,
                "source": str(clip),
                "frame_size": [WIDTH, HEIGHT],
                "sections": [
                    {"name": "line", "line": [[160, 0], [160, HEIGHT]]},
                    {
                        "name": "road",
                        "polygon": [[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]],
                        "use": "carriageway",
                    },
                ],
            }
            for camera in CAMERAS
        ]
        agent: dict[str, Any] = {
            "site_file": "site.yaml",
            "data_folder": "data",
            "health": {"every_s": 0.5},
            "coordinator": {"clock_is_right": True, "resend_after_s": 2},
            "privacy": {"cameras": {name: {"mode": mode} for name, mode in CAMERAS.items()}},
        }
        (folder / "site.yaml").write_text(yaml.safe_dump({"site": "elm", "cameras": cameras}))
        (folder / "edge.yaml").write_text(yaml.safe_dump(agent))
        self._store_notable_count(load_config(folder / "edge.yaml"))

    @staticmethod
    def _store_notable_count(config: EdgeConfig) -> None:
        """A minute of an earlier hour, with a number that is found wherever it is not sealed."""
        start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
        row = SectionBin(
            section="line", direction=Direction.LEFT, counts=(0, 0, NOTABLE_COUNT, 0, 0, 0)
        )
        limits = StoreLimits(max_days=30, max_bytes=10_000_000)
        store = BinStore(config.store_file, limits=limits, clock=SystemClock())
        store.add(
            [
                MinuteBin(
                    camera_id="quiet", start=start, coverage_s=60.0, frames_seen=600,
                    frames_dropped=0, unassigned_share=0.0, brightness=100.0, quality=Quality.GOOD,
                    sections=(row,), incidents=(), conflicts=(),
                )
            ]
        )  # fmt: skip
        store.close()

    def _broker_side(self) -> ssl.SSLContext:
        folder = self.folder / "coordinator" / "broker"
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=folder / "trust.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        return context
