"""Agents that tests start, watch and stop in this process."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from common.site import load_site
from edge.capture.ingestion import CaptureSettings
from edge.capture.reconnecting import BackOff
from edge.config import EdgeConfig, load_config
from edge.container import EdgeContainer, agent_container, edge_agent, open_store
from edge.keeping.stored import StoredBin
from tests.fakes.clocks import SkippingClock
from tests.integration.capture.conftest import access_units, gstreamer_server, rtsp_server

__all__ = ["access_units", "gstreamer_server", "rtsp_server"]

LONGEST_WAIT_S = 30.0
BACK_OFF = BackOff(base_s=0.2, cap_s=0.4, steady_after_s=1.0)
QUICK = CaptureSettings(gap_after_s=1.0, gap_piece_s=1.0, stall_after_s=3.0, back_off=BACK_OFF)


class RunningAgent:
    """An agent in a thread of its own."""

    def __init__(self, config: EdgeConfig, container: EdgeContainer) -> None:
        self.config = config
        self._container = container
        cameras = config.cameras_of(load_site(config.site_file))
        config.data_folder.mkdir(parents=True, exist_ok=True)
        self._store = open_store(container, config)
        agent = edge_agent(container, config, cameras, self._store)
        self._ended: list[bool] = []
        self._thread = threading.Thread(target=lambda: self._ended.append(agent.run()))
        self._thread.start()

    def health(self) -> dict[str, Any]:
        if not self.config.health_file.exists():
            return {}
        content: dict[str, Any] = json.loads(self.config.health_file.read_text())
        return content

    def camera(self, camera_id: str) -> dict[str, Any]:
        camera: dict[str, Any] = self.health().get("cameras", {}).get(camera_id, {})
        return camera

    def wait(self, condition: Callable[[], bool]) -> None:
        """Until the condition holds; the last health report tells why it never did."""
        give_up_s = time.monotonic() + LONGEST_WAIT_S
        while not condition():
            assert time.monotonic() < give_up_s, self.health()
            time.sleep(0.05)

    def wait_for(self, camera_id: str, state: str, reason: str = "") -> None:
        def has_come() -> bool:
            camera = self.camera(camera_id)
            return (camera.get("state"), camera.get("reason")) == (state, reason)

        self.wait(has_come)

    def bins(self, camera_id: str) -> list[StoredBin]:
        return list(self._store.bins(camera_id))

    def stop(self) -> bool:
        """Gracefully; True when every thread ended."""
        self._container.stop().set()
        self._thread.join()
        return self._ended[0]

    def close(self) -> None:
        self.stop()
        self._container.shared_detector().close()
        self._store.close()


StartAgent = Callable[..., RunningAgent]


@pytest.fixture
def start_agent(tmp_path: Path) -> Iterator[StartAgent]:
    """Writes site.yaml and edge.yaml and starts an agent with this engine and clock."""
    running: list[RunningAgent] = []

    def start(
        cameras: list[dict[str, Any]], *, engine: object, clock: SkippingClock, **settings: Any
    ) -> RunningAgent:
        content = {"site_file": "site.yaml", "data_folder": "data", "health": {"every_s": 0.1}}
        (tmp_path / "site.yaml").write_text(yaml.safe_dump({"site": "here", "cameras": cameras}))
        (tmp_path / "edge.yaml").write_text(yaml.safe_dump({**content, **settings}))
        config = load_config(tmp_path / "edge.yaml")
        container = agent_container(config)
        container.engine.override(engine)
        container.clock.override(clock)
        container.capture_settings.override(QUICK)
        container.agent_settings.add_kwargs(back_off=BACK_OFF)
        running.append(RunningAgent(config, container))
        return running[-1]

    yield start
    for agent in running:
        agent.close()


@pytest.fixture
def clock() -> SkippingClock:
    """Ten seconds before a full minute."""
    return SkippingClock(datetime(2026, 3, 1, 12, 0, 50, tzinfo=UTC))


def counts(bin_: StoredBin) -> int | None:
    """Road users over all lines of one minute, or None where nobody knows."""
    sections = [section["counts"] for section in bin_.content["sections"]]
    return None if None in sections else sum(sum(each.values()) for each in sections)
