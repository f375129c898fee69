"""An outbox that is full → the same hours in coarser bins, and only then fewer of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from common.messages import CameraBin, LostBins
from common.wire import WIDTHS_S, ClockState
from edge.deliver.loss_rows import note_losses
from edge.deliver.merging import merged
from edge.deliver.outbox_file import MergedKey
from edge.deliver.outbox_rows import RowCipher

MERGED, DROPPED = "merged", "outbox_full"
_GROUPS_AT_ONCE = 32
_DROPPED_AT_ONCE = 16
_MOST_PARTS = 1000
_REMEMBERED_S = 3 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingBin:
    """A bin that was never sent, with what is known of it beside its content."""

    bin: CameraBin
    minutes: int
    first_row: int
    last_row: int


def bin_context(camera: str, start_s: int, width_s: int, part: int) -> str:
    """What a row of ``waiting`` is encrypted as."""
    return f"outbox bin {camera} {start_s} {width_s} {part}"


def insert_waiting(
    database: sqlite3.Connection, cipher: RowCipher, item: WaitingBin, row_id: int | None = None
) -> bool:
    """Write a bin down; False when it was there already."""
    bin_ = item.bin
    key = (bin_.camera, int(bin_.start.timestamp()), bin_.width_s, bin_.part)
    content = cipher.close(bin_.model_dump_json().encode(), bin_context(*key))
    is_unsure = bin_.clock is ClockState.UNSURE
    done = database.execute(
        "INSERT OR IGNORE INTO waiting"
        " (id, camera, start_s, width_s, part, minutes, is_unsure, first_row, last_row, content)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (row_id, *key, item.minutes, is_unsure, item.first_row, item.last_row, content),
    )
    return bool(done.rowcount)


def merged_before(
    item: WaitingBin, before: Mapping[tuple[str, int, int], MergedKey]
) -> MergedKey | None:
    """The merged bin that a bin was part of before the outbox was lost, if it was."""
    start_s = int(item.bin.start.timestamp())
    for width_s in WIDTHS_S[1:]:
        known = before.get((item.bin.camera, start_s - start_s % width_s, width_s))
        if known is not None and item.last_row <= known.last_row:
            return known
    return None


def thin(database: sqlite3.Connection, cipher: RowCipher) -> int:
    """One step towards a smaller outbox, inside the caller's transaction.

    The oldest of the finest bins are merged first; when each camera has one bin per hour,
    the oldest hours are dropped.

    Returns:
        How many rows fewer there are; 0 when nothing waits.
    """
    for wider_s in WIDTHS_S[1:]:
        groups = database.execute(
            "SELECT camera, start_s - start_s % :wider AS window, COUNT(*) FROM waiting"
            " WHERE width_s < :wider GROUP BY camera, window HAVING COUNT(*) > 1"
            " ORDER BY window, camera LIMIT :most",
            {"wider": wider_s, "most": _GROUPS_AT_ONCE},
        ).fetchall()
        if groups:
            for camera, window_s, _ in groups:
                _merge(database, cipher, camera, window_s, wider_s)
            return sum(count - 1 for *_, count in groups)
    return _drop(database)


def merge_into(
    database: sqlite3.Connection, cipher: RowCipher, item: WaitingBin, *, width_s: int, part: int
) -> None:
    """Add a bin to the merged bin of this width and part, which may not be there yet."""
    bin_ = item.bin
    start_s = int(bin_.start.timestamp()) // width_s * width_s
    found = database.execute(
        "DELETE FROM waiting WHERE camera = ? AND start_s = ? AND width_s = ? AND part = ?"
        " RETURNING id, minutes, first_row, last_row, content",
        (bin_.camera, start_s, width_s, part),
    ).fetchone()
    together = [bin_]
    row_id, minutes, first_row, last_row = None, 0, item.first_row, item.last_row
    if found is not None:
        row_id, minutes, first, last, content = found
        first_row, last_row = min(first_row, first), max(last_row, last)
        context = bin_context(bin_.camera, start_s, width_s, part)
        together.insert(0, CameraBin.model_validate_json(cipher.open(content, context)))
    whole = WaitingBin(
        bin=merged(together, width_s=width_s, part=part),
        minutes=minutes + item.minutes,
        first_row=first_row,
        last_row=last_row,
    )
    insert_waiting(database, cipher, whole, row_id)


def _merge(
    database: sqlite3.Connection, cipher: RowCipher, camera: str, window_s: int, wider_s: int
) -> None:
    rows = database.execute(
        "DELETE FROM waiting WHERE camera = ? AND start_s >= ? AND start_s < ? AND width_s < ?"
        " RETURNING id, start_s, width_s, part, minutes, first_row, last_row, content",
        (camera, window_s, window_s + wider_s, wider_s),
    ).fetchall()
    rows.sort(key=lambda row: (row[1], row[3]))
    bins = [
        CameraBin.model_validate_json(
            cipher.open(content, bin_context(camera, start_s, width_s, part))
        )
        for _, start_s, width_s, part, *_, content in rows
    ]
    minutes = sum(row[4] for row in rows)
    whole = WaitingBin(
        bin=merged(bins, width_s=wider_s, part=_new_part(database, camera, window_s, wider_s)),
        minutes=minutes,
        first_row=min(row[5] for row in rows),
        last_row=max(row[6] for row in rows),
    )
    insert_waiting(database, cipher, whole, min(row[0] for row in rows))
    loss = _loss(camera, MERGED, minutes, first_s=rows[0][1], last_s=rows[-1][1])
    note_losses(database, [loss])


def _new_part(database: sqlite3.Connection, camera: str, window_s: int, width_s: int) -> int:
    """A part of this merged bin that was never given: late minutes make a second one."""
    # No minute comes later than two days, so older parts are never asked for again.
    database.execute("DELETE FROM merged_part WHERE start_s < ?", (window_s - _REMEMBERED_S,))
    ((following,),) = database.execute(
        "INSERT INTO merged_part (camera, start_s, width_s, next_part) VALUES (?, ?, ?, 1)"
        " ON CONFLICT (camera, start_s, width_s) DO UPDATE SET next_part = next_part + 1"
        " RETURNING next_part",
        (camera, window_s, width_s),
    ).fetchall()
    return min(int(following) - 1, _MOST_PARTS)


def _drop(database: sqlite3.Connection) -> int:
    rows = database.execute(
        "DELETE FROM waiting WHERE id IN (SELECT id FROM waiting ORDER BY start_s, id LIMIT ?)"
        " RETURNING camera, start_s, minutes",
        (_DROPPED_AT_ONCE,),
    ).fetchall()
    note_losses(
        database,
        [
            _loss(camera, DROPPED, minutes, first_s=start_s, last_s=start_s)
            for camera, start_s, minutes in rows
        ],
    )
    return len(rows)


def _loss(camera: str, reason: str, minutes: int, *, first_s: int, last_s: int) -> LostBins:
    return LostBins(
        camera=camera,
        reason=reason,
        bins=minutes,
        first_at=datetime.fromtimestamp(first_s, UTC),
        last_at=datetime.fromtimestamp(last_s, UTC),
    )
