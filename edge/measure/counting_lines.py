"""A line section → distances, depths and cuts in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import hypot

from common.geometry import Direction, Point
from common.road_users import RoadUser
from common.site import Section
from edge.measure.foot import FootPoint

# Depth, as a share of the box's extent across the line, that noise does not reach. Detector
# edges jitter by 2-4 % of the box (one sigma), smoothing halves that: 12 % is four sigma
# or more.
_DEPTH_SHARE = 0.12
# A person goes on for at least two steps behind the line, 1.4 m: seen from a usual pole, at
# 15 degrees and more, that is a quarter of their height. Whoever walks along a line drifts less.
_DEPTH_SHARE_PERSON = 0.25
# A person's box is about 0.4 heights wide, and its centre sways with the stride, not the width.
_PERSON_WIDTH_PER_HEIGHT = 0.6
# Small boxes: the detector's grid and the video's blocks move an edge by a pixel at least.
_DEPTH_FLOOR_PX = 2.0
# A detector ends a cut-off box within a hundredth of the edge.
_EDGE_SHARE = 0.01


class CountingLine:
    """A line section with its normal worked out once."""

    __slots__ = (
        "_along_x",
        "_along_y",
        "_frame_size",
        "length",
        "name",
        "nx",
        "ny",
        "offset",
        "section",
        "start",
    )

    def __init__(self, section: Section, frame_size: tuple[int, int] | None = None) -> None:
        """Prepare the geometry.

        Args:
            section: A line.
            frame_size: Width and height of the picture, where they are known.

        Raises:
            ValueError: The section is an area.
        """
        segment = section.segment
        if segment is None:
            raise ValueError(f"section {section.name!r} is an area, expected a line")
        dx, dy = segment.end.x - segment.start.x, segment.end.y - segment.start.y
        self._frame_size = frame_size
        self.section = section
        self.name = section.name
        self.length = hypot(dx, dy)
        self.start = segment.start
        # distance(p) = cross(p2 - p1, p - p1) / length: positive on the walker's right.
        self.nx, self.ny = -dy / self.length, dx / self.length
        self.offset = -(self.nx * segment.start.x + self.ny * segment.start.y)
        self._along_x, self._along_y = dx / self.length, dy / self.length

    def distance(self, x: float, y: float) -> float:
        """Signed distance in pixels; positive on the right-hand side."""
        return self.nx * x + self.ny * y + self.offset

    def overshoot(self, point: Point) -> float:
        """How far ``point`` lies beyond the nearer end along the line; negative inside."""
        along = self._along_x * (point.x - self.start.x) + self._along_y * (point.y - self.start.y)
        return max(-along, along - self.length)

    def is_cut_off(self, point: FootPoint) -> bool:
        """True when the edge of the picture cuts the box, whose shape then says little."""
        if self._frame_size is None:
            return False
        width, height = self._frame_size
        margin_x, margin_y = _EDGE_SHARE * width, _EDGE_SHARE * height
        x1, y1, x2, y2 = point.box
        return x1 < margin_x or y1 < margin_y or x2 > width - margin_x or y2 > height - margin_y

    def along(self, cut: Cut, other: Cut) -> float:
        """How far apart two cuts are along the line, in extents of the smaller box along it."""
        apart = self._along_x * (cut.foot.x - other.foot.x)
        apart += self._along_y * (cut.foot.y - other.foot.y)
        extents = (
            abs(self._along_x) * one.width + abs(self._along_y) * one.height for one in (cut, other)
        )
        return abs(apart) / max(min(extents), 1.0)

    def extent(self, point: FootPoint) -> float:
        """Size of the box across the line, in pixels."""
        width = point.width
        if point.road_user is RoadUser.PERSON:
            width = max(width, _PERSON_WIDTH_PER_HEIGHT * point.height)
        return abs(self.nx) * width + abs(self.ny) * point.height

    def depth(self, point: FootPoint) -> float:
        """Distance from the line, in pixels, that noise does not reach."""
        share = _DEPTH_SHARE_PERSON if point.road_user is RoadUser.PERSON else _DEPTH_SHARE
        return max(_DEPTH_FLOOR_PX, share * self.extent(point))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One path over one line.

    Attributes:
        direction: Towards which hand.
        at_s: Interpolated stream clock, in seconds.
        at: The same moment as aware UTC.
        foot: Interpolated foot point, pixels.
        width: Width of the box there, pixels.
        height: Its height, pixels.
        is_inferred: True when no point was seen on the side it came from.
    """

    direction: Direction
    at_s: float
    at: datetime
    foot: Point
    width: float
    height: float
    is_inferred: bool = False
