"""A number of sites and days → minutes and their sums, made inside PostgreSQL.

Every day of a block of sites is one transaction that notes its end, so that a run that was
cut off goes on where it was. Rows of one minute lie side by side, as ingest writes them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from common.road_users import ROAD_USERS
from coordinator.database import Database
from coordinator.partitions_store import make_room_for

TENANT = "benchmark"
ZONE = "Europe/Vienna"
FIRST_DAY = date(2026, 3, 1)
LEGS = ("north", "east", "south", "west")
SERIES_PER_SITE = 2 * len(LEGS) + len(LEGS) ** 2
ROWS_PER_SITE_DAY = SERIES_PER_SITE * 1440

_CLASSES = ", ".join(user.value for user in ROAD_USERS)
_SUMS = ", ".join(f"sum({user.value})" for user in ROAD_USERS)
_MORE = (
    "inferred, speeds, speed_sum_kmh, headways, headway_sum_s, headway_least_s, "
    "time_gaps, time_gap_sum_s"
)
_MORE_SUMS = (
    "sum(inferred), sum(speeds), sum(speed_sum_kmh), sum(headways), sum(headway_sum_s), "
    "min(headway_least_s), sum(time_gaps), sum(time_gap_sum_s)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """How much is stored."""

    sites: int
    days: int

    @property
    def rows(self) -> int:
        """Rows of ``traffic_count``."""
        return self.sites * self.days * ROWS_PER_SITE_DAY


def grow_city(database: Database, city: City, *, told: Callable[[str], None]) -> None:
    """Add what is missing to a city of this size.

    Args:
        database: PostgreSQL with the tables of this version.
        city: Wanted size; a city that is larger stays so.
        told: Gets a line about every day that was made.

    Raises:
        UnreachableError: The database is away.
    """
    first = datetime.combine(FIRST_DAY, datetime.min.time(), UTC)
    make_room_for(
        database, first=first - timedelta(days=1), last=first + timedelta(days=city.days + 1)
    )
    with database.session() as session:
        connection = session.connection()
        connection.execute(text(_PROGRESS))
        begin = _sites(connection)
        _add_sites(connection, first_site=begin + 1, last_site=city.sites)
        blocks = {
            (low, high)
            for low, high in connection.execute(
                text("SELECT first_site, last_site FROM benchmark_block ORDER BY 1")
            )
        }
    for low, high in sorted(blocks):
        for n in range(city.days):
            _fill_day(database, low, high, FIRST_DAY + timedelta(days=n), told)


def tidy(database: Database) -> None:
    """Statistics and visibility map, as autovacuum would have left them."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def size_bytes(database: Database) -> int:
    """Bytes on disk, indexes included."""
    with database.session() as session:
        query = text("SELECT pg_database_size(current_database())")
        return int(session.connection().execute(query).scalar_one())


def count_rows(database: Database) -> dict[str, int]:
    """Rows of the large tables."""
    tables = ("traffic_count", "traffic_count_rollup", "camera_bin", "camera_rollup")
    with database.session() as session:
        return {
            table: int(
                session.connection()
                .execute(text(f"SELECT count(*) FROM {table}"))  # noqa: S608 - our own names  # nosec B608
                .scalar_one()
            )
            for table in tables
        }


def _sites(connection: Connection) -> int:
    return int(
        connection.execute(
            text("SELECT coalesce(max(last_site), 0) FROM benchmark_block")
        ).scalar_one()
    )


def _add_sites(connection: Connection, *, first_site: int, last_site: int) -> None:
    if last_site < first_site:
        return
    values: dict[str, Any] = {
        "tenant": TENANT,
        "zone": ZONE,
        "low": first_site,
        "high": last_site,
        "legs": list(LEGS),
    }
    for statement in _PLACES:
        connection.execute(text(statement), values)
    connection.execute(text("INSERT INTO benchmark_block VALUES (:low, :high)"), values)


def _fill_day(
    database: Database, low: int, high: int, day: date, told: Callable[[str], None]
) -> None:
    values = {"tenant": TENANT, "low": low, "high": high, "day": day, "zone": ZONE}
    with database.session() as session:
        connection = session.connection()
        done = connection.execute(text(_IS_DONE), values).scalar_one()
        if done:
            return
        for statement in (_MINUTES, _COUNTS, *_ROLLUPS):
            connection.execute(text(statement), values)
        connection.execute(text("INSERT INTO benchmark_day VALUES (:low, :high, :day)"), values)
    told(f"sites {low} to {high}: {day}")


_PROGRESS = """
CREATE TABLE IF NOT EXISTS benchmark_block (first_site int, last_site int);
CREATE TABLE IF NOT EXISTS benchmark_day (first_site int, last_site int, day date)
"""

_IS_DONE = """
SELECT count(*) FROM benchmark_day
WHERE first_site = :low AND last_site = :high AND day = CAST(:day AS date)
"""

_PLACES = (
    "INSERT INTO tenant (id, name, created_at) VALUES (:tenant, 'Benchmark', now()) "
    "ON CONFLICT DO NOTHING",
    "INSERT INTO site (id, tenant_id, slug, name, timezone, created_at) "
    "SELECT n, :tenant, 'site-' || n, 'Site ' || n, :zone, now() "
    "FROM generate_series(CAST(:low AS int), :high) AS n",
    "INSERT INTO camera (id, tenant_id, site_id, slug, created_at) "
    "SELECT n, :tenant, n, 'cam', now() FROM generate_series(CAST(:low AS int), :high) AS n",
    "INSERT INTO series (tenant_id, camera_id, kind, name, direction) "
    "SELECT :tenant, n, 'line', leg, way FROM generate_series(CAST(:low AS int), :high) AS n, "
    "unnest(CAST(:legs AS text[])) AS leg, unnest(ARRAY['left', 'right']) AS way ORDER BY n",
    "INSERT INTO series (tenant_id, camera_id, kind, name, direction) "
    "SELECT :tenant, n, 'flow', a || '-' || b, '' "
    "FROM generate_series(CAST(:low AS int), :high) AS n, "
    "unnest(CAST(:legs AS text[])) AS a, unnest(CAST(:legs AS text[])) AS b ORDER BY n",
    "INSERT INTO camera_layout (camera_id, valid_from, tenant_id, content) "
    "SELECT n, timestamptz '2026-01-01 00:00+00', :tenant, json_build_object("
    "'camera', 'cam', 'frame_size', json_build_array(1280, 720), 'is_calibrated', true, "
    "'sections', (SELECT json_agg(json_build_object('name', leg, 'use', 'traffic', 'points_px', "
    "json_build_array(json_build_array(0, 0), json_build_array(9, 0)))) "
    "FROM unnest(CAST(:legs AS text[])) AS leg), "
    "'flows', (SELECT json_agg(json_build_object('name', a || '-' || b, 'start', a, 'end', b, "
    "'movement', (ARRAY['u_turn', 'left', 'thru', 'right'])[1 + (m - k + 4) % 4])) "
    "FROM unnest(CAST(:legs AS text[])) WITH ORDINALITY AS x(a, k), "
    "unnest(CAST(:legs AS text[])) WITH ORDINALITY AS y(b, m))) "
    "FROM generate_series(CAST(:low AS int), :high) AS n",
)

_IN_DAY = (
    "start >= CAST(:day AS timestamp) AT TIME ZONE :zone "
    "AND start < (CAST(:day AS timestamp) + interval '1 day') AT TIME ZONE :zone"
)
_OF_DAY = (
    "generate_series(CAST(:day AS timestamp) AT TIME ZONE :zone, "
    "(CAST(:day AS timestamp) + interval '1 day') AT TIME ZONE :zone - interval '1 minute', "
    "'1 minute') AS t"
)

_MINUTES = f"""
INSERT INTO camera_bin (camera_id, start, part, width_s, tenant_id, device_id, clock, mode,
  coverage_s, frames_seen, frames_dropped, quality, flags, gaps)
SELECT n, t, 0, 60, :tenant, 'box-' || n, 'trusted', 'statistics', 60, 600, 0, 'good', '[]', '[]'
FROM {_OF_DAY}, generate_series(CAST(:low AS int), :high) AS n ORDER BY t, n
"""  # noqa: S608 - constants above  # nosec B608

# More by day than by night, and no two minutes alike; what is counted is of no concern.
_COUNTS = f"""
INSERT INTO traffic_count (series_id, start, part, width_s, tenant_id, withheld,
  {_CLASSES}, {_MORE})
SELECT s.id, t, 0, 60, :tenant, false,
  floor(random() * 2), floor(random() * 2), floor(random() * (2 + extract(hour FROM t))),
  floor(random() * 1.1), floor(random() * 1.1), floor(random() * 1.3),
  0, 5, 250 * random(), 4, 40 * random(), 1 + random(), 4, 30 * random()
FROM {_OF_DAY}, series AS s
WHERE s.camera_id BETWEEN :low AND :high ORDER BY t, s.id
"""  # noqa: S608 - constants above  # nosec B608


def _bucket(seconds: int) -> str:
    if seconds == 86_400:
        return "CAST(:day AS timestamp) AT TIME ZONE :zone"
    return f"date_bin('{seconds} seconds', start, timestamptz '2000-01-01 00:00+00')"


def _count_rollup(width_s: int, narrower_s: int) -> str:
    is_base = narrower_s == 60
    source = "traffic_count" if is_base else "traffic_count_rollup"
    bins = (
        "count(*), count(*), 0" if is_base else "sum(bins), sum(watched_bins), sum(withheld_bins)"
    )
    return f"""
INSERT INTO traffic_count_rollup (series_id, width_s, start, tenant_id, {_CLASSES}, {_MORE},
  bins, watched_bins, withheld_bins)
SELECT series_id, {width_s}, {_bucket(width_s)} AS bucket, :tenant, {_SUMS}, {_MORE_SUMS}, {bins}
FROM {source} JOIN series AS s ON s.id = series_id
WHERE {_IN_DAY} AND width_s = {narrower_s} AND s.camera_id BETWEEN :low AND :high
GROUP BY series_id, bucket ORDER BY bucket, series_id
"""  # noqa: S608 - constants above  # nosec B608


def _camera_rollup(width_s: int, narrower_s: int) -> str:
    is_base = narrower_s == 60
    source = "camera_bin" if is_base else "camera_rollup"
    bins = (
        "count(*), sum(coverage_s), 0" if is_base else "sum(bins), sum(good_s), sum(degraded_bins)"
    )
    return f"""
INSERT INTO camera_rollup (camera_id, width_s, start, tenant_id, coverage_s, frames_seen,
  frames_dropped, bins, good_s, degraded_bins)
SELECT camera_id, {width_s}, {_bucket(width_s)} AS bucket, :tenant, sum(coverage_s),
  sum(frames_seen), sum(frames_dropped), {bins}
FROM {source}
WHERE {_IN_DAY} AND width_s = {narrower_s} AND camera_id BETWEEN :low AND :high
GROUP BY camera_id, bucket ORDER BY bucket, camera_id
"""  # noqa: S608 - constants above  # nosec B608


_STEPS = ((300, 60), (900, 300), (3600, 900), (86_400, 900))
_ROLLUPS = (
    *(_count_rollup(wide, narrow) for wide, narrow in _STEPS),
    *(_camera_rollup(wide, narrow) for wide, narrow in _STEPS),
)
