"""A served town → a box at a harbour that is enrolled with it and counts a simulated road."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import yaml

from coordinator.demo_processes import run_command
from edge.simulate.site_camera import scene_camera
from edge.simulate.source_uri import parse_source
from tests.conftest import REPOSITORY
from tests.fakes.story_town import Town

SITE, CAMERA = "harbour", "north"
SOURCE = "simulate:road?seed=5&size=320x180&fps=5&noise=2&shadows=0&vehicles=8&pace=1"


@contextmanager
def counting_agent(town: Town) -> Iterator[subprocess.Popen[bytes]]:
    """Enrol a box with a token of the command line, then run its agent."""
    folder = town.folder / "harbour"
    folder.mkdir()
    camera = scene_camera(parse_source(SOURCE), camera_id=CAMERA, source=SOURCE)
    content = camera.model_dump(mode="json", by_alias=True, exclude_none=True)
    (folder / "site.yaml").write_text(yaml.safe_dump({"site": SITE, "cameras": [content]}))
    edge = {
        "site_file": "site.yaml",
        "data_folder": "data",
        "health": {"every_s": 0.5},
        "coordinator": {"clock_is_right": True, "resend_after_s": 2},
    }
    (folder / "edge.yaml").write_text(yaml.safe_dump(edge))
    run_command(
        "fleet", "token", "create", "--site", SITE, "--config", str(town.config_file),
        "--output", str(folder / "token"),
    )  # fmt: skip
    run_command(
        "edge", "enroll", "--coordinator", f"https://127.0.0.1:{town.devices_port}",
        "--token-file", str(folder / "token"),
        "--identity-folder", str(folder / "data" / "identity"),
    )  # fmt: skip
    with (folder / "agent.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.drawing_agent", str(folder / "edge.yaml")],
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
