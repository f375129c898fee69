"""Simulated history → rows, by COPY on PostgreSQL: a million and more bins a minute."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, text

from common.errors import ConflictError
from coordinator.bulk_store import json_text, moment_text
from coordinator.database import Database
from coordinator.partitions_store import make_room, months_between
from coordinator.simulated_history import (
    SimulatedHistory,
    draw_history,
    junction_layout,
    junction_series,
    minutes_of,
)
from coordinator.traffic.catalogue_store import CameraName, SeriesCatalogue
from coordinator.traffic.intake_rows import CLASS_COLUMNS
from coordinator.traffic.intake_store import CAMERA_BINS, COUNTS
from coordinator.traffic.rollup_store import Due, write_buckets
from coordinator.traffic.rollups import buckets_of

_CAMERA_COLUMNS = (
    "camera_id", "start", "part", "width_s", "tenant_id", "device_id", "clock", "mode",
    "coverage_s", "frames_seen", "frames_dropped", "quality", "flags", "gaps",
)  # fmt: skip
_COUNT_COLUMNS = (
    "series_id", "start", "part", "width_s", "tenant_id", "withheld", *CLASS_COLUMNS,
    "inferred", "speeds", "speed_sum_kmh", "headways", "headway_sum_s", "time_gaps",
    "time_gap_sum_s",
)  # fmt: skip
_CAMERA = "cam-1"
_DEVICE = "simulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedSettings:
    """What is invented.

    Attributes:
        first: UTC day of the oldest minute.
        prefix: Begins the slugs of the sites; seeding the same prefix twice is refused.
    """

    tenant: str
    sites: int
    days: int
    first: datetime
    timezone: str = "UTC"
    prefix: str = "simulated"
    seed: int = 1
    sums: bool = True


@dataclass(frozen=True, slots=True)
class _Seeded:
    camera_id: int
    series: tuple[int, ...]


def seed_history(
    database: Database, settings: SeedSettings, *, tell: Callable[[int, int], None]
) -> int:
    """Store days of simulated minutes, one transaction a day.

    Args:
        database: Where.
        settings: What.
        tell: Called with the days that are done and all of them.

    Returns:
        How many rows ``traffic_count`` got.

    Raises:
        ConflictError: There are sites of that prefix already.
        UnreachableError: The database is away.
    """
    history = draw_history(settings.seed)
    cameras = _make_sites(database, settings)
    rows = 0
    for number in range(settings.days):
        day = settings.first + timedelta(days=number)
        with database.session() as session:
            connection = session.connection()
            make_room(connection, months_between(day, day + timedelta(days=1)))
            for camera in cameras:
                rows += _add_day(connection, settings, history, camera, day)
        if settings.sums:
            _sum_day(database, settings, cameras, day)
        tell(number + 1, settings.days)
    return rows


def _make_sites(database: Database, settings: SeedSettings) -> list[_Seeded]:
    now = settings.first
    with database.session() as session:
        connection = session.connection()
        at = now if database.is_postgresql else moment_text(now)
        taken = connection.execute(
            text("SELECT count(*) FROM site WHERE tenant_id = :tenant AND slug LIKE :slugs"),
            {"tenant": settings.tenant, "slugs": f"{settings.prefix}-%"},
        ).scalar_one()
        if taken:
            raise ConflictError(
                f"there are {taken} sites {settings.prefix}-… already, expected none",
                hint="give another --prefix",
            )
        connection.execute(
            text(
                "INSERT INTO tenant (id, name, created_at) VALUES (:tenant, :tenant, :now) "
                "ON CONFLICT DO NOTHING"
            ),
            {"tenant": settings.tenant, "now": at},
        )
        sites = [
            connection.execute(
                text(
                    "INSERT INTO site (tenant_id, slug, name, timezone, latitude, longitude, "
                    "created_at) VALUES (:tenant, :slug, :slug, :zone, :latitude, :longitude, "
                    ":now) RETURNING id"
                ),
                {
                    "tenant": settings.tenant,
                    "slug": f"{settings.prefix}-{n + 1:04d}",
                    "zone": settings.timezone,
                    "latitude": round(48.2 + n // 100 * 0.01, 4),
                    "longitude": round(16.3 + n % 100 * 0.01, 4),
                    "now": at,
                },
            ).scalar_one()
            for n in range(settings.sites)
        ]
    return [_make_camera(database, settings, site_id) for site_id in sites]


def _make_camera(database: Database, settings: SeedSettings, site_id: int) -> _Seeded:
    catalogue, name = SeriesCatalogue(database), CameraName(settings.tenant, site_id, _CAMERA)
    catalogue.learn({name: set(junction_series())}, now=settings.first)
    camera_id = catalogue.known_camera(name)
    if camera_id is None:
        raise ValueError(f"camera of site {site_id} was not made")
    with database.session() as session:
        session.connection().execute(
            text(
                "INSERT INTO camera_layout (camera_id, valid_from, tenant_id, content) "
                "VALUES (:camera, :valid_from, :tenant, :content)"
            ),
            {
                "camera": camera_id,
                "valid_from": settings.first
                if database.is_postgresql
                else moment_text(settings.first),
                "tenant": settings.tenant,
                "content": json_text(junction_layout(_CAMERA).model_dump(mode="json")),
            },
        )
    known = catalogue.known_series(camera_id)
    return _Seeded(camera_id, tuple(known[name] for name in junction_series()))


def _add_day(
    connection: Connection,
    settings: SeedSettings,
    history: SimulatedHistory,
    camera: _Seeded,
    day: datetime,
) -> int:
    starts = [moment_text(start) for start in minutes_of(day)]
    watched = history.watched(camera.camera_id, day).tolist()
    cameras = _camera_lines(settings.tenant, camera.camera_id, starts, watched)
    _store(connection, "camera_bin", _CAMERA_COLUMNS, list(cameras))
    rows = 0
    for series_id in camera.series:
        pooled = history.day(series_id, day)
        lines = list(
            _count_lines(
                (series_id, settings.tenant),
                starts,
                watched,
                (pooled.counts.tolist(), pooled.speed_sums_kmh.tolist()),
            )
        )
        _store(connection, "traffic_count", _COUNT_COLUMNS, lines)
        rows += len(lines)
    return rows


def _camera_lines(
    tenant: str, camera_id: int, starts: Sequence[str], watched: Sequence[int]
) -> Iterator[str]:
    good = f"\t0\t60\t{tenant}\t{_DEVICE}\ttrusted\tstatistics\t60\t900\t0\tgood\t[]\t[]"
    blind = f'\t0\t60\t{tenant}\t{_DEVICE}\ttrusted\tstatistics\t0\t0\t0\tno_data\t["too_dark"]\t[]'
    for start, is_watched in zip(starts, watched, strict=True):
        if is_watched >= 0:
            yield f"{camera_id}\t{start}{good if is_watched else blind}"


def _count_lines(
    owner: tuple[int, str],
    starts: Sequence[str],
    watched: Sequence[int],
    day: tuple[list[list[int]], list[float]],
) -> Iterator[str]:
    series_id, tenant = owner
    head = f"\t0\t60\t{tenant}\tf\t"
    nothing = "\t".join([r"\N"] * len(CLASS_COLUMNS)) + "\t0\t0\t0\t0\t0\t0\t0"
    for start, is_watched, counts, speeds_kmh in zip(starts, watched, *day, strict=True):
        if is_watched > 0:
            vehicles = sum(counts[2:])
            told = "\t".join(map(str, counts))
            yield f"{series_id}\t{start}{head}{told}\t0\t{vehicles}\t{speeds_kmh}\t0\t0\t0\t0"
        elif is_watched == 0:
            yield f"{series_id}\t{start}{head}{nothing}"


def _store(
    connection: Connection, table: str, columns: Sequence[str], lines: Sequence[str]
) -> None:
    if connection.dialect.name == "postgresql":
        driver = cast(Any, connection.connection.driver_connection)
        with driver.cursor() as cursor:
            cursor.execute("SET LOCAL timezone = 'UTC'")
            with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
                copy.write("\n".join([*lines, ""]))
        return
    insert = CAMERA_BINS if table == "camera_bin" else COUNTS
    insert.add_named(connection, columns, [_values(line) for line in lines])


def _values(line: str) -> tuple[str | int | None, ...]:
    """SQLite turns text into numbers by the columns' own types; booleans it does not know."""
    return tuple(
        None if value == r"\N" else 0 if value == "f" else value for value in line.split("\t")
    )


def _sum_day(
    database: Database, settings: SeedSettings, cameras: Sequence[_Seeded], day: datetime
) -> None:
    starts = minutes_of(day)[::5]
    for camera in cameras:
        dues = [Due(camera.camera_id, start) for start in starts]
        with database.session() as session:
            write_buckets(
                session.connection(),
                buckets_of(dues, {camera.camera_id: settings.timezone}),
            )
