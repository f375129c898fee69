"""Tracked frames → what each road user did around a moment, bounded in time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from common.geometry import Box
from common.road_users import RoadUser
from edge.track.tracks import TrackedFrame, TrackPoint

KEPT_S = 30.0
"""Points older than this are forgotten: twice the longest time a picture waits for its labels."""

SAME_MOMENT_S = 1e-3


@dataclass(slots=True)
class TrackLife:
    """One confirmed road user.

    Attributes:
        points: The newest ones, oldest first.
        first_s: Stream time of the very first point, also when it is forgotten.
        sightings: How many points there ever were.
        score_sum: Of all of them.
        best_score: Of all of them.
        votes: Class that the running vote favoured, frame by frame.
        is_over: No further point will come.
    """

    first_s: float
    points: list[TrackPoint] = field(default_factory=list)
    sightings: int = 0
    score_sum: float = 0.0
    best_score: float = 0.0
    votes: Counter[RoadUser] = field(default_factory=Counter)
    is_over: bool = False

    def add(self, point: TrackPoint) -> None:
        """Take the next point."""
        self.points.append(point)
        self.sightings += 1
        self.score_sum += point.score
        self.best_score = max(self.best_score, point.score)
        self.votes[point.road_user] += 1

    @property
    def last_s(self) -> float:
        """Stream time of the newest point."""
        return self.points[-1].at_s

    @property
    def life_s(self) -> float:
        """From the first point to the newest."""
        return self.last_s - self.first_s

    @property
    def mean_score(self) -> float:
        """How sure the detector was on average."""
        return self.score_sum / self.sightings

    @property
    def road_user(self) -> RoadUser:
        """The class that all votes favour; the newest running vote holds them all."""
        return self.points[-1].road_user

    @property
    def agreement(self) -> float:
        """Share of the frames in which the vote stood where it ended."""
        return self.votes[self.road_user] / self.sightings

    def around(self, at_s: float) -> tuple[TrackPoint | None, TrackPoint | None]:
        """The newest point at or before a moment, and the first one at or after it."""
        before = [point for point in self.points if point.at_s <= at_s + SAME_MOMENT_S]
        after = [point for point in self.points if point.at_s >= at_s - SAME_MOMENT_S]
        return (before[-1] if before else None), (after[0] if after else None)


class TrackHistories:
    """The road users of one camera, as far back as a picture may wait for its labels."""

    def __init__(self) -> None:
        self._lives: dict[int, TrackLife] = {}
        self._now_s = float("-inf")

    def update(self, tracked: TrackedFrame) -> None:
        """Take the next frame."""
        self._now_s = tracked.captured_s
        for point in tracked.points:
            life = self._lives.get(point.track_id)
            if life is None:
                life = self._lives[point.track_id] = TrackLife(first_s=point.at_s)
            life.add(point)
        for track_id in tracked.ended:
            if life := self._lives.get(track_id):
                life.is_over = True
        self._forget()

    def lives(self) -> Sequence[TrackLife]:
        """Everybody known, oldest track first."""
        return tuple(self._lives.values())

    def unseen(self) -> tuple[int, ...]:
        """Tracks that go on without a point in the newest frame: somebody was missed in it."""
        return tuple(
            track_id
            for track_id, life in self._lives.items()
            if not life.is_over and life.last_s < self._now_s - SAME_MOMENT_S
        )

    def are_settled(self, at_s: float) -> bool:
        """True when nothing later can change what is known of a moment."""
        return all(life.is_over or life.last_s > at_s + SAME_MOMENT_S for life in self.lives())

    def _forget(self) -> None:
        oldest_s = self._now_s - KEPT_S
        for track_id, life in list(self._lives.items()):
            if life.last_s < oldest_s:
                del self._lives[track_id]
            elif life.points[0].at_s < oldest_s - KEPT_S:
                # Twice as late as could be, half as often as every frame.
                life.points = [point for point in life.points if point.at_s >= oldest_s]


def between(before: TrackPoint, after: TrackPoint, at_s: float) -> Box:
    """The box at a moment between two points, in a straight line and evenly."""
    passed_s = after.at_s - before.at_s
    share = (at_s - before.at_s) / passed_s if passed_s > 0 else 0.0
    pairs = zip(before.box_px, after.box_px, strict=True)
    return Box(*(one + (other - one) * share for one, other in pairs))
