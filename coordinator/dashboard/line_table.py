"""Counts of one day of a site → what every counting line saw, direction by direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from common.road_users import ROAD_USERS
from coordinator.traffic.views import CountsView, SceneView

_LINE = "line"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRow:
    """One line in one direction.

    Attributes:
        use: What the line is for, as it was drawn; None before the box told its layout.
        counts: Class by class as in ``ROAD_USERS``; None where there is no number.
        is_withheld: Small numbers are left out, so that the real ones are higher.
    """

    camera: str
    line: str
    direction: str
    use: str | None
    counts: Sequence[int | None]
    total: int | None
    is_withheld: bool


def lines_of(scene: SceneView, day: CountsView) -> list[LineRow]:
    """Lines in the order of cameras and names.

    Args:
        scene: Says what a line is for.
        day: Lines of one day, in one bin.
    """
    uses = {
        (camera.camera, one.name): one.use
        for camera in scene.cameras
        for one in camera.series
        if one.kind == _LINE
    }
    rows = [
        LineRow(
            camera=one.camera,
            line=one.name,
            direction=one.direction,
            use=uses.get((one.camera, one.name)),
            counts=[one.counts[user][0] for user in ROAD_USERS],
            total=one.total[0],
            is_withheld=one.withheld_share[0] > 0,
        )
        for one in day.series
        if one.kind == _LINE and day.starts
    ]
    return sorted(rows, key=lambda row: (row.camera, row.line, row.direction))
