"""The folder of a run → the signed bundle at work on it, through the SuperLink."""

from __future__ import annotations

from pathlib import Path

import structlog

from common.timing import Clock
from coordinator.federation.flower_control import FlowerControl

log = structlog.get_logger(__name__)

_BELIEVED_S = 10.0


class FlowerBench:
    """Has Flower work; its handle is Flower's id of the run."""

    def __init__(self, control: FlowerControl, *, clock: Clock, log_file: Path) -> None:
        """Prepare.

        Args:
            control: The SuperLink.
            clock: Asking costs seconds, so an answer is believed for a while.
            log_file: Of the SuperExec, under which the server app speaks.
        """
        self._control = control
        self._clock = clock
        self._log_file = log_file
        self._seen: dict[str, float] = {}

    def begin(self, folder: Path) -> str:
        """Start the bundle; whatever else still runs is stopped first.

        Two server apps on one folder would be one too many, and a coordinator that was killed
        may have started one that it does not remember.

        Raises:
            UnreachableError: The SuperLink is away.
        """
        for left in self._control.running():
            log.warning("flower_run_stopped", flower_run=left)
            self._control.stop(left)
        handle = self._control.start(folder.name)
        self._seen[handle] = self._clock.monotonic_s()
        return handle

    def is_alive(self, folder: Path, handle: str) -> bool:  # noqa: ARG002 - Flower's id is enough
        """True until Flower says that the run has finished.

        Raises:
            UnreachableError: The SuperLink is away.
        """
        now_s = self._clock.monotonic_s()
        if now_s - self._seen.get(handle, -_BELIEVED_S) < _BELIEVED_S:
            return True
        if not self._control.is_running(handle):
            self._seen.pop(handle, None)
            return False
        self._seen[handle] = now_s
        return True

    def end(self, folder: Path, handle: str) -> None:  # noqa: ARG002 - Flower's id is enough
        """Stop the run, unless it has finished.

        Raises:
            UnreachableError: The SuperLink is away.
        """
        self._seen.pop(handle, None)
        if self._control.is_running(handle):
            self._control.stop(handle)

    def leave(self, folder: Path, handle: str) -> None:  # noqa: ARG002 - Flower's id is enough
        """Flower ends the run with its server app."""
        self._seen.pop(handle, None)

    def last_words(self, folder: Path) -> str:  # noqa: ARG002 - one log for all runs
        """The end of the log."""
        try:
            text = self._log_file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return " | ".join(line.strip() for line in text[-2000:].splitlines()[-3:])
