"""A folder with ``mosquitto.conf`` → a real mosquitto on 127.0.0.1 that tests may kill.

``with MosquittoBroker(plain_folder()) as broker: broker.port``. The folder may as well be one
that the product generated. As root mosquitto becomes the user ``mosquitto``, so folders are made
outside pytest's private ones and handed to that user before every start and reload.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from common.free_ports import free_port

USER = "mosquitto"
PROGRAM = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
_WAIT_S = 10.0


def require_mosquitto() -> None:
    """Skip, or fail where the system programs must be there."""
    if PROGRAM is None:
        missing = "no mosquitto on this machine; install the package mosquitto"
        if os.environ.get("ITS_REQUIRE_SYSTEM"):
            pytest.fail(missing)
        pytest.skip(missing)


def new_folder() -> Path:
    """An empty folder that mosquitto can enter; ``MosquittoBroker`` removes it at its exit."""
    folder = Path(tempfile.mkdtemp(prefix="its-mosquitto-"))
    hand_over(folder)
    return folder


def plain_folder(*more_lines: str, port: int | None = None) -> Path:
    """A folder whose broker takes anybody without TLS, and keeps sessions over restarts."""
    folder = new_folder()
    lines = [
        f"listener {port or free_port()} 127.0.0.1",
        "allow_anonymous true",
        "persistence true",
        f"persistence_location {folder}/",
        "autosave_interval 1",
        "max_queued_messages 0",
        *more_lines,
    ]
    (folder / "mosquitto.conf").write_text("\n".join([*lines, ""]))
    return folder


def hand_over(folder: Path) -> None:
    """Let the user ``mosquitto`` read and write everything in ``folder``, when we are root."""
    if os.getuid() != 0:
        return
    user = pwd.getpwnam(USER)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid)


class MosquittoBroker:
    """One broker; the port stays the same over kill and start."""

    def __init__(self, folder: Path, *, config: str = "mosquitto.conf") -> None:
        require_mosquitto()
        self.folder = folder
        self._config = folder / config
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._lines: list[str] = []
        self._reloaded = threading.Event()

    @property
    def port(self) -> int:
        """Port of the first listener."""
        found = re.search(r"^(?:listener|port) (\d+)", self._config.read_text(), re.MULTILINE)
        assert found, f"{self._config} names no listener"
        return int(found[1])

    @property
    def log(self) -> str:
        """What all broker processes of this object wrote."""
        return "".join(self._lines)

    @property
    def is_running(self) -> bool:
        """True while the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start, and wait until it accepts connections."""
        assert not self.is_running, "started already"
        hand_over(self.folder)
        self._process = subprocess.Popen(
            [str(PROGRAM), "-v", "-c", str(self._config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(self._process, running))
        self._reader.start()
        running.wait(_WAIT_S)
        assert self.is_running, f"mosquitto did not start:\n{self.log}"

    def stop(self) -> None:
        """Ask it to end, which saves sessions and queued messages."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        self._end(signal.SIGKILL)

    def reload(self) -> None:
        """Have it read its ACL and revocation list again; returns when it has."""
        assert self._process is not None
        hand_over(self.folder)
        self._reloaded.clear()
        self._process.send_signal(signal.SIGHUP)
        assert self._reloaded.wait(_WAIT_S), f"mosquitto did not reload:\n{self.log}"

    @property
    def pid(self) -> int:
        """Process id, for whoever signals it as the product does."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            self._process.wait(_WAIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_WAIT_S)
        if self._reader is not None:
            self._reader.join(_WAIT_S)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None

    def _read(self, process: subprocess.Popen[str], running: threading.Event) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._lines.append(line)
            if re.search(r"mosquitto version \S+ running", line):
                running.set()
            if "Reloading config" in line:
                self._reloaded.set()
        running.set()
