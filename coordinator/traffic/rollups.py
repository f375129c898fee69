"""Notes about changed minutes → sums over 5, 15 and 60 minutes and local days.

A note is written with the bins that it is about, and taken away with the sums that hold them:
whatever is late, repeated or interrupted, the sums end up exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from common.messages import aligned
from coordinator.database import Database
from coordinator.traffic.periods import local_day, zone_of
from coordinator.traffic.rollup_store import (
    Bucket,
    Due,
    lock_cameras,
    take_due,
    write_buckets,
    zones_of,
)
from coordinator.traffic.rollup_tables import ROLLUP_WIDTHS_S

_DAY_S = 86_400
_MOST_AT_ONCE = 2_000


def buckets_of(dues: Iterable[Due], zones: Mapping[int, str]) -> list[Bucket]:
    """Every bucket that holds one of these five minutes, once.

    Args:
        dues: What changed.
        zones: Camera id → name of the time zone of its site.

    Raises:
        ConfigError: A site has a time zone that does not exist.
    """
    found: dict[Bucket, None] = {}
    for due in dues:
        for width_s in ROLLUP_WIDTHS_S:
            found[_bucket(due, width_s, zones.get(due.camera_id, "UTC"))] = None
    return list(found)


def sum_due(database: Database, *, most: int = _MOST_AT_ONCE) -> int:
    """Sum what changed, in one transaction.

    Returns:
        How many changed five minutes were dealt with; 0 when nothing waits.

    Raises:
        ConfigError: A site has a time zone that does not exist.
        UnreachableError: The database is away; the notes stay.
    """
    with database.session() as session:
        connection = session.connection()
        dues = take_due(connection, most)
        if dues:
            cameras = {due.camera_id for due in dues}
            lock_cameras(connection, cameras)
            write_buckets(connection, buckets_of(dues, zones_of(connection, cameras)))
    return len(dues)


def sum_everything_due(database: Database) -> int:
    """Sum until nothing waits.

    Raises:
        ConfigError: A site has a time zone that does not exist.
        UnreachableError: The database is away; what is left stays noted.
    """
    total = 0
    while done := sum_due(database):
        total += done
    return total


def _bucket(due: Due, width_s: int, zone: str) -> Bucket:
    if width_s == _DAY_S:
        known = zone_of(zone)
        day = local_day(due.start.astimezone(known).date(), known)
        return Bucket(due.camera_id, width_s, day.start, day.end)
    start: datetime = aligned(due.start, width_s)
    return Bucket(
        due.camera_id, width_s, start, (start + timedelta(seconds=width_s)).astimezone(UTC)
    )
