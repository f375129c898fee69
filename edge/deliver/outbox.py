"""What may leave the box → numbered reports on disk, kept until they are acknowledged.

Bins wait one by one, so that a full outbox can merge them. A report gets its number in the
moment in which it is handed to the network for the first time, and never changes after that;
nothing is deleted before ``acknowledge``. Rows are encrypted with a key of the box.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog

from common.encryption import AtRestKey
from common.messages import BinReport, LossReport, LostBins, UpMessage
from common.timing import Clock
from common.wire import ClockState, Kind
from edge.deliver.loss_rows import note_losses, take_losses
from edge.deliver.numbering import Numbering
from edge.deliver.outbox_database import OutboxDatabase
from edge.deliver.outbox_file import MergedKey
from edge.deliver.outbox_rows import Cursor, FreshBin, OutboxStatus, PendingReport, RowCipher
from edge.deliver.packing import bin_payload, oldest_bins
from edge.deliver.thinning import (
    WaitingBin,
    insert_waiting,
    merge_into,
    merged_before,
    thin,
)

_FULL_SHARE, _THINNED_SHARE, _EASED_SHARE = 0.95, 0.9, 0.5

log = structlog.get_logger(__name__)


class Outbox:
    """The outbox of one box; for the thread that opened it."""

    def __init__(self, path: Path, *, key: AtRestKey, max_bytes: int, clock: Clock) -> None:
        """Open or create the file; a damaged one is moved aside and a new epoch begins.

        Raises:
            ConfigError: The file is of a newer version.
            UnreachableError: The file cannot be opened or created.
        """
        self._clock = clock
        self._cipher = RowCipher(key)
        self._database = OutboxDatabase(path, max_bytes=max_bytes, clock=clock)
        self._is_full = False
        self._numbering = Numbering(self._database, clock=clock)

    @property
    def epoch(self) -> int:
        """The stream that new reports are numbered in."""
        return self._numbering.epoch

    @property
    def gap_after(self) -> int | None:
        """The row after which a lost outbox begins to read again, or None."""
        return self._numbering.gap_after

    @property
    def cursor(self) -> Cursor:
        """The last stored bin that is in here, or was."""
        row, camera, start_s, part = (self._database.fact("cursor") or "0|||").split("|")
        return Cursor(row=int(row), camera=camera, start_s=int(start_s or 0), part=int(part or 0))

    def rewind(self) -> None:
        """Begin again with the first row: the store is another than the one that was read."""
        with self._database.transaction():
            self._database.set_fact("cursor", "0|||")

    def add_bins(
        self, bins: Sequence[FreshBin], *, cursor: Cursor, left_out: Iterable[LostBins] = ()
    ) -> int:
        """Take bins over, and note how far the store was read, both or neither.

        Args:
            bins: May be none.
            cursor: The last row that was read, also when nothing of it may leave.
            left_out: What the privacy engine kept back, to be told as lost.

        Returns:
            How many were new.

        Raises:
            UnreachableError: The disk is full or failing.
        """
        before = {(m.camera, m.start_s, m.width_s): m for m in self._numbering.mark.merged}
        added = 0
        with self._database.transaction() as sql:
            for fresh in bins:
                item = WaitingBin(bin=fresh.bin, minutes=1, first_row=fresh.row, last_row=fresh.row)
                known = merged_before(item, before)
                if known is None:
                    added += insert_waiting(sql, self._cipher, item)
                else:
                    merge_into(sql, self._cipher, item, width_s=known.width_s, part=known.part)
                    added += 1
            note_losses(sql, left_out)
            text = f"{cursor.row}|{cursor.camera}|{cursor.start_s}|{cursor.part}"
            self._database.set_fact("cursor", text)
        self._make_room()
        return added

    def make_bin_reports(self, most: int, *, clock: ClockState) -> int:
        """Number the oldest waiting bins in reports of up to 64; they may leave after this.

        Returns:
            How many reports were made, at most ``most``.

        Raises:
            UnreachableError: The disk is full or failing.
        """
        if any(known.last_row > self.cursor.row for known in self._numbering.mark.merged):
            return 0  # what was merged before the outbox was lost must first be whole again
        made, merged_keys = 0, list[MergedKey]()
        with self._database.transaction() as sql:
            while made < most and (batch := oldest_bins(sql, self._cipher)):
                rows = min(each.first_row for each in batch)
                state = ClockState.UNSURE if batch[0].is_unsure else clock
                payload = bin_payload(batch)
                self._insert(BinReport.kind, payload, state, bins=len(batch), first_row=rows)
                sql.executemany("DELETE FROM waiting WHERE id = ?", [(b.id,) for b in batch])
                merged_keys += [each.key for each in batch if each.key.width_s > 60]
                made += 1
        if made:
            self._numbering.save(merged=merged_keys)
        return made

    def add_report(
        self, message: UpMessage, *, clock: ClockState, facts: Mapping[str, str] | None = None
    ) -> None:
        """Number a report of another kind; ``facts`` are noted in the same transaction.

        Raises:
            UnreachableError: The disk is full or failing.
        """
        with self._database.transaction():
            self._insert(message.kind, message.model_dump_json().encode(), clock)
            for name, value in (facts or {}).items():
                self._database.set_fact(name, value)
        self._numbering.save()

    def note_losses(
        self, losses: Iterable[LostBins], *, facts: Mapping[str, str] | None = None
    ) -> None:
        """Add to what is to be told; ``facts`` are noted in the same transaction."""
        with self._database.transaction() as sql:
            note_losses(sql, losses)
            for name, value in (facts or {}).items():
                self._database.set_fact(name, value)

    def make_loss_report(self, *, clock: ClockState) -> bool:
        """Number a report of what is to be told; False when nothing is."""
        with self._database.transaction() as sql:
            losses = take_losses(sql)
            if losses:
                report = LossReport(at=self._clock.now(), losses=losses)
                self._insert(LossReport.kind, report.model_dump_json().encode(), clock)
        if losses:
            self._numbering.save()
        return bool(losses)

    def pending(self) -> list[PendingReport]:
        """Numbered reports without acknowledgement, oldest first."""
        return [
            PendingReport(
                epoch=epoch,
                sequence=sequence,
                kind=Kind(kind),
                created_at=datetime.fromtimestamp(created_ms / 1000, UTC),
                clock=ClockState(clock),
                bins=bins,
            )
            for epoch, sequence, kind, created_ms, clock, bins in self._database.read(
                "SELECT epoch, sequence, kind, created_ms, clock, bins FROM report"
                " ORDER BY epoch, sequence"
            )
        ]

    def payloads(self, reports: Sequence[PendingReport]) -> list[bytes | None]:
        """Payloads, byte for byte the same at each call; None for what is acknowledged."""
        found: list[bytes | None] = []
        with self._database.transaction() as sql:
            for report in reports:
                row = sql.execute(
                    "SELECT content FROM report WHERE epoch = ? AND sequence = ?",
                    (report.epoch, report.sequence),
                ).fetchone()
                context = _context(report.epoch, report.sequence)
                found.append(None if row is None else self._cipher.open(row[0], context))
        return found

    def acknowledge(self, epoch: int, sequences: Iterable[int]) -> int:
        """Forget reports; only a verified acknowledgement of the coordinator leads here.

        Returns:
            How many of them were known.
        """
        with self._database.transaction() as sql:
            keys = [(epoch, sequence) for sequence in sequences]
            done = sql.executemany("DELETE FROM report WHERE epoch = ? AND sequence = ?", keys)
        return max(0, done.rowcount)

    def drop(self, report: PendingReport, *, reason: str) -> None:
        """Give up a report that can never be sent; its bins are told as lost."""
        with self._database.transaction() as sql:
            sql.execute(
                "DELETE FROM report WHERE epoch = ? AND sequence = ?",
                (report.epoch, report.sequence),
            )
            if report.bins:
                note_losses(sql, [LostBins(camera=None, reason=reason, bins=report.bins)])

    def save_mark(self) -> None:
        """Note beside the file how far everything is acknowledged."""
        self._numbering.save()

    def fact(self, name: str) -> str:
        """A note that outlives restarts, empty when there is none."""
        return self._database.fact(name)

    def set_fact(self, name: str, value: str) -> None:
        """Note something that outlives restarts."""
        with self._database.transaction():
            self._database.set_fact(name, value)

    def status(self) -> OutboxStatus:
        """How much waits."""
        ((bins, reports),) = self._database.read(
            "SELECT (SELECT COUNT(*) FROM waiting), (SELECT COUNT(*) FROM report)"
        )
        used_bytes = self._database.used_bytes().used
        return OutboxStatus(bins=bins, reports=reports, used_bytes=used_bytes)

    def close(self) -> None:
        """Finish; safe to call twice."""
        self._database.close()

    def _insert(
        self,
        kind: Kind,
        payload: bytes,
        clock: ClockState,
        *,
        bins: int = 0,
        first_row: int | None = None,
    ) -> None:
        epoch, sequence = self._numbering.next()
        created_ms = int(self._clock.now().timestamp() * 1000)
        content = self._cipher.close(payload, _context(epoch, sequence))
        self._database.sql.execute(
            "INSERT INTO report (epoch, sequence, kind, created_ms, clock, first_row, bins,"
            " content) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (epoch, sequence, kind.value, created_ms, clock.value, first_row, bins, content),
        )

    def _make_room(self) -> None:
        size, most = self._database.used_bytes(), self._database.max_bytes
        if size.used > most * _FULL_SHARE:
            if not self._is_full:
                log.warning("outbox_full", used_bytes=size.used, max_bytes=most)
            self._is_full = True
            while self._database.used_bytes().used > most * _THINNED_SHARE:
                with self._database.transaction() as sql:
                    if not thin(sql, self._cipher):
                        return
        elif size.used < most * _EASED_SHARE:
            self._is_full = False
        if size.file > most:
            self._database.shrink_file()


def _context(epoch: int, sequence: int) -> str:
    return f"outbox report {epoch} {sequence}"
