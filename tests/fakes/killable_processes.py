"""Commands → processes with names and logs, each with a group of its own that can be killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

WAIT_S = 120.0


class KillableProcesses:
    """Processes of one test; what a name wrote is kept over kill and start."""

    def __init__(self, folder: Path) -> None:
        """Keep logs in ``folder``."""
        self.folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._log_begins: dict[str, int] = {}

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a process under a name that is free."""
        assert not self.is_running(name), f"{name} runs already"
        self._log_begins[name] = len(self.log(name))
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [*_ends_with_us(), *command],
                env=dict(environment),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def is_running(self, name: str) -> bool:
        """Whether a process lives."""
        return name in self._processes and self._processes[name].poll() is None

    def wait_exit(self, name: str) -> int:
        """Wait for the end of a process: its exit status."""
        return self._processes[name].wait(WAIT_S)

    def kill(self, name: str) -> None:
        """SIGKILL the process and all that it started, as a power cut does."""
        process = self._processes.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def kill_all(self) -> None:
        """The same for whatever still runs."""
        for name in list(self._processes):
            self.kill(name)

    def members(self, name: str, program: bytes) -> list[int]:
        """Processes below this one whose command line holds ``program``."""
        leader = self._processes[name].pid
        return [pid for pid in _group(leader) if program in _command_line(pid)]

    def log(self, name: str) -> str:
        """What all processes of this name wrote."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def said(self, name: str) -> str:
        """What the newest process of this name wrote."""
        return self.log(name)[self._log_begins[name] :]

    def until(self, what: str, is_so: Callable[[], object], *, wait_s: float = WAIT_S) -> None:
        """Wait until something is true; the logs are shown when it does not become true."""
        ends_s = time.monotonic() + wait_s
        pause = threading.Event()
        while not is_so():
            if time.monotonic() > ends_s:
                logs = "\n".join(f"== {n}\n{self.log(n)[-1500:]}" for n in self._processes)
                raise AssertionError(f"not within {wait_s:.0f} s: {what}\n{logs}")
            pause.wait(0.2)


def _ends_with_us() -> list[str]:
    """A test run that is killed leaves no process behind (prctl(2), PR_SET_PDEATHSIG)."""
    program = shutil.which("setpriv")
    return [program, "--pdeathsig", "KILL", "--"] if program else []


def _group(leader: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(ProcessLookupError):
                if os.getpgid(int(entry.name)) == leader:
                    found.append(int(entry.name))
    return found


def _command_line(pid: int) -> bytes:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""
