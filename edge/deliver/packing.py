"""Bins that wait in the outbox → the next ones that fit into one report."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from common.wire import MOST_MINUTES
from edge.deliver.outbox_file import MergedKey
from edge.deliver.outbox_rows import RowCipher
from edge.deliver.thinning import bin_context

MOST_PLAIN_BYTES = 240_000
MOST_PACKED_BYTES = 56_000
"""Of the bins of one report: an envelope holds 65,536 bytes, and together they pack better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedBin:
    """A waiting bin on its way into a report.

    Attributes:
        is_unsure: True when the clock was not known to be right. Such bins get reports of their
            own: the coordinator may refuse them, and must not refuse others with them.
        plain: Its wire JSON.
        key: Names it, should it be a merged one.
    """

    id: int
    first_row: int
    is_unsure: bool
    plain: bytes
    key: MergedKey


def oldest_bins(sql: sqlite3.Connection, cipher: RowCipher) -> list[PackedBin]:
    """Up to 64, in the order in which they were measured; empty when nothing waits."""
    batch: list[PackedBin] = []
    plain_bytes = packed_bytes = 0
    rows = sql.execute(
        "SELECT id, camera, start_s, width_s, part, is_unsure, first_row, last_row, content"
        " FROM waiting ORDER BY id LIMIT ?",
        (MOST_MINUTES,),
    )
    for row_id, camera, start_s, width_s, part, is_unsure, first_row, last_row, content in rows:
        if batch and bool(is_unsure) is not batch[0].is_unsure:
            break
        plain = cipher.open(content, bin_context(camera, start_s, width_s, part))
        plain_bytes += len(plain) + 1
        packed_bytes += len(content)
        if batch and (plain_bytes > MOST_PLAIN_BYTES or packed_bytes > MOST_PACKED_BYTES):
            break
        key = MergedKey(
            camera=camera, start_s=start_s, width_s=width_s, part=part, last_row=last_row
        )
        batch.append(
            PackedBin(
                id=row_id, first_row=first_row, is_unsure=bool(is_unsure), plain=plain, key=key
            )
        )
    return batch


def bin_payload(batch: list[PackedBin]) -> bytes:
    """The bins as the JSON of one ``BinReport``, without reading them again."""
    return b'{"bins":[' + b",".join(each.plain for each in batch) + b"]}"
