"""The folder of a run → somebody who works on it, wherever that is.

A bench reads ``plan.json``, goes on at the last finished round, and writes ledger, status and
candidate into the folder. It may die at any moment; whoever begins it again loses at most the
round that was under way.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from coordinator.federation.processes import LastingProcess, ProcessOrder

BENCH = "bench"


class Bench(Protocol):
    """Works on one run at a time."""

    def begin(self, folder: Path) -> str:
        """Work on the run, from its last finished round on.

        Returns:
            A handle by which another process finds the work again.

        Raises:
            ItsError: It cannot begin now.
        """
        ...

    def is_alive(self, folder: Path, handle: str) -> bool:
        """True while the work goes on.

        Raises:
            UnreachableError: Nobody can say now.
        """
        ...

    def end(self, folder: Path, handle: str) -> None:
        """Stop the work; safe to call twice.

        Raises:
            UnreachableError: It cannot be stopped now.
        """
        ...

    def leave(self, folder: Path, handle: str) -> None:
        """The last word on the run was said: let the work end by itself, and forget it."""
        ...

    def last_words(self, folder: Path) -> str:
        """What it said last, for people."""
        ...


class CommandBench:
    """Any command that takes a run folder: a simulation on this machine."""

    def __init__(self, command: Sequence[str]) -> None:
        """Prepare; the folder becomes the last word of ``command``."""
        self._command = tuple(command)
        self._processes: dict[Path, LastingProcess] = {}

    def begin(self, folder: Path) -> str:
        """Start the command, or find it at work.

        Raises:
            ConfigError: It cannot be started.
            UnreachableError: The folder cannot be written.
        """
        process = self._process(folder)
        process.start()
        return str(process.pid or 0)

    def is_alive(self, folder: Path, handle: str) -> bool:  # noqa: ARG002 - the note knows better
        """True while the process lives."""
        return self._process(folder).is_alive

    def end(self, folder: Path, handle: str) -> None:  # noqa: ARG002 - the note knows better
        """End the process and what it started."""
        self._process(folder).stop()

    def leave(self, folder: Path, handle: str) -> None:  # noqa: ARG002 - the note knows better
        """Wait for the end of the process."""
        self._process(folder).finish()
        self._processes.pop(folder)

    def last_words(self, folder: Path) -> str:
        """The end of its log."""
        return self._process(folder).last_words()

    def _process(self, folder: Path) -> LastingProcess:
        if folder not in self._processes:
            self._processes[folder] = LastingProcess(
                ProcessOrder(
                    name=BENCH,
                    command=(*self._command, str(folder)),
                    environment=os.environ,
                    folder=folder,
                )
            )
        return self._processes[folder]
