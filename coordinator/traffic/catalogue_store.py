"""Site and names → ids of cameras and series, made when first told and remembered.

Ids never change, so a worker asks the database once for each. A camera belongs to its site
and not to the box, so a replaced box goes on with the same ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text

from common.errors import ConflictError
from coordinator.bulk_store import moment_text
from coordinator.database import Database
from coordinator.traffic.intake_rows import SeriesKey, SeriesName

MOST_CAMERAS_PER_SITE = 64
MOST_SERIES_PER_CAMERA = 1_000
"""A box that invents names all the time must not fill the table."""


class CameraName(NamedTuple):
    """A camera as a message of one box names it."""

    tenant: str
    site_id: int
    slug: str


Wanted = Mapping[CameraName, Set[SeriesName]]
"""Cameras, and the series that are told of each."""


class SeriesCatalogue:
    """Ids of cameras and series of one worker; used by one thread."""

    def __init__(self, database: Database) -> None:
        """Nothing is read before the first question."""
        self._database = database
        self._cameras: dict[CameraName, int] = {}
        self._series: dict[int, dict[SeriesKey, int]] = {}

    def known_camera(self, name: CameraName) -> int | None:
        """The id, when it is remembered."""
        return self._cameras.get(name)

    def known_series(self, camera_id: int) -> dict[SeriesKey, int]:
        """Every remembered series of a camera."""
        return self._series[camera_id]

    def knows(self, name: CameraName, keys: Iterable[SeriesKey]) -> bool:
        """True when the camera and all these series of it are remembered."""
        camera_id = self._cameras.get(name)
        if camera_id is None:
            return False
        known = self._series[camera_id]
        return all(key in known for key in keys)

    def learn(self, wanted: Wanted, *, now: datetime) -> dict[CameraName, str]:
        """Make and remember the ids of cameras and series, in one transaction.

        Returns:
            Cameras that cannot have what they want, each with the reason.

        Raises:
            UnreachableError: The database is away.
        """
        missing = {
            camera: names
            for camera, names in wanted.items()
            if (known := self._cameras.get(camera)) is None
            or not names <= self._series[known].keys()
        }
        if not missing:
            return {}
        refused: dict[CameraName, str] = {}
        cameras: dict[CameraName, int] = {}
        series: dict[int, dict[SeriesKey, int]] = {}
        with self._database.session() as session:
            connection = session.connection()
            # One order everywhere: two workers never wait for each other's rows in a ring.
            for camera in sorted(missing):
                try:
                    camera_id = _camera(connection, camera, now)
                    cameras[camera] = camera_id
                    series[camera_id] = _series(
                        connection, camera.tenant, camera_id, sorted(missing[camera])
                    )
                except ConflictError as error:
                    refused[camera] = str(error)
        # Not before the commit: a rolled back id would be remembered for good.
        self._cameras |= cameras
        for camera_id in cameras.values():
            self._series.setdefault(camera_id, {}).update(series.get(camera_id, {}))
        return refused


def _camera(connection: Connection, name: CameraName, now: datetime) -> int:
    query = text("SELECT id FROM camera WHERE site_id = :site AND slug = :slug")
    values = {"site": name.site_id, "slug": name.slug}
    found = connection.execute(query, values).scalar()
    if found is None:
        _refuse_more(
            connection.execute(
                text("SELECT count(*) FROM camera WHERE site_id = :site"), values
            ).scalar_one(),
            MOST_CAMERAS_PER_SITE,
            f"cameras of site {name.site_id}",
        )
        connection.execute(
            text(
                "INSERT INTO camera (tenant_id, site_id, slug, created_at) "
                "VALUES (:tenant, :site, :slug, :now) ON CONFLICT DO NOTHING"
            ),
            {**values, "tenant": name.tenant, "now": _moment(connection, now)},
        )
        found = connection.execute(query, values).scalar_one()
    return int(found)


def _series(
    connection: Connection, tenant: str, camera_id: int, missing: list[SeriesName]
) -> dict[SeriesKey, int]:
    found = _read_series(connection, camera_id)
    new = [name for name in missing if name not in found]
    if new:
        _refuse_more(
            len(found) + len(new) - 1, MOST_SERIES_PER_CAMERA, f"series of camera {camera_id}"
        )
        connection.execute(
            text(
                "INSERT INTO series (tenant_id, camera_id, kind, name, direction) "
                "VALUES (:tenant, :camera, :kind, :name, :direction) ON CONFLICT DO NOTHING"
            ),
            [{"tenant": tenant, "camera": camera_id, **name._asdict()} for name in new],
        )
        found = _read_series(connection, camera_id)
    return {name: found[name] for name in missing}


def _read_series(connection: Connection, camera_id: int) -> dict[SeriesKey, int]:
    rows = connection.execute(
        text("SELECT id, kind, name, direction FROM series WHERE camera_id = :camera"),
        {"camera": camera_id},
    )
    return {SeriesName(kind, name, direction): number for number, kind, name, direction in rows}


def _refuse_more(have: int, most: int, what: str) -> None:
    if have >= most:
        raise ConflictError(f"more than {most} {what}")


def _moment(connection: Connection, at: datetime) -> str | datetime:
    return at if connection.dialect.name == "postgresql" else moment_text(at)
