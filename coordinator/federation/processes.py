"""A command → a process that outlives this one, found again by its note and ended as a whole.

A coordinator that is killed must not end a round that boxes have worked on for an hour. What
it starts is therefore a session of its own, and a note beside it says which process it is: the
next coordinator goes on with it. The note holds the start time of the process, because numbers
of processes are used again.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from common.errors import ConfigError, UnreachableError
from common.private_files import write_private

log = structlog.get_logger(__name__)

_MOST_LOG_BYTES = 10_000_000
_TOLD_BYTES = 2000
_LOOK_S = 0.05
_KILLED_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessOrder:
    """What is to run.

    Attributes:
        name: What people call it.
        environment: The whole environment of the process.
        folder: Where it works; the note and the log lie there too.
        stamp: What it must have been started with, beyond its command: a certificate's digest.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    folder: Path
    stamp: str = ""

    @property
    def digest(self) -> str:
        """Tells two orders apart."""
        return hashlib.sha256("\0".join((*self.command, self.stamp)).encode()).hexdigest()

    @property
    def note_file(self) -> Path:
        """Which process it is."""
        return self.folder / f"{self.name}.pid.json"

    @property
    def log_file(self) -> Path:
        """What it says."""
        return self.folder / f"{self.name}.log"


class _Note(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    started_ticks: int
    boot: str
    order: str


class LastingProcess:
    """One process at a time; use from one thread."""

    def __init__(self, order: ProcessOrder) -> None:
        """Look for the process that an earlier coordinator left; nothing is started."""
        self.order = order
        self._own: subprocess.Popen[bytes] | None = None
        self._note = _read_note(order.note_file)

    @property
    def pid(self) -> int | None:
        """Its number, while it lives."""
        return self._note.pid if self._note is not None and self.is_alive else None

    @property
    def is_alive(self) -> bool:
        """True while it runs, whoever started it."""
        if self._own is not None:
            # Not by /proc: a process is a zombie there while its last threads still end.
            return self._own.poll() is None
        note = self._note
        return (
            note is not None
            and note.boot == _boot()
            and _started_ticks(note.pid) == note.started_ticks
        )

    @property
    def is_as_ordered(self) -> bool:
        """False when it was started with another command or certificate."""
        return self._note is not None and self._note.order == self.order.digest

    def start(self) -> bool:
        """Make sure that it runs.

        Returns:
            False when it ran already.

        Raises:
            ConfigError: The program cannot be started.
            UnreachableError: The folder cannot be written.
        """
        if self.is_alive:
            return False
        order = self.order
        _turn_log(order.log_file)
        try:
            with order.log_file.open("ab") as output:
                self._own = subprocess.Popen(  # noqa: S603 - commands of ours or of the operator, without a shell
                    order.command,
                    cwd=order.folder,
                    env=dict(order.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
        except OSError as error:
            raise ConfigError(
                f"{order.name} cannot be started: {error.strerror}",
                hint=f"install {order.command[0]}",
            ) from error
        pid = self._own.pid
        self._note = _Note(
            pid=pid,
            started_ticks=_started_ticks(pid) or 0,
            boot=_boot(),
            order=order.digest,
        )
        write_private(order.note_file, self._note.model_dump_json().encode())
        log.info("process_started", name=order.name, pid=pid)
        return True

    def finish(self, *, patience_s: float = 10.0) -> None:
        """Let it end by itself, as it said that it would; then end it."""
        self._is_gone_within(patience_s)
        self.stop()

    def stop(self, *, grace_s: float = 10.0) -> None:
        """End it with everything that it started; safe to call twice."""
        if self.is_alive and self._note is not None:
            pid = self._note.pid
            _signal_all(pid, signal.SIGTERM)
            if not self._is_gone_within(grace_s):
                _signal_all(pid, signal.SIGKILL)
                self._is_gone_within(_KILLED_S)
            else:
                # What it started may have outlived it.
                _signal_all(pid, signal.SIGKILL)
            log.info("process_stopped", name=self.order.name, pid=pid)
        self._own, self._note = None, None
        self.order.note_file.unlink(missing_ok=True)

    def last_words(self) -> str:
        """The end of its log, for people."""
        try:
            with self.order.log_file.open("rb") as file:
                file.seek(max(0, self.order.log_file.stat().st_size - _TOLD_BYTES))
                lines = file.read().decode(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return " | ".join(line.strip() for line in lines[-3:])

    def _is_gone_within(self, patience_s: float) -> bool:
        waited = threading.Event()
        for _ in range(max(1, int(patience_s / _LOOK_S))):
            if not self.is_alive:
                return True
            waited.wait(_LOOK_S)
        return not self.is_alive


def _signal_all(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _read_note(path: Path) -> _Note | None:
    try:
        return _Note.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _started_ticks(pid: int) -> int | None:
    """Field 22 of ``/proc/PID/stat`` (proc(5)); None for no process or a dead one."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name in brackets may hold spaces and brackets of its own.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])


def _turn_log(path: Path) -> None:
    try:
        if path.exists() and path.stat().st_size > _MOST_LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
    except OSError as error:
        raise UnreachableError(f"{path} cannot be written: {error.strerror}") from error
