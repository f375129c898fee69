"""A real RTSP camera that dies, changes its password and sends rubbish, under a real agent."""

from __future__ import annotations

import random
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.clocks import SkippingClock
from tests.fakes.white_car_engine import WhiteCarEngine
from tests.integration.agent.conftest import StartAgent, counts
from tests.integration.capture.conftest import RtspServer

pytestmark = [pytest.mark.integration, pytest.mark.slow]

LINE = {"name": "mid", "line": [[160, 60], [160, 180]]}


def camera(camera_id: str, source: str) -> dict[str, Any]:
    return {"id": camera_id, "source": source, "frame_size": [320, 240], "sections": [LINE]}


NEIGHBOUR = camera("neighbour", "simulate:road?seed=1&size=320x240&fps=5&pace=1&noise=2")


def test_a_camera_that_dies_and_comes_back_leaves_minutes_of_null_between_numbers(
    rtsp_server: RtspServer, start_agent: StartAgent, clock: SkippingClock
) -> None:
    rtsp_server.start()
    agent = start_agent(
        [camera("north", rtsp_server.address()), NEIGHBOUR], engine=WhiteCarEngine(), clock=clock
    )
    agent.wait_for("neighbour", "running")
    agent.wait_for("north", "running")
    before = clock.now()
    agent.wait(lambda: (clock.now() - before).total_seconds() > 3)
    rtsp_server.kill()
    agent.wait_for("north", "no_frames", "offline")
    neighbour = agent.camera("neighbour")
    clock.skip(130)
    agent.wait(lambda: len(agent.bins("north")) >= 3)

    rtsp_server.start()
    agent.wait_for("north", "running")
    agent.wait(lambda: (clock.now() - before).total_seconds() > 130 + 16)
    stopped = agent.stop()

    found = {f"{b.start:%H:%M}/{b.part}": counts(b) for b in agent.bins("north")}
    assert stopped
    assert (neighbour["state"], neighbour["restarts"]) == ("running", 0)
    assert list(found) == ["12:00/0", "12:01/0", "12:02/0", "12:03/0"]
    assert found["12:00/0"] is not None
    assert found["12:01/0"] is None
    assert found["12:02/0"] is None
    # One white car in four seconds, and eight or more were watched.
    assert found["12:03/0"] is not None
    assert found["12:03/0"] >= 1
    assert [b.content["quality"] for b in agent.bins("north")][1:3] == ["no_data", "no_data"]


def test_a_camera_never_reached_has_minutes_of_null_from_the_start_of_the_agent(
    start_agent: StartAgent, clock: SkippingClock
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    agent = start_agent(
        [camera("north", f"rtsp://127.0.0.1:{port}/cam")], engine=WhiteCarEngine(), clock=clock
    )
    agent.wait_for("north", "no_frames", "offline")
    clock.skip(90)
    agent.wait(lambda: len(agent.bins("north")) >= 2)
    status = agent.health()["status"]

    assert agent.stop()

    found = [(f"{b.start:%H:%M}", counts(b)) for b in agent.bins("north")]
    assert found == [("12:00", None), ("12:01", None), ("12:02", None)]
    assert status == "degraded"


def test_a_changed_password_is_told_and_corrected_without_a_restart(
    rtsp_server: RtspServer,
    start_agent: StartAgent,
    clock: SkippingClock,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    secrets = tmp_path / "secrets"
    secrets.touch(mode=0o600)
    secrets.write_text("CAMERA_PASSWORD=0ld/p@ss\n")
    rtsp_server.start("viewer", "0ld/p@ss")
    agent = start_agent(
        [camera("north", rtsp_server.address("viewer:${CAMERA_PASSWORD}@"))],
        engine=WhiteCarEngine(),
        clock=clock,
        secrets_file="secrets",
    )
    agent.wait_for("north", "running")
    rtsp_server.kill()
    rtsp_server.start("viewer", "n3w:p@ss")
    agent.wait_for("north", "no_frames", "wrong_password")
    told = agent.camera("north")
    clock.skip(120)
    agent.wait(lambda: len(agent.bins("north")) >= 2)

    secrets.write_text("CAMERA_PASSWORD=n3w:p@ss\n")
    agent.wait_for("north", "running")

    assert "password" in told["advice"]
    assert counts(agent.bins("north")[1]) is None
    assert agent.camera("north")["restarts"] == 0
    written = "".join([*capfd.readouterr(), agent.config.health_file.read_text()])
    assert "camera_lost" in written
    assert "p@ss" not in written
    assert "p%40ss" not in written


def test_rubbish_instead_of_frames_is_told_and_survived(
    rtsp_server: RtspServer,
    start_agent: StartAgent,
    clock: SkippingClock,
    access_units: Path,
    tmp_path: Path,
) -> None:
    rtsp_server.start()
    agent = start_agent(
        [camera("north", rtsp_server.address())], engine=WhiteCarEngine(), clock=clock
    )
    agent.wait_for("north", "running")
    rtsp_server.kill()
    spoiled = spoiled_camera(access_units, tmp_path / "spoiled", port=rtsp_server.port)
    spoiled.start()
    try:
        agent.wait(lambda: agent.camera("north")["dropped_share"] not in (None, 0.0))
        told = agent.camera("north")
    finally:
        spoiled.kill()
    agent.wait_for("north", "no_frames", "offline")
    rtsp_server.start()
    agent.wait(lambda: agent.camera("north")["fps"] > 10)

    assert told["dropped_share"] > 0
    assert agent.camera("north")["restarts"] == 0
    assert agent.stop()


def spoiled_camera(units: Path, folder: Path, *, port: int) -> RtspServer:
    """The same stream with the insides of two frames out of three overwritten by noise."""
    folder.mkdir()
    noise = random.Random(3)  # noqa: S311 - a test's rubbish
    for position, unit in enumerate(sorted(units.glob("*.h264"))):
        content = bytearray(unit.read_bytes())
        if position % 3 and position % 25:
            middle = len(content) // 3
            content[middle:] = noise.randbytes(len(content) - middle)
        (folder / unit.name).write_bytes(bytes(content))
    server = RtspServer(folder)
    server.port = port
    return server
