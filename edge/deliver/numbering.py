"""Reports → numbers that are never given twice, whatever becomes of the outbox file.

The mark beside the file knows the highest number that may have left. A file that is new, or
that a failing disk took back to an earlier state, begins a new epoch.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path

import structlog

from common.timing import Clock
from edge.deliver.outbox_database import OutboxDatabase
from edge.deliver.outbox_file import Mark, MergedKey, load_mark, save_mark

SITE_TOLD, LOSSES_TOLD = "site_told", "losses_told"
_SEQUENCE, _EPOCH = "sequence", "epoch"
_CHANCES = 1024

log = structlog.get_logger(__name__)


class Numbering:
    """Epoch and sequence of one outbox, and the mark beside it."""

    def __init__(self, database: OutboxDatabase, *, clock: Clock) -> None:
        """Begin a new epoch where that is needed.

        Raises:
            UnreachableError: The disk is full or failing.
        """
        self._database = database
        self._clock = clock
        self._path = mark_path(database.path)
        loaded = load_mark(self._path)
        self.mark = loaded or Mark()
        self.gap_after: int | None = None
        if not database.fact(_EPOCH):
            self._begin_with_an_empty_file(is_known=loaded is not None)
        elif (self.epoch, self.sequence) < (self.mark.epoch, self.mark.sequence):
            # The disk lost transactions that it had called safe.
            log.error("outbox_went_back", epoch=self.epoch, sequence=self.sequence)
            with database.transaction():
                self._new_epoch()
        self.save()

    @property
    def epoch(self) -> int:
        """The stream that new reports are numbered in."""
        return int(self._database.fact(_EPOCH) or 0)

    @property
    def sequence(self) -> int:
        """The last number given in this epoch, 0 for none."""
        return int(self._database.fact(_SEQUENCE) or 0)

    def next(self) -> tuple[int, int]:
        """Give a number; call it inside a transaction, and ``save`` after it, before sending."""
        sequence = self.sequence + 1
        self._database.set_fact(_SEQUENCE, str(sequence))
        return self.epoch, sequence

    def save(self, *, merged: Iterable[MergedKey] = ()) -> None:
        """Write the mark, with further merged bins that are about to leave.

        Raises:
            UnreachableError: The disk is full or failing; nothing may be sent.
        """
        row = self._acknowledged_row()
        kept = tuple(key for key in (*self.mark.merged, *merged) if key.last_row > row)
        facts = {name: self._database.fact(name) for name in (SITE_TOLD, LOSSES_TOLD)}
        mark = Mark(epoch=self.epoch, sequence=self.sequence, row=row, merged=kept, facts=facts)
        if mark != self.mark:
            save_mark(self._path, mark)
            self.mark = mark

    def _acknowledged_row(self) -> int:
        """Every row of the store up to this one is acknowledged."""
        ((waiting, in_reports),) = self._database.read(
            "SELECT (SELECT MIN(first_row) FROM waiting), (SELECT MIN(first_row) FROM report)"
        )
        eldest = [row for row in (waiting, in_reports) if row is not None]
        read_up_to = int((self._database.fact("cursor") or "0").split("|")[0])
        return min([read_up_to, *(int(row) - 1 for row in eldest)])

    def _begin_with_an_empty_file(self, *, is_known: bool) -> None:
        with self._database.transaction():
            self._new_epoch()
            self._database.set_fact("cursor", f"{self.mark.row}|||")
            for name, value in self.mark.facts.items():
                self._database.set_fact(name, value)
        if is_known:
            self.gap_after = self.mark.row
            log.error("outbox_began_anew", epoch=self.epoch, after_row=self.mark.row)

    def _new_epoch(self) -> None:
        # Milliseconds and chance: a box without a battery clock boots at the same time again.
        now_ms = max(0, int(self._clock.now().timestamp() * 1000))
        chosen = now_ms * _CHANCES + secrets.randbelow(_CHANCES)
        self._database.set_fact(_EPOCH, str(max(chosen, self.mark.epoch + 1, self.epoch + 1)))
        self._database.set_fact(_SEQUENCE, "0")


def mark_path(outbox: Path) -> Path:
    """Where the mark of an outbox lies."""
    return outbox.with_name(outbox.name + ".mark")
