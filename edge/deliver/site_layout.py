"""Cameras of the site file → the layout that the coordinator is told, and its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime

from common.messages import CameraLayout, FlowLayout, SectionLayout, SiteReport
from common.site import Camera


def site_report(site: str, cameras: Iterable[Camera], *, valid_from: datetime) -> SiteReport:
    """What is counted where; sources, which may hold addresses, are not told."""
    return SiteReport(
        site=site, valid_from=valid_from, cameras=tuple(_layout(camera) for camera in cameras)
    )


def layout_digest(report: SiteReport) -> str:
    """SHA-256 in hex of everything but the moment."""
    return hashlib.sha256(report.model_dump_json(exclude={"valid_from"}).encode()).hexdigest()


def _layout(camera: Camera) -> CameraLayout:
    return CameraLayout(
        camera=camera.id,
        frame_size=camera.frame_size,
        is_calibrated=camera.calibration is not None,
        sections=tuple(
            SectionLayout(
                name=section.name,
                use=section.use,
                points_px=section.points,
                is_area=section.polygon is not None,
            )
            for section in camera.sections
        ),
        flows=tuple(
            FlowLayout(name=flow.name, start=flow.start, end=flow.end, movement=flow.movement)
            for flow in camera.flows
        ),
    )
