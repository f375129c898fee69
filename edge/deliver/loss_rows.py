"""Losses ↔ rows of the outbox that add up until they are told."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime

from common.messages import LostBins

_MOST_AT_ONCE = 64


def note_losses(sql: sqlite3.Connection, losses: Iterable[LostBins]) -> None:
    """Add to what is to be told; an unknown number stays unknown."""
    for loss in losses:
        sql.execute(
            "INSERT INTO loss (camera, reason, bins, first_s, last_s) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (camera, reason) DO UPDATE SET bins = bins + excluded.bins,"
            " first_s = COALESCE(MIN(first_s, excluded.first_s), first_s, excluded.first_s),"
            " last_s = COALESCE(MAX(last_s, excluded.last_s), last_s, excluded.last_s)",
            (
                loss.camera or "",
                loss.reason,
                loss.bins,
                None if loss.first_at is None else int(loss.first_at.timestamp()),
                None if loss.last_at is None else int(loss.last_at.timestamp()),
            ),
        )


def take_losses(sql: sqlite3.Connection) -> tuple[LostBins, ...]:
    """Take out what fits into one report; call it in the transaction that writes that."""
    rows = sql.execute(
        "DELETE FROM loss WHERE (camera, reason) IN"
        " (SELECT camera, reason FROM loss ORDER BY camera, reason LIMIT ?)"
        " RETURNING camera, reason, bins, first_s, last_s",
        (_MOST_AT_ONCE,),
    ).fetchall()
    return tuple(
        LostBins(
            camera=camera or None,
            reason=reason,
            bins=bins,
            first_at=None if first_s is None else datetime.fromtimestamp(first_s, UTC),
            last_at=None if last_s is None else datetime.fromtimestamp(last_s, UTC),
        )
        for camera, reason, bins, first_s, last_s in rows
    )
