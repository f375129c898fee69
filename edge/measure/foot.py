"""Track points → foot points: the smoothed bottom centre of each box, with its path."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from math import hypot, pi
from typing import NamedTuple

from common.geometry import Box, Point
from common.road_users import RoadUser
from edge.track.tracks import TrackPoint

PATH_POINTS = 160
"""Points kept per track: three seconds at fifty frames a second, however long it stays."""

PATH_S = 3.0

# One-euro filter (Casiez, Roussel, Vogel: "1 € filter", CHI 2012), in box heights instead of
# pixels so that near and far road users are smoothed alike. At rest it averages over 80 ms;
# at walking pace (0.8 heights a second) it lags by 45 ms, at driving pace by less than 15 ms.
_REST_CUTOFF_HZ = 2.0
_CUTOFF_PER_SPEED = 2.0
_SPEED_CUTOFF_HZ = 1.0


class FootPoint(NamedTuple):
    """Where one road user touched the ground at one moment.

    Attributes:
        at_s: Stream clock in seconds.
        at: The same moment as aware UTC.
        x: Smoothed foot, pixels.
        y: Smoothed foot, pixels.
        raw: Foot of the tracker's box, pixels.
        width: Box width in pixels, above zero.
        height: Box height in pixels, above zero.
        road_user: Class that the track's votes favoured at that moment.
        score: Confidence of the observation, in [0, 1].
    """

    at_s: float
    at: datetime
    x: float
    y: float
    raw: Point
    width: float
    height: float
    road_user: RoadUser
    score: float

    @property
    def box(self) -> Box:
        """The tracker's box again."""
        half = self.width / 2
        return Box(self.raw.x - half, self.raw.y - self.height, self.raw.x + half, self.raw.y)


class FootPath:
    """The recent foot points of one track; bounded however long the track lives."""

    __slots__ = ("_speed_x", "_speed_y", "first", "points", "track_id")

    def __init__(self, track_id: int) -> None:
        self.track_id = track_id
        self.points: deque[FootPoint] = deque(maxlen=PATH_POINTS)
        self.first: FootPoint | None = None
        self._speed_x = self._speed_y = 0.0

    @property
    def last(self) -> FootPoint:
        """The newest point.

        Raises:
            IndexError: No point was added yet.
        """
        return self.points[-1]

    def add(self, point: TrackPoint) -> FootPoint:
        """Smooth and keep one observation."""
        x1, y1, x2, y2 = point.box_px
        raw = Point((x1 + x2) / 2, y2)
        # A box without an extent would divide by zero; one pixel is the least that is seen.
        width, height = max(x2 - x1, 1.0), max(y2 - y1, 1.0)
        x, y = self._smoothed(point.at_s, raw, height)
        foot = FootPoint(
            point.at_s, point.at, x, y, raw, width, height, point.road_user, point.score
        )
        points = self.points
        points.append(foot)
        while points[0].at_s < point.at_s - PATH_S:
            points.popleft()
        if self.first is None:
            self.first = foot
        return foot

    def _smoothed(self, at_s: float, raw: Point, height: float) -> tuple[float, float]:
        if not self.points:
            return raw
        last = self.points[-1]
        step_s = at_s - last.at_s
        if step_s <= 0:
            return raw
        weight = step_s / (step_s + 1 / (2 * pi * _SPEED_CUTOFF_HZ))
        last_raw = last.raw
        self._speed_x += weight * ((raw.x - last_raw.x) / step_s - self._speed_x)
        self._speed_y += weight * ((raw.y - last_raw.y) / step_s - self._speed_y)
        speed = hypot(self._speed_x, self._speed_y) / height
        cutoff_hz = _REST_CUTOFF_HZ + _CUTOFF_PER_SPEED * speed
        weight = step_s / (step_s + 1 / (2 * pi * cutoff_hz))
        return last.x + weight * (raw.x - last.x), last.y + weight * (raw.y - last.y)

    def since(self, at_s: float) -> list[FootPoint]:
        """The points at or after ``at_s``, oldest first."""
        recent = []
        for point in reversed(self.points):
            if point.at_s < at_s:
                break
            recent.append(point)
        recent.reverse()
        return recent

    def at_time(self, at_s: float) -> Point:
        """Foot at ``at_s``: between two points, or straight on from the end of the path."""
        for before, after in pairwise(self.points):
            if before.at_s <= at_s <= after.at_s and after.at_s > before.at_s:
                share = (at_s - before.at_s) / (after.at_s - before.at_s)
                return Point(
                    before.raw.x + share * (after.raw.x - before.raw.x),
                    before.raw.y + share * (after.raw.y - before.raw.y),
                )
        velocity = velocity_px(self.since(self.last.at_s - 0.5))
        ahead_s = at_s - self.last.at_s
        return Point(self.last.raw.x + velocity.x * ahead_s, self.last.raw.y + velocity.y * ahead_s)


def velocity_px(points: Iterable[FootPoint]) -> Point:
    """Least-squares velocity of the raw feet in pixels per second; zero without two moments."""
    kept = list(points)
    if len(kept) < 2:
        return Point(0.0, 0.0)
    middle_s = sum(p.at_s for p in kept) / len(kept)
    spread = sum((p.at_s - middle_s) ** 2 for p in kept)
    if spread <= 0:
        return Point(0.0, 0.0)
    return Point(
        sum((p.at_s - middle_s) * p.raw.x for p in kept) / spread,
        sum((p.at_s - middle_s) * p.raw.y for p in kept) / spread,
    )
