"""Rows of the bin store → bins that may leave, in the outbox, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Protocol

import structlog

from common.messages import CameraBin, IncidentNote, IncidentReport, LostBins
from common.wire import MOST_MINUTES, ClockState
from edge.deliver.clock_trust import ClockTrust
from edge.deliver.losses_told import untold
from edge.deliver.numbering import LOSSES_TOLD
from edge.deliver.outbox import Outbox
from edge.deliver.outbox_rows import Cursor, FreshBin
from edge.keeping.store import BinStore
from edge.keeping.stored import Loss, StoredBin
from edge.measure.events import Incident

ROWS_AT_ONCE = 128
_STORE_TOLD = "store_file"
_DAMAGED = "file_damaged"

log = structlog.get_logger(__name__)


class Privacy(Protocol):
    """Decides what of a bin leaves; ``PrivacyEngine`` does."""

    def bins(
        self, stored: Iterable[StoredBin], *, clock: ClockState = ClockState.TRUSTED
    ) -> list[CameraBin]:
        """What leaves of these bins, in their order."""
        ...

    def incidents(self, camera_id: str, incidents: Iterable[Incident]) -> list[IncidentNote]:
        """What leaves of these incidents, in their order."""
        ...


OpenPrivacy = Callable[[Callable[[StoredBin, str], None]], Privacy]
"""Makes the engine; it is given whom to tell of bins that cannot leave."""


class Collector:
    """Reads on where it stopped, also over restarts and in a store that began anew."""

    def __init__(
        self, store: BinStore, outbox: Outbox, *, open_privacy: OpenPrivacy, trust: ClockTrust
    ) -> None:
        """Check that the store is still the one that was read before.

        Raises:
            UnreachableError: Store or outbox cannot be used.
        """
        self._store = store
        self._outbox = outbox
        self._trust = trust
        self._left_out: list[LostBins] = []
        self._privacy = open_privacy(self._leave_out)
        self._look_for_another_store()
        if outbox.gap_after is not None:
            self._note_gap(outbox.gap_after)

    def collect(self) -> int:
        """Take over the next rows.

        Returns:
            How many rows were read, 0 when there are no more.

        Raises:
            UnreachableError: Store, outbox or privacy budget cannot be used now.
        """
        cursor = self._outbox.cursor
        rows = list(islice(self._store.bins(after_row=cursor.row), ROWS_AT_ONCE))
        if not rows:
            return 0
        self._left_out.clear()
        fresh: list[FreshBin] = []
        row_ids = {(row.camera_id, row.start, row.part): row.row_id for row in rows}
        for state in ClockState:
            alike = [row for row in rows if self._trust.of_bin(row.start) is state]
            fresh += [
                FreshBin(row=row_ids[bin_.camera, bin_.start, bin_.part], bin=bin_)
                for bin_ in self._privacy.bins(alike, clock=state)
            ]
        fresh.sort(key=lambda each: each.row)
        self._outbox.add_bins(fresh, cursor=_cursor(rows[-1]), left_out=self._left_out)
        return len(rows)

    def collect_incidents(self, incidents: Iterable[tuple[str, Incident]]) -> int:
        """Take over single incidents, of the cameras that may tell them.

        Returns:
            How many will leave.

        Raises:
            UnreachableError: The outbox cannot be used now.
        """
        notes = [
            note
            for camera_id, incident in incidents
            for note in self._privacy.incidents(camera_id, [incident])
        ]
        for start in range(0, len(notes), MOST_MINUTES):
            report = IncidentReport(incidents=tuple(notes[start : start + MOST_MINUTES]))
            self._outbox.add_report(report, clock=self._trust.state)
        return len(notes)

    def tell_losses(self) -> None:
        """Note what the store lost since the last time; a store that began anew shows here."""
        losses = self._store.losses()
        fresh, told = untold(losses, self._outbox.fact(LOSSES_TOLD))
        if fresh:
            self._outbox.note_losses(fresh, facts={LOSSES_TOLD: told})
        self._look_for_another_store(losses)

    def _look_for_another_store(self, losses: list[Loss] | None = None) -> None:
        """Row numbers begin again at 1 in a new file: then all of it is read."""
        found = self._store.losses() if losses is None else losses
        file = ";".join(sorted(loss.detail for loss in found if loss.reason == _DAMAGED))
        known = self._outbox.fact(_STORE_TOLD)
        if known != file or not self._is_at_cursor():
            if self._outbox.cursor.row:
                log.warning("store_began_anew", after_row=self._outbox.cursor.row)
                self._outbox.rewind()
            self._outbox.set_fact(_STORE_TOLD, file)

    def _is_at_cursor(self) -> bool:
        cursor = self._outbox.cursor
        if not cursor.row:
            return True
        row = next(iter(self._store.bins(after_row=cursor.row - 1)), None)
        if row is None:
            # Nothing at or after it: an older file with all of it deleted, or a newer, shorter one.
            return next(iter(self._store.bins()), None) is None
        return row.row_id > cursor.row or not cursor.camera or _cursor(row) == cursor

    def _note_gap(self, row: int) -> None:
        """Rows that the lost outbox had and that the store has no more."""
        first = next(iter(self._store.bins(after_row=row)), None)
        missing = 0 if first is None else first.row_id - row - 1
        if missing > 0:
            self._outbox.note_losses([LostBins(camera=None, reason=_DAMAGED, bins=missing)])

    def _leave_out(self, stored: StoredBin, reason: str) -> None:
        self._left_out.append(
            LostBins(
                camera=stored.camera_id,
                reason=reason,
                bins=1,
                first_at=stored.start,
                last_at=stored.start,
            )
        )


def _cursor(row: StoredBin) -> Cursor:
    return Cursor(
        row=row.row_id,
        camera=row.camera_id,
        start_s=int(row.start.timestamp()),
        part=row.part,
    )
