"""A number of sites and days → minutes and their sums, made inside PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, text

from common.errors import ItsError
from coordinator.database import Database
from coordinator.partitions_store import make_room_for
from coordinator.traffic.benchmark_bulk_store import emptied
from coordinator.traffic.benchmark_places_store import (
    ROWS_PER_SITE_DAY,
    TENANT,
    ZONE,
    make_places,
)
from coordinator.traffic.benchmark_statements_store import (
    TEMPLATE_WIDTHS_S,
    days_of_cameras,
    days_of_counts,
    minutes_of_cameras,
    minutes_of_counts,
    sums_of_cameras,
    sums_of_counts,
    sums_of_kinds,
    template_statements,
)
from coordinator.traffic.periods import local_day, zone_of
from coordinator.traffic.rollup_store import Bucket, write_buckets
from coordinator.traffic.rollup_tables import ROLLUP_WIDTHS_S

FIRST_DAY = date(2026, 3, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """How much is stored."""

    sites: int
    days: int

    @property
    def rows(self) -> int:
        """Rows of ``traffic_count``."""
        return self.sites * self.days * ROWS_PER_SITE_DAY

    @property
    def mornings(self) -> list[datetime]:
        """Midnights, UTC, at which its days begin."""
        first = datetime.combine(FIRST_DAY, datetime.min.time(), UTC)
        return [first + timedelta(days=n) for n in range(self.days)]


def fill_city(database: Database, city: City, *, told: Callable[[str], None]) -> bool:
    """Put a city of this size in place of what is stored; one that is there already stays.

    Every table is one transaction. A run that was cut off begins again.

    Args:
        database: PostgreSQL with the tables of this version, holding nothing of worth.
        city: Wanted size.
        told: Gets a line about every table that was filled.

    Returns:
        True when the city was made, False when it was there.

    Raises:
        UnreachableError: The database is away.
    """
    if _stored(database) == city:
        return False
    mornings = city.mornings
    make_room_for(database, first=mornings[0], last=mornings[-1])
    began = time.perf_counter()

    def tell(what: str) -> None:
        told(f"{what} after {time.perf_counter() - began:.0f} s")

    _prepare(database, city)
    tell("a template of one day")
    # The largest tables first; two at once, because none waits for another.
    with ThreadPoolExecutor(max_workers=2) as pool:
        filling = {
            pool.submit(_fill, database, city, table): table.name for table in _tables(mornings)
        }
        for done in as_completed(filling):
            done.result()
            tell(filling[done])
    with database.session() as session:
        session.connection().execute(
            text("INSERT INTO benchmark_city VALUES (:sites, :days)"),
            {"sites": city.sites, "days": city.days},
        )
    return True


def check_sums(database: Database, city: City) -> int:
    """Sum some buckets as ingest does, and compare with what was laid out.

    Returns:
        Roll-up rows that were compared.

    Raises:
        ItsError: Minutes and roll-ups do not agree.
    """
    noon = city.mornings[city.days // 2] + timedelta(hours=12)
    cameras = sorted({1, (city.sites + 1) // 2, city.sites})
    day = local_day(noon.date(), zone_of(ZONE))
    buckets = [
        Bucket(camera, width_s, noon, noon + timedelta(seconds=width_s))
        if width_s < ROLLUP_WIDTHS_S[-1]
        else Bucket(camera, width_s, day.start, day.end)
        for camera in cameras
        for width_s in ROLLUP_WIDTHS_S
    ]
    compared = 0
    with database.session() as session:
        connection = session.connection()
        for query in (_COUNTS_OF_BUCKETS, _KINDS_OF_BUCKETS, _CAMERAS_OF_BUCKETS):
            values = {"cameras": cameras, "noon": noon, "day": day.start}
            before = connection.execute(text(query), values).all()
            with connection.begin_nested() as savepoint:
                write_buckets(connection, buckets)
                after = connection.execute(text(query), values).all()
                savepoint.rollback()
            if not before or [tuple(row) for row in before] != [tuple(row) for row in after]:
                raise ItsError(
                    f"roll-ups at {noon} differ from the sums of their minutes",
                    hint="the benchmark's templates no longer match the roll-ups",
                )
            compared += len(before)
    return compared


def tidy(database: Database) -> None:
    """Statistics and visibility map, as autovacuum would have left them."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Pages that are not on disk yet may stay out of the visibility map.
        connection.execute(text("CHECKPOINT"))
        connection.execute(text("VACUUM ANALYZE"))


def size_bytes(database: Database) -> dict[str, int]:
    """Bytes on disk: all of it, and the large tables and their indexes apart."""
    with database.session() as session:
        row = session.connection().execute(text(_SIZES)).mappings().one()
        return {name: int(value) for name, value in row.items()}


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


def _stored(database: Database) -> City | None:
    with database.session() as session:
        connection = session.connection()
        connection.execute(text("CREATE TABLE IF NOT EXISTS benchmark_city (sites int, days int)"))
        found = connection.execute(text("SELECT sites, days FROM benchmark_city")).one_or_none()
    return None if found is None else City(sites=found.sites, days=found.days)


def _prepare(database: Database, city: City) -> None:
    with database.session() as session:
        connection = session.connection()
        connection.execute(text("TRUNCATE benchmark_city"))
        connection.execute(
            text(
                "TRUNCATE site, camera, series, camera_layout, camera_bin, traffic_count, "
                "camera_rollup, traffic_count_rollup, traffic_kind_rollup "
                "RESTART IDENTITY CASCADE"
            )
        )
        make_places(connection, city.sites)
        for statement in template_statements():
            connection.execute(text(statement))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """A table, the statements of each of its days, and what follows them."""

    name: str
    mornings: Sequence[datetime]
    statements: Sequence[str]
    at_last: Sequence[str] = ()


def _tables(mornings: Sequence[datetime]) -> list[_Table]:
    months: dict[str, list[datetime]] = {}
    for morning in mornings:
        months.setdefault(f"_p{morning:%Y%m}", []).append(morning)
    widths = TEMPLATE_WIDTHS_S[1:]
    found = []
    for base, statement in (
        ("traffic_count", minutes_of_counts),
        ("camera_bin", minutes_of_cameras),
    ):
        found += [
            _Table(name=base + month, mornings=days, statements=[statement(base + month)])
            for month, days in months.items()
        ]
    sums = (
        _Table(
            name="traffic_count_rollup",
            mornings=mornings,
            statements=[sums_of_counts(width_s) for width_s in widths],
            at_last=[days_of_counts(), sums_of_kinds()],
        ),
        _Table(
            name="camera_rollup",
            mornings=mornings,
            statements=[sums_of_cameras(width_s) for width_s in widths],
            at_last=[days_of_cameras()],
        ),
    )
    return [found[0], *sums, *found[1:]]


def _fill(database: Database, city: City, table: _Table) -> None:
    numbers = {morning: n for n, morning in enumerate(city.mornings)}
    with database.session() as session:
        connection = session.connection()
        _set_up(connection)
        with emptied(connection, table.name):
            for morning in table.mornings:
                values = {"n": numbers[morning], "day": morning, "tenant": TENANT}
                for statement in table.statements:
                    wanted = values | ({"sites": city.sites} if ":sites" in statement else {})
                    connection.execute(text(statement), wanted)
            for statement in table.at_last:
                values = {"tenant": TENANT, "zone": ZONE}
                named = {name: value for name, value in values.items() if f":{name}" in statement}
                connection.execute(text(statement), named)


def _set_up(connection: Connection) -> None:
    # Two scans that meet would start in the middle, and rows would not lie in order of time.
    connection.execute(text("SET LOCAL synchronize_seqscans = off"))
    connection.execute(text("SET LOCAL maintenance_work_mem = '1GB'"))
    connection.execute(text("SET LOCAL work_mem = '256MB'"))


# One bucket at noon for each width, and the local day around it.
_COUNTS_OF_BUCKETS = """
SELECT r.* FROM traffic_count_rollup AS r JOIN series ON series.id = series_id
WHERE camera_id = ANY(:cameras) AND start = CASE WHEN width_s < 86400 THEN :noon ELSE :day END
ORDER BY series_id, width_s
"""
_KINDS_OF_BUCKETS = """
SELECT * FROM traffic_kind_rollup
WHERE camera_id = ANY(:cameras) AND start = CASE WHEN width_s < 86400 THEN :noon ELSE :day END
ORDER BY camera_id, kind, width_s
"""
_CAMERAS_OF_BUCKETS = """
SELECT * FROM camera_rollup
WHERE camera_id = ANY(:cameras) AND start = CASE WHEN width_s < 86400 THEN :noon ELSE :day END
ORDER BY camera_id, width_s
"""

_SIZES = """
SELECT pg_database_size(current_database()) AS database,
  (SELECT sum(pg_table_size(relid)) FROM pg_partition_tree('traffic_count')) AS traffic_count,
  (SELECT sum(pg_indexes_size(relid)) FROM pg_partition_tree('traffic_count') WHERE isleaf)
    AS traffic_count_indexes,
  pg_table_size('traffic_count_rollup') AS traffic_count_rollup,
  pg_indexes_size('traffic_count_rollup') AS traffic_count_rollup_indexes
"""
