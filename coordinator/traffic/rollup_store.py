"""Touched buckets → their sums, computed in the database and put in place of the old ones.

The statements are in ``rollup_statements_store``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, text

from coordinator.bulk_store import moment_text
from coordinator.traffic.rollup_statements_store import LEVELS, Level, statements_of

_LOCK_CLASS = 0x17_5CA


class Due(NamedTuple):
    """Five minutes of one camera that changed."""

    camera_id: int
    start: datetime


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bin of the roll-ups of one camera.

    Attributes:
        width_s: 86400 stands for the local day.
        stop: First moment after it.
    """

    camera_id: int
    width_s: int
    start: datetime
    stop: datetime


def take_due(connection: Connection, most: int) -> list[Due]:
    """Take the oldest notes away; they come back if the transaction fails.

    Rows that another process is working on are passed over.
    """
    skip = " FOR UPDATE SKIP LOCKED" if connection.dialect.name == "postgresql" else ""
    rows = connection.execute(
        text(
            "DELETE FROM rollup_due WHERE id IN "  # noqa: S608 - nothing foreign in it  # nosec B608
            f"(SELECT id FROM rollup_due ORDER BY id LIMIT :most{skip}) "
            "RETURNING camera_id, start"
        ),
        {"most": most},
    ).all()
    return sorted({Due(camera_id, _aware(start)) for camera_id, start in rows})


def count_due(connection: Connection) -> int:
    """How many notes wait."""
    return int(connection.execute(text("SELECT count(*) FROM rollup_due")).scalar_one())


def zones_of(connection: Connection, camera_ids: Iterable[int]) -> dict[int, str]:
    """Camera id → name of the time zone of its site."""
    query = text(
        "SELECT camera.id, site.timezone FROM camera JOIN site ON site.id = camera.site_id "
        "WHERE camera.id IN :ids"
    ).bindparams(bindparam("ids", expanding=True))
    rows = connection.execute(query, {"ids": sorted(set(camera_ids))})
    return {camera_id: zone for camera_id, zone in rows}  # noqa: C416 - rows are not tuples


def lock_cameras(connection: Connection, camera_ids: Iterable[int]) -> None:
    """Let nobody else sum these cameras until the end of the transaction.

    Otherwise one of two processes could write a sum that the other's newer rows are not in.
    """
    if connection.dialect.name != "postgresql":
        return  # SQLite has one writer
    connection.execute(
        text(
            "SELECT pg_advisory_xact_lock(:class, id) "
            "FROM unnest(CAST(:ids AS int[])) AS id"
        ),
        {"class": _LOCK_CLASS, "ids": sorted(set(camera_ids))},
    )  # fmt: skip


def write_buckets(connection: Connection, buckets: Sequence[Bucket]) -> None:
    """Sum these buckets anew, the narrow ones first."""
    is_postgresql = connection.dialect.name == "postgresql"
    if is_postgresql:
        # Some hundred look-ups by key, whatever the statistics of a young table say.
        for way in ("seqscan", "hashjoin", "mergejoin", "bitmapscan"):
            connection.execute(text(f"SET LOCAL enable_{way} = off"))
    for level in LEVELS:
        mine = [bucket for bucket in buckets if bucket.width_s == level.width_s]
        if mine:
            values = _parameters(connection, level, mine)
            for statement in statements_of(level, is_postgresql=is_postgresql):
                connection.execute(text(statement), values)


def _parameters(
    connection: Connection, level: Level, buckets: Sequence[Bucket]
) -> dict[str, object]:
    first = min(bucket.start for bucket in buckets)
    last = max(bucket.stop for bucket in buckets)
    values: dict[str, object] = {
        "width_s": level.width_s,
        "narrower_s": level.narrower_s,
        "base_from_s": level.base_from_s,
        "base_to_s": level.base_to_s,
    }
    if connection.dialect.name == "postgresql":
        return values | {
            "first": first,
            "last": last,
            "cameras": [bucket.camera_id for bucket in buckets],
            "starts": [bucket.start for bucket in buckets],
            "stops": [bucket.stop for bucket in buckets],
        }
    rows = [(b.camera_id, moment_text(b.start), moment_text(b.stop)) for b in buckets]
    return values | {
        "first": moment_text(first),
        "last": moment_text(last),
        "buckets": json.dumps(rows),
    }


def _aware(start: datetime | str) -> datetime:
    """SQLite hands moments of raw statements back as text."""
    return datetime.fromisoformat(f"{start}+00:00") if isinstance(start, str) else start
