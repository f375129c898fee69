"""The agent as a process: killed, stopped, started twice."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.simulate.site_camera import scene_camera
from edge.simulate.source_uri import parse_source
from tests.conftest import REPOSITORY

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SOURCE = "simulate:road?seed=5&size=160x90&fps=5&noise=2&shadows=0&vehicles=2&pace=1"
LONGEST_WAIT_S = 120.0
Row = tuple[int, str, int, int, str]


class Process:
    """One life of the agent."""

    def __init__(self, folder: Path, *, ahead_s: str = "", notify_socket: str = "") -> None:
        self._folder = folder
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "NOTIFY_SOCKET": notify_socket}
        self.child = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.agent_process", str(folder / "edge.yaml")]
            + ([ahead_s] if ahead_s else []),
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ahead_s(self) -> str:
        assert self.child.stdout is not None
        return self.child.stdout.readline().strip()

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Exit code and what was written to stderr."""
        self.child.send_signal(number)
        _, stderr = self.child.communicate(timeout=60)
        return self.child.returncode, stderr

    def wait_until_running(self) -> None:
        def is_running() -> bool:
            assert self.child.poll() is None
            camera: dict[str, Any] = self.health().get("cameras", {}).get("north", {})
            return camera.get("state") == "running"

        wait(is_running)

    def health(self) -> dict[str, Any]:
        file = self._folder / "data" / "health.json"
        content = json.loads(file.read_text()) if file.exists() else {}
        is_ours = content.get("process", {}).get("pid") == self.child.pid
        return content if is_ours else {}


def wait(condition: Any) -> None:
    give_up_s = time.monotonic() + LONGEST_WAIT_S
    while not condition():
        assert time.monotonic() < give_up_s
        time.sleep(0.1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a site of one simulated camera in real time."""
    camera = scene_camera(parse_source(SOURCE), camera_id="north", source=SOURCE)
    fields = camera.model_dump(mode="json", by_alias=True, exclude_none=True)
    (tmp_path / "site.yaml").write_text(yaml.safe_dump({"site": "here", "cameras": [fields]}))
    (tmp_path / "edge.yaml").write_text(
        "{site_file: site.yaml, data_folder: data, health: {every_s: 0.2}}"
    )
    return tmp_path


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    """Whatever a test starts ends with it."""
    started: list[Process] = []
    yield started
    for process in started:
        if process.child.poll() is None:
            process.child.kill()
            process.child.communicate()


def rows(folder: Path) -> list[Row]:
    path = folder / "data" / "bins.sqlite"
    database = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        query = "SELECT id, camera, start_s, part, content FROM bin ORDER BY id"
        return database.execute(query).fetchall()
    finally:
        database.close()


def is_intact(folder: Path) -> bool:
    database = sqlite3.connect(folder / "data" / "bins.sqlite")
    try:
        return database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        database.close()


def test_a_killed_agent_goes_on_with_nothing_lost_that_was_stored_and_nothing_twice(
    folder: Path, processes: list[Process]
) -> None:
    began_s = time.monotonic()
    processes.append(Process(folder))
    ahead_s = processes[-1].ahead_s()
    processes[-1].wait_until_running()
    wait(lambda: len(rows(folder)) >= 1)
    killed, _ = processes[-1].end(signal.SIGKILL)
    after_kill = rows(folder)
    intact_after_kill = is_intact(folder)

    lives = []
    for _ in range(2):
        processes.append(Process(folder, ahead_s=ahead_s))
        processes[-1].wait_until_running()
        wait(lambda: processes[-1].health()["cameras"]["north"]["fps"] > 1)
        time.sleep(2)
        code, stderr = processes[-1].end(signal.SIGTERM)
        assert code == 0, stderr
        lives.append(rows(folder))

    passed_s = time.monotonic() - began_s
    assert killed == -signal.SIGKILL
    assert intact_after_kill
    assert lives[0][: len(after_kill)] == after_kill
    assert lives[1][: len(lives[0])] == lives[0]
    assert len(lives[1]) > len(lives[0]) > len(after_kill)
    keys = [row[1:4] for row in lives[1]]
    assert len(set(keys)) == len(keys)
    minutes = sorted({start_s for _, _, start_s, _, _ in lives[1]})
    assert minutes == list(range(minutes[0], minutes[-1] + 60, 60))
    covered_s = sum(json.loads(row[4])["coverage_s"] for row in lives[1])
    assert 5 < covered_s < passed_s
    assert (
        json.loads((folder / "data" / "health.json").read_text())["cameras"]["north"]["state"]
        == "stopped"
    )


def test_the_service_manager_is_told_and_a_second_agent_is_refused(
    folder: Path, processes: list[Process], tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        processes.append(Process(folder, notify_socket=str(tmp_path / "notify")))
        ready = manager.recv(100)
        processes.append(Process(folder))
        _, refusal = processes[-1].child.communicate(timeout=60)
        code, _ = processes[0].end(signal.SIGINT)
        stopping = manager.recv(100)

    assert ready == b"READY=1"
    assert stopping == b"STOPPING=1"
    assert code == 0
    assert processes[-1].child.returncode == 7
    assert "is used by another agent" in refusal
