"""Wishes for plates, and plates ↔ rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlmodel import Session, col

from common.errors import NotFoundError
from common.plates import PlatePicture, PlateReport
from coordinator.fleet.states import DeviceState
from coordinator.fleet.tables import DeviceRow, HealthRow, SiteRow
from coordinator.plates.tables import PlateRow, PlateWishRow
from coordinator.traffic.tables import CameraRow

__all__ = ["PlateStore", "Session", "add_answer"]


class PlateStore:
    """Plates of one tenant, in one transaction."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Work through ``session`` on what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def camera(self, site: str, camera: str) -> CameraRow:
        """One camera by the names of its site and its own.

        Raises:
            NotFoundError: No such site or camera.
        """
        query = (
            select(CameraRow)
            .join(SiteRow, col(SiteRow.id) == col(CameraRow.site_id))
            .where(
                col(SiteRow.tenant_id) == self._tenant_id,
                col(SiteRow.slug) == site,
                col(CameraRow.slug) == camera,
            )
        )
        row = self._session.scalars(query).one_or_none()
        if row is None:
            raise NotFoundError(
                f"camera {camera[:64]!r} of site {site[:64]!r} is not known",
                hint="a camera is known as soon as its box told of it",
            )
        return row

    def boxes(self, camera: CameraRow) -> list[tuple[str, dict[str, Any]]]:
        """Enrolled boxes at the camera's site, each with its newest health report."""
        query = (
            select(DeviceRow, HealthRow)
            .outerjoin(HealthRow, col(HealthRow.device_id) == col(DeviceRow.id))
            .where(
                col(DeviceRow.tenant_id) == self._tenant_id,
                col(DeviceRow.site_id) == camera.site_id,
                col(DeviceRow.state) == DeviceState.ENROLLED.value,
            )
            .order_by(col(DeviceRow.id))
        )
        found = self._session.execute(query)
        return [(device.id, health.content if health else {}) for device, health in found]

    def wish(self, camera: CameraRow) -> PlateWishRow | None:
        """The newest wish."""
        return self._session.get(PlateWishRow, camera.id)

    def keep_wish(self, row: PlateWishRow) -> None:
        """Keep a new or changed wish."""
        self._session.add(row)
        self._session.flush()

    def plate(self, camera: CameraRow) -> PlateRow | None:
        """The newest plate."""
        return self._session.get(PlateRow, camera.id)

    def forget(self, camera: CameraRow) -> None:
        """Delete the plate."""
        self._session.execute(delete(PlateRow).where(col(PlateRow.camera_id) == camera.id))

    def unanswered(self, *, since: datetime) -> Sequence[tuple[PlateWishRow, str]]:
        """Wishes since then that enrolled boxes have not answered, each with its camera's name."""
        query = (
            select(PlateWishRow, col(CameraRow.slug))
            .join(DeviceRow, col(DeviceRow.id) == col(PlateWishRow.device_id))
            .join(CameraRow, col(CameraRow.id) == col(PlateWishRow.camera_id))
            .where(
                col(PlateWishRow.tenant_id) == self._tenant_id,
                col(PlateWishRow.number) > col(PlateWishRow.answered_number),
                col(PlateWishRow.wished_at) >= since,
                col(DeviceRow.state) == DeviceState.ENROLLED.value,
            )
            .order_by(col(PlateWishRow.camera_id))
        )
        return [(wish, slug) for wish, slug in self._session.execute(query)]


def add_answer(
    connection: Connection, *, device: str, camera_id: int, report: PlateReport, now: datetime
) -> bool:
    """Keep what a box answered; False for what nobody asked this box, or was answered before."""
    wish = connection.execute(
        update(PlateWishRow)
        .where(
            col(PlateWishRow.camera_id) == camera_id,
            col(PlateWishRow.device_id) == device,
            col(PlateWishRow.number) >= report.number,
            col(PlateWishRow.answered_number) < report.number,
        )
        .values(answered_number=report.number, answered_at=now, outcome=report.outcome.value)
    )
    if wish.rowcount != 1:
        return False
    if report.picture is not None:
        _keep(connection, device=device, camera_id=camera_id, report=report, told=report.picture)
    return True


def _keep(
    connection: Connection, *, device: str, camera_id: int, report: PlateReport, told: PlatePicture
) -> None:
    tenant = select(col(PlateWishRow.tenant_id)).where(col(PlateWishRow.camera_id) == camera_id)
    connection.execute(delete(PlateRow).where(col(PlateRow.camera_id) == camera_id))
    connection.execute(
        insert(PlateRow).values(
            camera_id=camera_id,
            tenant_id=connection.execute(tenant).scalar_one(),
            device_id=device,
            number=report.number,
            taken_at=report.at,
            width_px=told.size[0],
            height_px=told.size[1],
            frame_width_px=told.frame_size[0],
            frame_height_px=told.frame_size[1],
            frames=told.frames,
            span_s=told.span_s,
            covered=told.covered,
            webp=told.content,
        )
    )
