"""Movers with exact paths → the tracked frames a good tracker would hand on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

from common.geometry import Box
from common.road_users import RoadUser
from edge.track.tracks import TrackedFrame, TrackPoint

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

Xy = tuple[float, float]


def route(*stations: tuple[float, float, float]) -> Callable[[float], Xy]:
    """Straight and steady between stations (second, x, y); stands before and after them."""

    def where(at_s: float) -> Xy:
        if at_s <= stations[0][0]:
            return stations[0][1:]
        for (t0, x0, y0), (t1, x1, y1) in pairwise(stations):
            if at_s <= t1:
                share = (at_s - t0) / (t1 - t0)
                return x0 + share * (x1 - x0), y0 + share * (y1 - y0)
        return stations[-1][1:]

    return where


@dataclass(frozen=True, kw_only=True)
class Mover:
    """One road user and what the tracker makes of it.

    ``foot`` maps stream seconds to the bottom centre in pixels. ``hidden`` are intervals
    without a point. ``jitter`` is one sigma of each box edge as a share of the box; half of
    an edge's error stays from frame to frame, as it does behind a tracker's filter.
    """

    id: int
    foot: Callable[[float], Xy]
    size: Xy = (90.0, 60.0)
    road_user: RoadUser = RoadUser.CAR
    seen_s: tuple[float, float] = (0.0, 1e9)
    hidden: tuple[tuple[float, float], ...] = ()
    jitter: float = 0.02
    shape: Callable[[float], Xy] | None = None
    called: Callable[[float], RoadUser] | None = None

    def is_seen(self, at_s: float) -> bool:
        inside = self.seen_s[0] <= at_s <= self.seen_s[1]
        return inside and not any(a < at_s < b for a, b in self.hidden)


@dataclass
class Road:
    """Plays movers frame by frame; the same seed gives the same noise."""

    movers: Sequence[Mover]
    seed: int = 1
    camera_id: str = "cam"
    _random: Random = field(init=False)
    _errors: dict[int, list[float]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311  (noise, not a secret)

    def frames(self, times_s: Iterable[float]) -> list[TrackedFrame]:
        played = []
        ended: set[int] = set()
        for at_s in times_s:
            points = tuple(self._point(m, at_s) for m in self.movers if m.is_seen(at_s))
            gone = {m.id for m in self.movers if at_s > m.seen_s[1]} - ended
            ended |= gone
            played.append(
                TrackedFrame(
                    camera_id=self.camera_id,
                    captured_s=at_s,
                    captured_at=START + timedelta(seconds=at_s),
                    points=points,
                    ended=tuple(sorted(gone)),
                )
            )
        return played

    def _point(self, mover: Mover, at_s: float) -> TrackPoint:
        x, y = mover.foot(at_s)
        width, height = mover.shape(at_s) if mover.shape else mover.size
        errors = self._errors.setdefault(mover.id, [self._random.gauss(0, 1) for _ in range(4)])
        for i in range(4):
            errors[i] = 0.5 * errors[i] + 0.866 * self._random.gauss(0, 1)
        left, right = (mover.jitter * width * e for e in errors[:2])
        top, bottom = (mover.jitter * height * e for e in errors[2:])
        box = Box(x - width / 2 + left, y - height + top, x + width / 2 + right, y + bottom)
        return TrackPoint(
            track_id=mover.id,
            at_s=at_s,
            at=START + timedelta(seconds=at_s),
            box_px=box,
            road_user=mover.called(at_s) if mover.called else mover.road_user,
            score=0.8,
        )


def ticks(until_s: float, *, fps: float = 25.0, from_s: float = 0.0) -> list[float]:
    """Frame times from ``from_s`` up to ``until_s``."""
    return [from_s + i / fps for i in range(round((until_s - from_s) * fps))]
