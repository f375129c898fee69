"""Pixels → sides of a line, insides of an area, and metres on the ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MIN_HOMOGRAPHY_POINTS = 4


class Direction(StrEnum):
    """The way a line p1→p2 is crossed, as seen by somebody walking from p1 to p2.

    ``right``: the road user moves to the walker's right-hand side, that is
    cross(p2-p1, p-p1) goes from negative to positive (y grows downwards).
    """

    RIGHT = "right"
    LEFT = "left"


class Point(NamedTuple):
    """A position; pixels (y down) or ground metres, as the name of the variable says."""

    x: float
    y: float


class Box(NamedTuple):
    """An upright rectangle in pixels, corners top-left and bottom-right."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def foot(self) -> Point:
        """Bottom centre: where the road user touches the ground, the counted point."""
        return Point((self.x1 + self.x2) / 2, self.y2)

    @property
    def centre(self) -> Point:
        """Middle of the box."""
        return Point((self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2)

    @property
    def width(self) -> float:
        """Horizontal extent."""
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        """Vertical extent."""
        return self.y2 - self.y1

    @property
    def area(self) -> float:
        """Width times height."""
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class Segment:
    """A directed line from ``start`` to ``end``; its walker looks from start to end."""

    start: Point
    end: Point

    def __post_init__(self) -> None:
        """Refuse a segment without a length."""
        if self.start == self.end:
            raise ValueError(f"a line needs two different points, both are {tuple(self.start)}")

    @property
    def length(self) -> float:
        """Distance from start to end."""
        return float(np.hypot(self.end.x - self.start.x, self.end.y - self.start.y))

    def signed_distance(self, point: Point) -> float:
        """Distance to the endless line through the segment; positive on the walker's right."""
        dx, dy = self.end.x - self.start.x, self.end.y - self.start.y
        cross = dx * (point.y - self.start.y) - dy * (point.x - self.start.x)
        return float(cross / np.hypot(dx, dy))

    def position(self, point: Point) -> float:
        """Foot of the perpendicular as a fraction: 0 at start, 1 at end."""
        dx, dy = self.end.x - self.start.x, self.end.y - self.start.y
        along = dx * (point.x - self.start.x) + dy * (point.y - self.start.y)
        return along / (dx * dx + dy * dy)


@dataclass(frozen=True, slots=True)
class Polygon:
    """A closed area; the last corner is joined to the first."""

    corners: tuple[Point, ...]

    def __post_init__(self) -> None:
        """Refuse an area without an inside."""
        if len(self.corners) < 3 or self.area == 0:
            raise ValueError(f"an area needs three corners not in line, got {self.corners}")

    @property
    def area(self) -> float:
        """Enclosed area by the shoelace formula."""
        following = (*self.corners[1:], self.corners[0])
        pairs = zip(self.corners, following, strict=True)
        return abs(sum(a.x * b.y - b.x * a.y for a, b in pairs)) / 2

    def contains(self, point: Point) -> bool:
        """True when ``point`` lies inside (even-odd rule)."""
        inside = False
        previous = self.corners[-1]
        for corner in self.corners:
            if (corner.y > point.y) != (previous.y > point.y):
                share = (point.y - corner.y) / (previous.y - corner.y)
                if point.x < corner.x + share * (previous.x - corner.x):
                    inside = not inside
            previous = corner
        return inside


@dataclass(frozen=True, slots=True, eq=False)
class GroundPlane:
    """A homography from image pixels to metres on the road surface.

    Attributes:
        matrix: Shape (3, 3), float64, maps homogeneous pixels to homogeneous metres; as
            fitted, the third coordinate is positive below the horizon.
        residual_m: Root mean square distance between the fitted and the surveyed points.
    """

    matrix: NDArray[np.float64]
    residual_m: float

    @classmethod
    def fit(cls, points_px: Sequence[Point], points_m: Sequence[Point]) -> GroundPlane:
        """Fit by the normalised direct linear transform (Hartley & Zisserman, §4.4).

        Raises:
            ValueError: Fewer than four pairs, unequal counts, points in one line, or
                pixels and metres in a different order.
        """
        if len(points_px) != len(points_m) or len(points_px) < MIN_HOMOGRAPHY_POINTS:
            raise ValueError(
                f"calibration has {len(points_px)} pixel and {len(points_m)} ground points, "
                f"expected the same number, {MIN_HOMOGRAPHY_POINTS} or more"
            )
        source, from_px = _normalised(np.asarray(points_px, dtype=np.float64))
        target, from_m = _normalised(np.asarray(points_m, dtype=np.float64))
        rows = []
        for (x, y), (u, v) in zip(source, target, strict=True):
            rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y, -u])
            rows.append([0, 0, 0, x, y, 1, -v * x, -v * y, -v])
        _, singular, vectors = np.linalg.svd(np.asarray(rows))
        if singular[7] < 1e-6 * singular[0]:
            raise ValueError(
                "calibration points lie in one line, expected them spread over an area"
            )
        matrix = np.linalg.inv(from_m) @ vectors[-1].reshape(3, 3) @ from_px
        depths = np.column_stack([np.asarray(points_px), np.ones(len(points_px))]) @ matrix[2]
        if depths.min() * depths.max() <= 0:
            raise ValueError(
                "calibration points put the horizon across the road, expected points_px and "
                "points_m in the same order, no three of four in one line"
            )
        # Not by matrix[2, 2]: that is zero when the horizon touches the frame's first pixel.
        plane = cls(matrix * (np.sign(depths[0]) / np.linalg.norm(matrix)), 0.0)
        offsets = [
            np.subtract(plane.to_ground(px), m) for px, m in zip(points_px, points_m, strict=True)
        ]
        return cls(plane.matrix, float(np.sqrt(np.mean(np.sum(np.square(offsets), axis=1)))))

    def to_ground(self, point_px: Point) -> Point:
        """Metres on the road under an image point."""
        x, y, w = self.matrix @ (point_px.x, point_px.y, 1.0)
        return Point(float(x / w), float(y / w))

    def metres_per_px(self, point_px: Point) -> tuple[float, float]:
        """Ground distance covered by one pixel sideways and one pixel down at ``point_px``."""
        here = self.to_ground(point_px)
        side = self.to_ground(Point(point_px.x + 1, point_px.y))
        down = self.to_ground(Point(point_px.x, point_px.y + 1))
        return (
            float(np.hypot(side.x - here.x, side.y - here.y)),
            float(np.hypot(down.x - here.x, down.y - here.y)),
        )


def _normalised(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    centre = points.mean(axis=0)
    spread = np.sqrt(((points - centre) ** 2).sum(axis=1)).mean()
    scale = np.sqrt(2) / spread if spread > 0 else 1.0
    transform = np.array(
        [[scale, 0, -scale * centre[0]], [0, scale, -scale * centre[1]], [0, 0, 1]]
    )
    return (points - centre) * scale, transform
