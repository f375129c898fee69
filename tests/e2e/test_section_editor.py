"""A line that a person draws on a page is counted by a box, and its counts come back.

Real processes: a coordinator with its embedded broker, and an agent on a simulated road that is
enrolled with it. The page is asked as a browser asks it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from sqlalchemy import text

from common.free_ports import free_ports
from common.security import Role
from common.timing import SystemClock
from coordinator.database import Database
from coordinator.demo_processes import (
    run_command,
    running,
    wait_until_ready,
)
from edge.anonymise.egress_chain import read_entries
from edge.anonymise.egress_words import in_words
from edge.simulate.site_camera import scene_camera
from edge.simulate.source_uri import parse_source
from tests.conftest import REPOSITORY
from tests.fakes.dashboard import PageClient, dashboard_app
from tests.fakes.sending_box import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]

SOURCE = "simulate:road?seed=5&size=320x180&fps=5&noise=2&shadows=0&vehicles=8&pace=1"
BASE = "/sites/harbour/cameras/north"
NEW = "drawn by hand"


@dataclass(frozen=True)
class Town:
    """What runs, and the page in front of it."""

    folder: Path
    database: Database
    pages: PageClient

    def page(self, path: str) -> str:
        answer = self.pages.get(BASE + path)
        return answer.text if answer.status_code == 200 else ""

    def counted(self, name: str) -> int | None:
        """Road users over a line that the coordinator knows of; None without a single bin."""
        query = text(
            "SELECT sum(person + bicycle + motorcycle + car + bus + truck) FROM traffic_count"
            " JOIN series ON series.id = traffic_count.series_id WHERE series.name = :name"
        )
        with self.database.session() as session:
            found = session.connection().execute(query, {"name": name}).scalar_one()
        return None if found is None else int(found)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    broker, api, devices = free_ports(3)
    config = tmp_path / "coordinator.yaml"
    settings = {
        "data_folder": "coordinator",
        "broker": {"port": broker},
        "api": {"port": api},
        "devices": {"port": devices},
    }
    config.write_text(yaml.safe_dump(settings))
    log_file = tmp_path / "coordinator.log"
    with running(log_file, "coordinator", "serve", "--config", str(config)) as coordinator:
        wait_until_ready(f"http://127.0.0.1:{api}/health/ready", coordinator, log_file=log_file)
        enrol(tmp_path, config, devices)
        file = tmp_path / "coordinator" / "coordinator.sqlite"
        with closing(Database(f"sqlite:///{file}")) as db:
            app = dashboard_app(
                db,
                SystemClock(),
                tenant="city",
                data_folder=tmp_path / "coordinator",
                roles={Role.TECHNICIAN},
            )
            yield Town(tmp_path, db, PageClient(app))


def enrol(folder: Path, config: Path, devices: int) -> None:
    camera = scene_camera(parse_source(SOURCE), camera_id="north", source=SOURCE)
    content = camera.model_dump(mode="json", by_alias=True, exclude_none=True)
    (folder / "site.yaml").write_text(yaml.safe_dump({"site": "harbour", "cameras": [content]}))
    edge = {
        "site_file": "site.yaml",
        "data_folder": "data",
        "health": {"every_s": 0.5},
        "coordinator": {"clock_is_right": True, "resend_after_s": 2},
    }
    (folder / "edge.yaml").write_text(yaml.safe_dump(edge))
    token = folder / "token"
    run_command(
        "fleet", "token", "create", "--site", "harbour", "--config", str(config),
        "--output", str(token),
    )  # fmt: skip
    run_command(
        "edge", "enroll", "--coordinator", f"https://127.0.0.1:{devices}",
        "--token-file", str(token), "--identity-folder", str(folder / "data" / "identity"),
    )  # fmt: skip


@pytest.fixture
def agent(town: Town) -> Iterator[subprocess.Popen[bytes]]:
    with (town.folder / "agent.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.drawing_agent", str(town.folder / "edge.yaml")],
            cwd=REPOSITORY,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def field(page: str, name: str) -> str:
    (value,) = re.findall(rf'name="{name}" value="([^"]*)"', page)
    return unescape(value)


def test_a_line_drawn_on_the_page_is_counted_by_the_box(
    town: Town, agent: subprocess.Popen[bytes]
) -> None:
    assert eventually(lambda: town.page("/sections") != "", within_s=180), "no layout was told"
    page = town.page("/sections")
    drawing: dict[str, Any] = json.loads(field(page, "layout"))
    first = drawing["sections"][0]
    beside = [[x, y + 1] for x, y in first["points_px"]]
    drawing["sections"].append({**first, "name": NEW, "points_px": beside})

    answer = town.pages.post(
        f"{BASE}/sections",
        data={"layout": json.dumps(drawing), "if_version": field(page, "if_version")},
    )

    assert answer.status_code == 303
    assert "Waiting for the box" in town.page("/sections/state")
    assert eventually(lambda: "It told so" in town.page("/sections/state"), within_s=180)
    assert NEW in (town.folder / "site.yaml").read_text()
    assert eventually(lambda: (town.counted(NEW) or 0) > 0, within_s=300), "nothing was counted"
    assert agent.poll() is None


def test_a_picture_that_is_asked_for_on_the_page_comes_without_anybody_in_it(
    town: Town, agent: subprocess.Popen[bytes]
) -> None:
    assert eventually(lambda: town.page("/sections") != "", within_s=180)

    assert town.pages.post(f"{BASE}/plate").status_code == 303

    assert eventually(lambda: 'data-plate-number="1"' in town.page("/plate/state"), within_s=180)
    content = town.pages.get(f"{BASE}/plate").content
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (180, 320, 3)
    assert abs(float(image[:10, :20].mean()) - 128) < 8  # painted over
    told = [in_words(entry) for entry in read_entries(town.folder / "data" / "egress")]
    assert any("Background picture of the empty road" in line for line in told)
    assert agent.poll() is None
