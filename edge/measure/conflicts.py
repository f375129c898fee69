"""Paths in a carriageway area → pairs of road users that came close in time.

Post-encroachment time (Allen, Shin & Cooper, TRR 667, 1978): one road user leaves the
point where two paths cross, the other arrives. Paths of ground points cross at the same
place in the picture and on the road, so this needs no calibration. Time to collision
(Hayward, HRR 384, 1972): the time left if both keep course and speed; it needs metres.
Limits after FHWA-RD-03-050: PET 5 s and TTC 1.5 s open the list of conflicts.

Both are taken between counted points, not between bumpers: a vehicle's length at its
speed, some tenths of a second, is not in them.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from math import hypot, inf, sqrt

from common.geometry import GroundPlane, Point
from common.road_users import RoadUser
from common.site import Use
from edge.measure.areas import WatchArea
from edge.measure.events import Conflict, ConflictKind
from edge.measure.speed import on_ground
from edge.track.tracks import TrackedFrame, TrackPoint

PET_LIMIT_S = 5.0
TTC_LIMIT_S = 1.5

_STEP_S = 0.2
_KEPT_STEPS = 32
# Paths that meet flatter than this follow or merge; only crossing ones encroach.
_LEAST_SINE = 0.35
_LEAST_STEP_SHARE = 0.1
_LEAST_CLOSING_MPS = 2.0
_STANDS_AFTER_S = 0.5
_SURE_STEPS = 3
# Half the width that a road user fills, metres.
_HALF_WIDTH_M = {RoadUser.PERSON: 0.3, RoadUser.BICYCLE: 0.4, RoadUser.MOTORCYCLE: 0.5}
_HALF_WIDTH_VEHICLE_M = 1.0
_MOST_PAIRS = 1024


@dataclass(slots=True)
class _Step:
    at_s: float
    at: datetime
    foot: Point
    ground: Point | None


@dataclass(slots=True)
class _Trace:
    """Steps of one road user, five a second, oldest first."""

    road_user: RoadUser
    steps: deque[_Step] = field(default_factory=lambda: deque(maxlen=_KEPT_STEPS))


@dataclass(slots=True)
class _Approach:
    """Two road users on a collision course."""

    least: Conflict
    steps: int = 1


class FindConflicts:
    """Report each pair of road users once per measure."""

    def __init__(self, areas: Sequence[WatchArea], plane: GroundPlane | None = None) -> None:
        self._areas = [a for a in areas if a.section.use is Use.CARRIAGEWAY]
        self._plane = plane
        self._traces: dict[int, _Trace] = {}
        self._approaches: dict[tuple[int, int], _Approach] = {}
        self._reported: OrderedDict[tuple[ConflictKind, int, int], None] = OrderedDict()
        self._stepped_s = -inf

    def update(self, frame: TrackedFrame) -> list[Conflict]:
        """Take one frame; return the conflicts that became certain."""
        if not self._areas:
            return []
        for track_id in frame.ended:
            self._traces.pop(track_id, None)
        if 0 <= frame.captured_s - self._stepped_s < _STEP_S:
            return []
        self._stepped_s = frame.captured_s
        conflicts = []
        newest = {point.track_id: point for point in frame.points}
        for point in newest.values():
            if any(area.contains(point.box_px.foot) for area in self._areas):
                conflicts += self._walk(point)
        if self._plane is not None:
            conflicts += self._look_ahead(list(newest), frame.captured_s)
        self._forget(frame.captured_s)
        return conflicts

    def finish(self) -> list[Conflict]:
        """The stream is over; return the approaches that were certain already."""
        found = []
        for pair, approach in self._approaches.items():
            found += self._settle(pair, approach)
        self._approaches.clear()
        return found

    def _walk(self, point: TrackPoint) -> list[Conflict]:
        trace = self._traces.setdefault(point.track_id, _Trace(point.road_user))
        trace.road_user = point.road_user
        foot = point.box_px.foot
        last = trace.steps[-1] if trace.steps else None
        if last is not None:
            moved = hypot(foot.x - last.foot.x, foot.y - last.foot.y)
            if point.at_s > last.at_s and moved < _LEAST_STEP_SHARE * point.box_px.height:
                # Noise of somebody who stands draws no path; the place is kept fresh.
                return []
        ground = on_ground(self._plane, foot) if self._plane else None
        step = _Step(point.at_s, point.at, foot, ground)
        trace.steps.append(step)
        if last is None or step.at_s <= last.at_s:
            return []
        found = []
        for other_id, other in self._traces.items():
            if other_id != point.track_id:
                found += self._encroach((point.track_id, last, step), other_id, other)
        return found

    def _encroach(
        self, mover: tuple[int, _Step, _Step], other_id: int, other: _Trace
    ) -> list[Conflict]:
        track_id, last, step = mover
        key = (ConflictKind.PET, min(track_id, other_id), max(track_id, other_id))
        if key in self._reported:
            return []
        before = None
        for after in other.steps:
            if before is not None and after.at_s >= step.at_s - PET_LIMIT_S:
                met = _meeting((last, step), (before, after))
                if met is not None and 0 <= met[0] - met[1] <= PET_LIMIT_S:
                    self._note(key)
                    earlier, later = (other_id, other), (track_id, self._traces[track_id])
                    return [_conflict(ConflictKind.PET, met[0] - met[1], (earlier, later), step)]
            before = after
        return []

    def _look_ahead(self, ids: Sequence[int], now_s: float) -> list[Conflict]:
        found = []
        moving = [(i, self._traces[i]) for i in ids if i in self._traces]
        for (a_id, a), (b_id, b) in combinations(moving, 2):
            pair = (min(a_id, b_id), max(a_id, b_id))
            ttc_s = _time_to_collision(a, b, now_s)
            approach = self._approaches.get(pair)
            if ttc_s is None or ttc_s > TTC_LIMIT_S:
                if approach is not None:
                    found += self._settle(pair, self._approaches.pop(pair))
                continue
            seen = _conflict(ConflictKind.TTC, ttc_s, ((a_id, a), (b_id, b)), a.steps[-1])
            if approach is None:
                self._approaches[pair] = _Approach(seen)
            else:
                approach.steps += 1
                if seen.value_s < approach.least.value_s:
                    approach.least = seen
        return found

    def _settle(self, pair: tuple[int, int], approach: _Approach) -> list[Conflict]:
        key = (ConflictKind.TTC, *pair)
        if approach.steps < _SURE_STEPS or key in self._reported:
            return []
        self._note(key)
        return [approach.least]

    def _note(self, key: tuple[ConflictKind, int, int]) -> None:
        self._reported[key] = None
        if len(self._reported) > _MOST_PAIRS:
            self._reported.popitem(last=False)

    def _forget(self, now_s: float) -> None:
        for track_id in [
            i for i, t in self._traces.items() if abs(now_s - t.steps[-1].at_s) > 2 * PET_LIMIT_S
        ]:
            del self._traces[track_id]
        self._approaches = {
            pair: approach
            for pair, approach in self._approaches.items()
            if pair[0] in self._traces and pair[1] in self._traces
        }


def _conflict(
    kind: ConflictKind,
    value_s: float,
    pair: tuple[tuple[int, _Trace], tuple[int, _Trace]],
    step: _Step,
) -> Conflict:
    (first_id, first), (second_id, second) = pair
    return Conflict(
        kind=kind,
        value_s=value_s,
        road_users=(first.road_user, second.road_user),
        track_ids=(first_id, second_id),
        at_s=step.at_s,
        at=step.at,
    )


def _meeting(way: tuple[_Step, _Step], other: tuple[_Step, _Step]) -> tuple[float, float] | None:
    """Moments at which each of two ways passes the point where they cross."""
    (p, p2), (q, q2) = way, other
    rx, ry = p2.foot.x - p.foot.x, p2.foot.y - p.foot.y
    sx, sy = q2.foot.x - q.foot.x, q2.foot.y - q.foot.y
    cross = rx * sy - ry * sx
    if abs(cross) < _LEAST_SINE * hypot(rx, ry) * hypot(sx, sy) or cross == 0:
        return None
    dx, dy = q.foot.x - p.foot.x, q.foot.y - p.foot.y
    share, other_share = (dx * sy - dy * sx) / cross, (dx * ry - dy * rx) / cross
    if not (0 <= share <= 1 and 0 <= other_share <= 1):
        return None
    return p.at_s + share * (p2.at_s - p.at_s), q.at_s + other_share * (q2.at_s - q.at_s)


def _time_to_collision(a: _Trace, b: _Trace, now_s: float) -> float | None:
    """Seconds until two discs touch when both keep their velocity; None when they never do."""
    state_a, state_b = _state(a, now_s), _state(b, now_s)
    if state_a is None or state_b is None:
        return None
    (ax, ay, avx, avy), (bx, by, bvx, bvy) = state_a, state_b
    x, y, vx, vy = bx - ax, by - ay, bvx - avx, bvy - avy
    reach = _half_width_m(a) + _half_width_m(b)
    closing = x * vx + y * vy
    gap = x * x + y * y - reach * reach
    speed2 = vx * vx + vy * vy
    if closing >= 0 or gap <= 0 or sqrt(speed2) < _LEAST_CLOSING_MPS:
        return None
    root = closing * closing - speed2 * gap
    return None if root < 0 else (-closing - sqrt(root)) / speed2


def _state(trace: _Trace, now_s: float) -> tuple[float, float, float, float] | None:
    # Velocity over the last 0.6 s: the noise of one foot point is too large for less.
    new, old = trace.steps[-1], trace.steps[max(-4, -len(trace.steps))]
    if new.ground is None or old.ground is None:
        return None
    if now_s - new.at_s > _STANDS_AFTER_S:
        return (new.ground.x, new.ground.y, 0.0, 0.0)
    elapsed_s = new.at_s - old.at_s
    if elapsed_s <= 0:
        return None
    velocity = (new.ground.x - old.ground.x) / elapsed_s, (new.ground.y - old.ground.y) / elapsed_s
    return (new.ground.x, new.ground.y, *velocity)


def _half_width_m(trace: _Trace) -> float:
    return _HALF_WIDTH_M.get(trace.road_user, _HALF_WIDTH_VEHICLE_M)
