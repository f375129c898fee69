"""Tenant and names → sites, cameras, series and layouts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import ValidationError
from sqlalchemy import select
from sqlmodel import Session, col

from common.errors import ItsError, NotFoundError
from common.messages import CameraLayout
from coordinator.fleet.tables import SiteRow
from coordinator.traffic.scenes import Camera, Layout, Scene, Series, Site
from coordinator.traffic.tables import CameraRow, LayoutRow, SeriesRow

__all__ = ["SceneStore", "Session"]
"""Who only hands a session on takes its type from here."""


class SceneStore:
    """Where things are counted, for one tenant."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Read through ``session`` what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def sites(self) -> list[Site]:
        """All sites by slug."""
        query = (
            select(SiteRow)
            .where(col(SiteRow.tenant_id) == self._tenant_id)
            .order_by(col(SiteRow.slug))
        )
        return [_site(row) for row in self._session.scalars(query)]

    def site(self, slug: str) -> Site:
        """One site.

        Raises:
            NotFoundError: No such site.
        """
        query = select(SiteRow).where(
            col(SiteRow.tenant_id) == self._tenant_id, col(SiteRow.slug) == slug
        )
        row = self._session.scalars(query).one_or_none()
        if row is None:
            raise NotFoundError(
                f"site {slug!r} is not known", hint="GET /api/v1/sites lists the sites"
            )
        return _site(row)

    def scene(self, slug: str, *, until: datetime | None = None) -> Scene:
        """A site with its cameras, series and layouts that were drawn before ``until``.

        Raises:
            NotFoundError: No such site.
        """
        site = self.site(slug)
        cameras = self._cameras([site.id])
        ids = [camera.id for camera in cameras]
        return Scene(
            site=site,
            cameras=tuple(cameras),
            series=tuple(self._series(ids)),
            layouts=tuple(self._layouts(ids, until)),
        )

    def scenes(self) -> list[Scene]:
        """Every site with its cameras and series, without layouts, in three statements."""
        sites = self.sites()
        cameras = self._cameras([site.id for site in sites])
        by_camera: dict[int, list[Series]] = {}
        for series in self._series([camera.id for camera in cameras]):
            by_camera.setdefault(series.camera_id, []).append(series)
        by_site: dict[int, list[Camera]] = {}
        for camera in cameras:
            by_site.setdefault(camera.site_id, []).append(camera)
        return [
            Scene(
                site=site,
                cameras=tuple(mine := by_site.get(site.id, [])),
                series=tuple(s for camera in mine for s in by_camera.get(camera.id, [])),
            )
            for site in sites
        ]

    def _cameras(self, site_ids: Sequence[int]) -> list[Camera]:
        query = (
            select(CameraRow)
            .where(
                col(CameraRow.tenant_id) == self._tenant_id, col(CameraRow.site_id).in_(site_ids)
            )
            .order_by(col(CameraRow.slug))
        )
        return [
            Camera(
                id=_stored(row.id), site_id=row.site_id, slug=row.slug, created_at=row.created_at
            )
            for row in self._session.scalars(query)
        ]

    def _series(self, camera_ids: Sequence[int]) -> list[Series]:
        columns = (
            col(SeriesRow.id),
            col(SeriesRow.camera_id),
            col(SeriesRow.kind),
            col(SeriesRow.name),
            col(SeriesRow.direction),
        )
        query = (
            select(*columns)
            .where(
                col(SeriesRow.tenant_id) == self._tenant_id,
                col(SeriesRow.camera_id).in_(camera_ids),
            )
            .order_by(*columns[1:])
        )
        return [
            Series(id=_stored(id_), camera_id=camera_id, kind=kind, name=name, direction=direction)
            for id_, camera_id, kind, name, direction in self._session.execute(query)
        ]

    def _layouts(self, camera_ids: Sequence[int], until: datetime | None) -> list[Layout]:
        query = select(LayoutRow).where(
            col(LayoutRow.tenant_id) == self._tenant_id, col(LayoutRow.camera_id).in_(camera_ids)
        )
        if until is not None:
            query = query.where(col(LayoutRow.valid_from) < until)
        return [
            Layout(camera_id=row.camera_id, valid_from=row.valid_from, drawn=_drawn(row))
            for row in self._session.scalars(query.order_by(col(LayoutRow.valid_from)))
        ]


def _drawn(row: LayoutRow) -> CameraLayout:
    try:
        return CameraLayout.model_validate(row.content)
    except ValidationError as error:
        raise ItsError(
            f"layout of camera {row.camera_id} from {row.valid_from} is damaged",
            hint="restore the database, or send the site file of the box again",
        ) from error


def _site(row: SiteRow) -> Site:
    return Site(
        id=_stored(row.id),
        slug=row.slug,
        name=row.name,
        timezone=row.timezone,
        latitude=row.latitude,
        longitude=row.longitude,
    )


def _stored(row_id: int | None) -> int:
    if row_id is None:
        raise ValueError("the row has no id yet, expected one that was stored")
    return row_id
