"""The record of releases ↔ ``active.json``, replaced in one step; shared by the box's threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import structlog
from pydantic import ValidationError

from common.private_files import write_private
from edge.update.record import Record

log = structlog.get_logger(__name__)

RECORD_FILE = "active.json"


class Book:
    """The record; who changes it hands in a function, so that no change is lost."""

    def __init__(self, folder: Path) -> None:
        """Read what is remembered; a damaged record means the model that came with the box."""
        self._path = folder / RECORD_FILE
        self._lock = threading.Lock()
        self._record = read_record(folder)

    @property
    def record(self) -> Record:
        """As it was written last."""
        return self._record

    def change(self, step: Callable[[Record], Record]) -> Record:
        """Write what ``step`` makes of the record; it holds from the return on.

        Raises:
            UnreachableError: The disk is full or failing; the old record holds.
        """
        with self._lock:
            before = self._record
            after = step(before)
            if after != before:
                # Read back, so that nothing is written that could not be read.
                content = after.model_dump_json(indent=1).encode()
                after = Record.model_validate_json(content)
                write_private(self._path, content)
                self._record = after
        if (after.step, after.reason) != (before.step, before.reason):
            log.info(
                "release_step_entered",
                step=after.step.value,
                reason=after.reason,
                wanted=after.wish.version if after.wish else None,
                slot=after.active.value,
            )
        return after


def read_record(folder: Path) -> Record:
    """What is remembered; nothing where there is no record or a damaged one."""
    try:
        return Record.model_validate_json((folder / RECORD_FILE).read_bytes())
    except FileNotFoundError:
        return Record()
    except (OSError, ValidationError) as error:
        log.error("release_record_damaged", error_type=type(error).__name__)  # noqa: TRY400
        return Record()
