"""Tracked frames → who is inside which area, since when, and who left it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from math import hypot

from common.geometry import Point
from common.road_users import RoadUser
from common.site import Section
from edge.track.tracks import TrackedFrame, TrackPoint

# A foot on the edge of an area must stay on one side this long before it is believed.
_SETTLING_S = 0.2
# Standing: the foot stays within a quarter of the box height, 0.4 m for a car, which noise
# does not leave, for as long as the caller asks.
_STANDING_REACH = 0.25
_FORGET_S = 60.0
_SWEEP_S = 5.0


@dataclass(slots=True, eq=False)
class Presence:
    """One track in one area, as known now.

    Attributes:
        track_id: Track.
        road_user: Newest class of the track.
        entered_s: Stream clock when it was first inside, seconds.
        entered_at_px: Foot at that moment.
        last_s: Stream clock of its newest point inside.
        last_at: The same moment as aware UTC.
        foot_px: Foot at its newest point inside.
        still_since_s: Since when the foot has not left its place.
        points: Number of points inside.
    """

    track_id: int
    road_user: RoadUser
    entered_s: float
    entered_at_px: Point
    last_s: float
    last_at: datetime
    foot_px: Point
    still_since_s: float
    still_at_px: Point
    points: int = 1
    outside_since_s: float | None = None

    def stood_s(self, now_s: float) -> float:
        """Seconds that it has not moved; grows while it is hidden."""
        return max(0.0, now_s - self.still_since_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A stay in an area that is over."""

    section: str
    track_id: int
    road_user: RoadUser
    entered_s: float
    left_s: float
    left_at: datetime
    entered_at_px: Point
    left_at_px: Point

    @property
    def dwell_s(self) -> float:
        """How long it stayed, seconds."""
        return self.left_s - self.entered_s


class WatchArea:
    """Presence in one area, with hysteresis in time at its edge."""

    def __init__(self, section: Section) -> None:
        """Prepare the geometry.

        Raises:
            ValueError: The section is a line.
        """
        polygon = section.area
        if polygon is None:
            raise ValueError(f"section {section.name!r} is a line, expected an area")
        self.section = section
        self._polygon = polygon
        xs, ys = zip(*polygon.corners, strict=True)
        self._left, self._right, self._top, self._bottom = min(xs), max(xs), min(ys), max(ys)
        self._present: dict[int, Presence] = {}
        self._swept_s = 0.0

    @property
    def name(self) -> str:
        """Name of the area."""
        return self.section.name

    @property
    def reach_px(self) -> float:
        """Length of the longest side, pixels."""
        corners = self._polygon.corners
        return max(
            hypot(a.x - b.x, a.y - b.y)
            for a, b in zip(corners, (*corners[1:], corners[0]), strict=True)
        )

    def contains(self, foot: Point) -> bool:
        """True when a foot point lies inside."""
        return (
            self._left <= foot.x <= self._right
            and self._top <= foot.y <= self._bottom
            and self._polygon.contains(foot)
        )

    def present(self) -> Iterator[Presence]:
        """Everybody inside now, hidden ones included until their track ends."""
        return (p for p in self._present.values() if p.outside_since_s is None)

    def presence(self, track_id: int) -> Presence | None:
        """One track's stay, or None when it is not inside."""
        return self._present.get(track_id)

    def update(self, frame: TrackedFrame) -> list[Visit]:
        """Take one frame; return the stays that ended."""
        visits = []
        for point in frame.points:
            foot = point.box_px.foot
            present = self._present.get(point.track_id)
            if not self.contains(foot):
                if present is not None and self._has_left(present, point.at_s):
                    visits.append(self._visit(self._present.pop(point.track_id)))
            elif present is None:
                self._present[point.track_id] = _arrival(point, foot)
            else:
                _stay(present, point, foot)
        for track_id in frame.ended:
            if track_id in self._present:
                visits.append(self._visit(self._present.pop(track_id)))
        if not 0 <= frame.captured_s - self._swept_s < _SWEEP_S:
            self._swept_s = frame.captured_s
            visits += self._forget(frame.captured_s)
        return visits

    def finish(self) -> list[Visit]:
        """The stream is over; every stay ends."""
        visits = [self._visit(present) for present in self._present.values()]
        self._present.clear()
        return visits

    @staticmethod
    def _has_left(present: Presence, at_s: float) -> bool:
        if present.outside_since_s is None:
            present.outside_since_s = at_s
        return not 0 <= at_s - present.outside_since_s < _SETTLING_S

    def _forget(self, now_s: float) -> list[Visit]:
        silent = [i for i, p in self._present.items() if abs(now_s - p.last_s) > _FORGET_S]
        return [self._visit(self._present.pop(i)) for i in silent]

    def _visit(self, present: Presence) -> Visit:
        return Visit(
            section=self.name,
            track_id=present.track_id,
            road_user=present.road_user,
            entered_s=present.entered_s,
            left_s=max(present.last_s, present.entered_s),
            left_at=present.last_at,
            entered_at_px=present.entered_at_px,
            left_at_px=present.foot_px,
        )


def watch_areas(sections: Iterable[Section]) -> tuple[WatchArea, ...]:
    """One watch for each area among the sections."""
    return tuple(WatchArea(section) for section in sections if section.polygon is not None)


def _arrival(point: TrackPoint, foot: Point) -> Presence:
    return Presence(
        track_id=point.track_id,
        road_user=point.road_user,
        entered_s=point.at_s,
        entered_at_px=foot,
        last_s=point.at_s,
        last_at=point.at,
        foot_px=foot,
        still_since_s=point.at_s,
        still_at_px=foot,
    )


def _stay(present: Presence, point: TrackPoint, foot: Point) -> None:
    present.outside_since_s = None
    if point.at_s < present.last_s - _FORGET_S:
        # The stream clock began again: durations do too.
        present.entered_s = present.still_since_s = point.at_s
    present.last_s, present.last_at, present.foot_px = point.at_s, point.at, foot
    present.road_user = point.road_user
    present.points += 1
    moved = hypot(foot.x - present.still_at_px.x, foot.y - present.still_at_px.y)
    if moved > _STANDING_REACH * point.box_px.height:
        present.still_since_s, present.still_at_px = point.at_s, foot
