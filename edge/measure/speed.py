"""Foot points on the ground plane → speeds with their error, or the reason for none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, sqrt
from types import MappingProxyType

import numpy as np

from common.geometry import GroundPlane, Point
from common.road_users import RoadUser
from edge.measure.events import Speed, Withheld
from edge.measure.foot import FootPath, FootPoint

KMH_PER_MPS = 3.6
WINDOW_S = 0.5

FASTEST_KMH = MappingProxyType(
    {
        RoadUser.PERSON: 40.0,
        RoadUser.BICYCLE: 90.0,
        RoadUser.CAR: 280.0,
        RoadUser.MOTORCYCLE: 300.0,
        RoadUser.BUS: 160.0,
        RoadUser.TRUCK: 160.0,
    }
)
"""Beyond these it was the tracker or the calibration that moved, not the road user."""

_FEWEST_POINTS = 4
_SHORTEST_S = 0.2
# One sigma of a box edge: a share of the box and the least that a pixel grid allows.
_NOISE_SHARE = 0.02
_NOISE_FLOOR_PX = 0.5
# Tracked boxes are smoothed, so neighbours share their error: about three points carry the
# information of one.
_POINTS_PER_INDEPENDENT = 3.0
_LARGEST_ERROR_SHARE = 0.3
_LARGEST_ERROR_KMH = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedSample:
    """Mean ground speed of one road user between two lines.

    Attributes:
        distance_m: Ground distance between the two cuts, metres, above zero.
        elapsed_s: Time between them, seconds, above zero.
        distance_error_m: One sigma of the distance, metres.
        elapsed_error_s: One sigma of the time, seconds.
    """

    distance_m: float
    elapsed_s: float
    distance_error_m: float = 0.0
    elapsed_error_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a sample without travel or time."""
        if self.distance_m <= 0 or self.elapsed_s <= 0:
            raise ValueError(f"no speed from {self.distance_m} m in {self.elapsed_s} s")

    @property
    def speed_kmh(self) -> float:
        """Mean speed in kilometres per hour."""
        return self.distance_m / self.elapsed_s * KMH_PER_MPS

    @property
    def error_kmh(self) -> float:
        """One sigma of the speed by first-order propagation (JCGM 100:2008, 5.1.2)."""
        return self.speed_kmh * hypot(
            self.distance_error_m / self.distance_m, self.elapsed_error_s / self.elapsed_s
        )


def spot_speed(
    path: FootPath, at_s: float, plane: GroundPlane
) -> tuple[Speed | None, Withheld | None]:
    """Speed over the ground at ``at_s``, by least squares over the points within half a second.

    Args:
        path: The road user's points.
        at_s: Moment of the crossing on the stream clock, seconds.
        plane: Pixels to metres.

    Returns:
        The speed and None, or None and why it is withheld.
    """
    points = [p for p in path.points if abs(p.at_s - at_s) <= WINDOW_S]
    if len(points) < _FEWEST_POINTS or points[-1].at_s - points[0].at_s < _SHORTEST_S:
        return None, Withheld.TOO_FEW_POINTS
    feet = [on_ground(plane, p.raw) for p in points]
    if any(foot is None for foot in feet):
        return None, Withheld.IMPOSSIBLE
    ground = np.asarray(feet, dtype=np.float64)
    times = np.asarray([p.at_s for p in points]) - at_s
    times -= times.mean()
    spread = float(times @ times)
    velocity = times @ ground / spread
    error_m = _foot_error_m(plane, points)
    independent = max(len(points) / _POINTS_PER_INDEPENDENT, 2.0)
    random_mps = error_m / sqrt(spread / len(points) * independent)
    # Both ends of the way may be off by what the calibration leaves unexplained.
    systematic_mps = sqrt(2) * plane.residual_m / (points[-1].at_s - points[0].at_s)
    return judge(
        Speed(
            kmh=float(np.hypot(*velocity)) * KMH_PER_MPS,
            error_kmh=hypot(random_mps, systematic_mps) * KMH_PER_MPS,
        ),
        path.last.road_user,
    )


def section_speed(
    start: tuple[Point, float], end: tuple[Point, float], plane: GroundPlane, *, error_px: float
) -> SpeedSample | None:
    """Mean speed between two cuts, each a foot in pixels and a stream time in seconds.

    Returns:
        The sample, or None when the cuts coincide or a foot has no place on the ground.
    """
    (from_px, from_s), (to_px, to_s) = start, end
    from_m, to_m = on_ground(plane, from_px), on_ground(plane, to_px)
    if from_m is None or to_m is None or to_s <= from_s or from_m == to_m:
        return None
    errors = [error_px * max(plane.metres_per_px(foot)) for foot in (from_px, to_px)]
    return SpeedSample(
        distance_m=hypot(to_m.x - from_m.x, to_m.y - from_m.y),
        elapsed_s=to_s - from_s,
        distance_error_m=hypot(*errors, sqrt(2) * plane.residual_m),
    )


def judge(speed: Speed, road_user: RoadUser) -> tuple[Speed | None, Withheld | None]:
    """Publish a speed only when it can be true and is known well enough."""
    if not np.isfinite(speed.kmh) or speed.kmh > FASTEST_KMH[road_user]:
        return None, Withheld.IMPOSSIBLE
    if speed.error_kmh > max(_LARGEST_ERROR_KMH, _LARGEST_ERROR_SHARE * speed.kmh):
        return None, Withheld.TOO_UNCERTAIN
    return speed, None


def on_ground(plane: GroundPlane, point_px: Point) -> Point | None:
    """Metres under an image point, or None for one at or above the horizon."""
    row = plane.matrix[2]
    # matrix[2, 2] is 1 at the image origin; the sign of the denominator tells the two sides
    # of the horizon apart, and the road is the side with the calibration points: the larger y.
    here = float(row[0] * point_px.x + row[1] * point_px.y + row[2])
    below = float(row[0] * point_px.x + row[1] * (point_px.y + 1e4) + row[2])
    if here * below <= 0:
        return None
    return plane.to_ground(point_px)


def _foot_error_m(plane: GroundPlane, points: Sequence[FootPoint]) -> float:
    middle = points[len(points) // 2]
    side_m, down_m = plane.metres_per_px(middle.raw)
    return hypot(
        side_m * max(_NOISE_FLOOR_PX, _NOISE_SHARE * middle.width),
        down_m * max(_NOISE_FLOOR_PX, _NOISE_SHARE * middle.height),
    )
