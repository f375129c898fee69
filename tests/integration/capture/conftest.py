"""A real RTSP server on this machine, as a process that tests can kill and freeze."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

SERVER = Path(__file__).resolve().parents[2] / "fakes" / "rtsp_server.py"
SYSTEM_PYTHON = "/usr/bin/python3"
NEEDS = (
    "apt-get install gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base "
    "gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-rtsp python3-gi"
)
WIDTH, HEIGHT = 320, 240


class RtspServer:
    """One camera at ``rtsp://127.0.0.1:PORT/cam``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]

    def address(self, credentials: str = "") -> str:
        return f"rtsp://{credentials}127.0.0.1:{self.port}/cam"

    def start(self, *credentials: str) -> None:
        self._process = subprocess.Popen(
            [SYSTEM_PYTHON, str(SERVER), str(self._folder), str(self.port), *credentials],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)


def draw(index: int) -> np.ndarray:
    """A street of grey blocks with one white car that drives through in 100 frames."""
    blocks = np.random.default_rng(0).integers(40, 200, (24, 32, 3), dtype=np.uint8)
    image = cv2.resize(blocks, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    cv2.rectangle(image, (index * 3, 100), (index * 3 + 30, 120), (255, 255, 255), -1)
    return image


@pytest.fixture(scope="session")
def access_units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with 100 H.264 access units, a key frame every 25."""
    folder = tmp_path_factory.mktemp("loop")
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
    encoder.options = {"g": "25", "bf": "0", "tune": "zerolatency"}
    frames = [av.VideoFrame.from_ndarray(draw(i), format="bgr24") for i in range(100)]
    packets = [packet for frame in [*frames, None] for packet in encoder.encode(frame)]
    for position, packet in enumerate(packets):
        (folder / f"{position:03d}.h264").write_bytes(bytes(packet))
    return folder


@pytest.fixture(scope="session")
def gstreamer_server() -> None:
    """Skips where the system has no RTSP server to run."""
    check = "import gi; gi.require_version('GstRtspServer', '1.0')"
    found = (
        Path(SYSTEM_PYTHON).exists()
        and not subprocess.run(
            [SYSTEM_PYTHON, "-c", check], capture_output=True, check=False
        ).returncode
    )
    if not found:
        missing = f"no GStreamer RTSP server on this system; {NEEDS}"
        if os.environ.get("ITS_REQUIRE_SYSTEM") == "1":
            pytest.fail(missing)
        pytest.skip(missing)


@pytest.fixture
def rtsp_server(access_units: Path, gstreamer_server: None) -> Iterator[RtspServer]:
    """A camera that is off; the test switches it on."""
    server = RtspServer(access_units)
    yield server
    server.kill()
