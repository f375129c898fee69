"""An enrolled box with one simulated camera, run as the product's own process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from common.orders import DesiredConfiguration, DesiredRelease
from common.timing import SystemClock
from edge.config import load_config
from edge.container import agent_container
from edge.enrol.client import CoordinatorClient
from edge.enrol.enrolling import enrol
from edge.simulate.site_camera import scene_camera
from edge.simulate.source_uri import parse_source
from edge.update.book import read_record
from edge.update.record import Record
from tests.conftest import REPOSITORY
from tests.fakes.enrolment_coordinator import EnrolmentCoordinator
from tests.fakes.white_cell_onnx import write_white_cell_onnx

SOURCE = "simulate:road?seed=5&size=160x90&fps=5&noise=2&shadows=0&vehicles=2&pace=1"
NAME = "its-white"
WAIT_S = 120.0


@dataclass
class ReleasingBox:
    """A folder with everything that belongs to the box, and the process while it runs."""

    folder: Path
    device: str
    process: subprocess.Popen[bytes] | None = None
    lives: int = 0
    orders: int = 0
    settings: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def enrolled(
        cls, folder: Path, enrolment: EnrolmentCoordinator, *, url: str, **release: Any
    ) -> ReleasingBox:
        """Enrol a new box whose releases come from ``url``."""
        camera = scene_camera(parse_source(SOURCE), camera_id="north", source=SOURCE)
        fields = camera.model_dump(mode="json", by_alias=True, exclude_none=True)
        (folder / "site.yaml").write_text(yaml.safe_dump({"site": "harbour", "cameras": [fields]}))
        write_white_cell_onnx(folder / f"{NAME}-1.0.0.onnx", name=NAME, version="1.0.0")
        edge: dict[str, Any] = {
            "site_file": "site.yaml",
            "data_folder": "data",
            "model": f"{NAME}-1.0.0.onnx",
            "threads": 1,
            "health": {"every_s": 0.3},
            "coordinator": {"clock_is_right": True, "resend_after_s": 1},
            # On a loaded test machine a lower priority might mean no time at all.
            "release": {
                "url": url,
                "watch_s": 5,
                "poll_s": 1,
                "free_mb": 1,
                "gate_niceness": 0,
                **release,
            },
        }
        (folder / "edge.yaml").write_text(yaml.safe_dump(edge))
        identity = enrol(
            CoordinatorClient(enrolment.url),
            enrolment.token,
            folder / "data" / "identity",
            clock=SystemClock(),
        )
        return cls(folder, identity.device)

    @property
    def config(self) -> Path:
        return self.folder / "edge.yaml"

    @property
    def record(self) -> Record:
        return read_record(self.folder / "data" / "release")

    @property
    def log(self) -> str:
        """What the newest process wrote."""
        path = self.folder / f"life-{self.lives}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def order(self, version: str, *, attempt: int = 1) -> DesiredConfiguration:
        """The next order of the coordinator."""
        self.orders += 1
        wanted = DesiredRelease(name=NAME, version=version, attempt=attempt)
        return DesiredConfiguration(
            device=self.device, version=self.orders, at=datetime.now(UTC), release=wanted
        )

    def wish(self, version: str, *, attempt: int = 1) -> None:
        """An order that reached the box before it lost its connection and its power."""
        assert self.process is None
        releases = agent_container(load_config(self.config)).releases()
        assert releases is not None
        releases.wish(self.order(version, attempt=attempt))

    def start(self) -> None:
        """``its-camera-ai edge run``."""
        assert self.process is None
        self.lives += 1
        with (self.folder / f"life-{self.lives}.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "common.cli", "edge", "run", "--config", str(self.config)],
                cwd=REPOSITORY,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def kill(self) -> None:
        """SIGKILL, as when the power goes."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self.process = None
        return code

    def end(self) -> None:
        """Leave nothing behind."""
        if self.process is not None:
            self.kill()

    def health(self) -> dict[str, Any]:
        """What this process wrote about itself; empty before."""
        path = self.folder / "data" / "health.json"
        content = json.loads(path.read_text()) if path.exists() else {}
        is_ours = self.process and content.get("process", {}).get("pid") == self.process.pid
        return content if is_ours else {}

    def counts_with(self, version: str) -> bool:
        """Whether the camera gives frames and this version looks at them."""
        health = self.health()
        camera = health.get("cameras", {}).get("north", {})
        model = health.get("process", {}).get("model", "")
        is_it = model.startswith(f"{NAME} {version} ")
        return bool(is_it and camera["state"] == "running" and camera["fps"] > 1)

    def until(self, is_so: Callable[[], object], *, what: str = "", wait_s: float = WAIT_S) -> None:
        """Wait, but not for ever; the log is shown when it does not come."""
        ends_s = time.monotonic() + wait_s
        while not is_so():
            assert time.monotonic() < ends_s, f"{what}\n{self.record}\n{self.log[-4000:]}"
            if self.process is not None:
                assert self.process.poll() is None, self.log[-4000:]
            time.sleep(0.02)
