"""A junction that a box told of, in a real database, with a box that answers as a test says."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete
from sqlmodel import col

from common.messages import CameraLayout, HealthReport
from common.plates import PlateOutcome, PlatePicture, PlateReport
from common.wire import ClockState
from coordinator.database import Database
from coordinator.fleet.tables import DeviceRow, SiteRow, TenantRow, TwinRow
from coordinator.ingest.fleet_store import add_health
from coordinator.plates.store import add_answer
from coordinator.traffic.tables import CameraRow, LayoutRow

TENANT, SITE, CAMERA, DEVICE = "springfield", "elm-and-main", "north", "elm-and-main-7kq2xa"
BASE = f"/sites/{SITE}/cameras/{CAMERA}"
LAYOUT: dict[str, Any] = {
    "camera": CAMERA,
    "frame_size": [1280, 720],
    "is_calibrated": False,
    "sections": [
        {"name": "north leg", "use": "traffic", "points_px": [[420, 300], [820, 300]]},
        {"name": "east leg", "use": "traffic", "points_px": [[980, 330], [1180, 560]]},
        {
            "name": "queue",
            "use": "approach",
            "is_area": True,
            "points_px": [[440, 420], [760, 420], [840, 640], [380, 640]],
        },
    ],
    "flows": [{"name": "N-E", "start": "north leg", "end": "east leg", "movement": "left"}],
}


class DrawnSite:
    """One site with one box and one camera, whose box told how it is drawn."""

    def __init__(self, database: Database, now: datetime) -> None:
        self.database = database
        self.now = now
        with database.session() as session:
            session.add(TenantRow(id=TENANT, name="Springfield", created_at=now))
            session.flush()
            site = SiteRow(
                tenant_id=TENANT, slug=SITE, name="Elm & Main", timezone="UTC", created_at=now
            )
            session.add(site)
            session.flush()
            site_id = site.id or 0
            session.add(
                DeviceRow(
                    id=DEVICE, tenant_id=TENANT, site_id=site_id, state="enrolled", enrolled_at=now
                )
            )
        self._site_id = site_id
        self.camera_id = self.add_camera(CAMERA, LAYOUT)

    def add_camera(self, slug: str, layout: dict[str, Any]) -> int:
        """Another camera of the same box."""
        with self.database.session() as session:
            camera = CameraRow(
                tenant_id=TENANT, site_id=self._site_id, slug=slug, created_at=self.now
            )
            session.add(camera)
            session.flush()
            number = camera.id or 0
        self.tell_layout(layout, camera_id=number)
        return number

    def tell_layout(self, layout: dict[str, Any], *, camera_id: int | None = None) -> None:
        """The box counts with this from now on."""
        camera_id = camera_id or self.camera_id
        content = CameraLayout.model_validate(layout).model_dump(mode="json")
        with self.database.session() as session:
            session.execute(delete(LayoutRow).where(col(LayoutRow.camera_id) == camera_id))
            session.add(
                LayoutRow(
                    camera_id=camera_id,
                    valid_from=self.now,
                    tenant_id=TENANT,
                    content=content,
                )
            )

    def tell_health(self, **changes: Any) -> None:
        """The box tells how it is."""
        report = HealthReport(
            **{
                "at": self.now,
                "software": "0.1.0",
                "model": "its-yolo11n 1.0.0",
                "clock": ClockState.TRUSTED,
                "uptime_s": 60.0,
                "outbox_reports": 0,
                "outbox_bytes": 0,
                "disk_free_bytes": 1,
                "cameras": [{"camera": CAMERA, "state": "running"}],
                **changes,
            }
        )
        with self.database.session() as session:
            add_health(session.connection(), [(DEVICE, TENANT, report)])

    def answer_plate(self, number: int, outcome: PlateOutcome, webp: bytes = b"") -> bool:
        """The box answers a wish for a picture."""
        picture = (
            PlatePicture.of(webp, frame_size=(1280, 720), frames=21, span_s=60.0, covered=3)
            if webp
            else None
        )
        report = PlateReport(
            camera=CAMERA, number=number, at=self.now, outcome=outcome, picture=picture
        )
        with self.database.session() as session:
            return add_answer(
                session.connection(),
                device=DEVICE,
                camera_id=self.camera_id,
                report=report,
                now=self.now,
            )

    def twin(self) -> TwinRow | None:
        """What is wished of the box."""
        with self.database.session() as session:
            row = session.get(TwinRow, DEVICE)
            if row is not None:
                session.expunge(row)
            return row
