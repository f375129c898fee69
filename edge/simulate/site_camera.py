"""A scene → the site-file camera that fits it exactly: sections, flows, calibration."""

from __future__ import annotations

from common.geometry import Point
from common.site import Calibration, Camera, Flow, Section
from edge.simulate.config import LayoutKind, SceneConfig
from edge.simulate.layouts import build_layout

_SURVEY_M = {
    LayoutKind.ROAD: (
        (-5.0, 16.0),
        (5.0, 16.0),
        (5.0, 34.0),
        (-5.0, 34.0),
        (0.0, 24.0),
        (5.0, 60.0),
    ),
    LayoutKind.JUNCTION: (
        (-9.0, -3.5),
        (3.5, -9.0),
        (9.0, 3.5),
        (-3.5, 9.0),
        (0.0, 0.0),
        (3.5, 14.0),
        (14.0, -3.5),
    ),
}


def scene_camera(config: SceneConfig, *, camera_id: str = "simulated", source: str = "") -> Camera:
    """The camera with counting lines where the scene has them and surveyed points in metres."""
    layout = build_layout(config)
    view = layout.camera
    sections = tuple(
        Section(
            name=line.name,
            line=(
                _in_frame(view.pixel(line.start.x, line.start.y), config),
                _in_frame(view.pixel(line.end.x, line.end.y), config),
            ),
            use=line.use,
        )
        for line in layout.lines
    )
    flows = tuple(
        Flow.model_validate({"name": name, "from": start, "to": end, "movement": movement})
        for name, start, end, movement in layout.flows
    )
    surveyed = _SURVEY_M[config.layout]
    return Camera(
        id=camera_id,
        source=source,
        frame_size=(config.width_px, config.height_px),
        sections=sections,
        flows=flows,
        calibration=Calibration(
            points_px=tuple((p.x, p.y) for p in (view.pixel(e, n) for e, n in surveyed)),
            points_m=surveyed,
        ),
    )


def _in_frame(point: Point, config: SceneConfig) -> tuple[float, float]:
    """Tenths of a pixel, as a technician could type; an end outside is pulled to the edge."""
    x = min(max(round(point.x, 1), 0.0), float(config.width_px))
    y = min(max(round(point.y, 1), 0.0), float(config.height_px))
    return x, y
