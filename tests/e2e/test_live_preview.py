"""``edge preview`` as a process: an address on stdout, pictures behind it, two entries after it."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.anonymise.egress_chain import read_entries, verify_chain

pytestmark = pytest.mark.e2e

COMMAND = "import typer; from edge.preview_commands import preview; typer.run(preview)"
SITE = """
site: test
cameras:
  - id: cam
    source: simulate:road?seed=1&duration=600&size=320x180
    frame_size: [320, 180]
    sections:
      - {name: a, line: [[10, 100], [300, 100]]}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "site.yaml").write_text(SITE)
    path = tmp_path / "edge.yaml"
    path.write_text("site_file: site.yaml\ndata_folder: data\n")
    return path


@contextmanager
def preview(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def address(process: subprocess.Popen[str]) -> tuple[int, str]:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.match(r"open http://127\.0\.0\.1:(\d+)(/\S+/)$", line):
            return int(found[1]), found[2]
    raise AssertionError("the preview ended before it said where to look")


def test_a_camera_can_be_watched_until_ctrl_c(config: Path) -> None:
    with preview("cam", "--config", str(config)) as process:
        port, path = address(process)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", f"{path}pictures")
        answer = connection.getresponse()
        begin = answer.read(200)
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        said = process.stdout.read()
        code = process.wait(timeout=60)
        connection.close()

    folder = config.parent / "data" / "egress" / "previews"
    first, last = [entry.what for entry in read_entries(folder)]
    assert begin.startswith(b"--picture\r\nContent-Type: image/jpeg\r\n")
    assert b"\xff\xd8\xff" in begin
    assert "no face model: the whole picture is a mosaic" in said
    assert code == 0
    assert (first.cameras, first.items) == (("cam",), 0)
    assert last.items >= 1
    assert f"{last.items} pictures shown" in said
    assert verify_chain(folder).is_whole
    assert list(folder.parent.rglob("*.jpg")) == []


def test_it_ends_by_itself(config: Path) -> None:
    with preview("cam", "--config", str(config), "--minutes", "0.05") as process:
        address(process)
        code = process.wait(timeout=120)

    assert code == 0


def test_more_than_ten_minutes_are_refused(config: Path) -> None:
    with preview("cam", "--config", str(config), "--minutes", "11") as process:
        assert process.wait(timeout=60) == 2
