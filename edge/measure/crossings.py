"""Tracked frames → crossings: each road user once per line and passage."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from common.geometry import GroundPlane
from common.site import Section
from edge.measure.counting_lines import CountingLine, Cut
from edge.measure.events import Crossing
from edge.measure.foot import FootPath
from edge.measure.identity import find_predecessor, is_attached, is_same_passage, is_seen_twice
from edge.measure.jolts import has_gone_on, was_jolted
from edge.measure.line_watch import LineWatch
from edge.measure.origins import cut_before_birth
from edge.measure.speed import spot_speed
from edge.track.tracks import TrackedFrame, TrackPoint

HOLD_S = 1.0
"""A crossing waits this long, so that its class and speed rest on both sides of the line."""

LATE_FRAME_S = 2.0
"""An older frame than the last is late up to this, and dropped; beyond it the clock stepped."""

FORGET_S = 60.0
"""A track without a point for so long is gone, even when nobody said so."""

_TWIN_S = 0.3
# Two vehicles cannot stand on one spot of a line within this time: at 50 km/h it is the length
# of a car and half a metre. Vehicles side by side are most of a width apart.
_SAME_SPOT_S = 0.4
_SAME_SPOT = 0.35
# A driver keeps a second and more to the one in front, hardly anybody less than this. Two
# tracks that follow closer and never come apart are the cab and the bed of one lorry.
_ATTACHED_S = 0.8
_DEPARTED_S = 2.0
_UNWATCHED_S = 2.0
_SWEEP_S = 1.0
_RECENT_CROSSINGS = 64


@dataclass(slots=True, eq=False)
class _Follower:
    """Everything remembered of one track; ``root_id`` is its first id when that changed."""

    root_id: int
    path: FootPath
    watches: list[LineWatch]
    is_newborn: bool = True
    has_successor: bool = False


@dataclass(slots=True, eq=False)
class _Held:
    """A certain crossing that waits for its class and speed; ``is_echo``: told already."""

    line: CountingLine
    cut: Cut
    follower: _Follower
    is_doubtful: bool = False
    is_echo: bool = False


class CountCrossings:
    """Emit a crossing when a track's foot point has changed its side of a line for good."""

    def __init__(
        self,
        sections: Iterable[Section],
        ground_plane: GroundPlane | None = None,
        *,
        frame_size: tuple[int, int] | None = None,
    ) -> None:
        """Watch the lines among ``sections``; areas are other modules' business.

        Args:
            sections: Lines and areas of one camera.
            ground_plane: For speeds.
            frame_size: Width and height of the picture: a box that its edge cuts off changes
                its shape without being hidden by anything.
        """
        self._lines = tuple(CountingLine(s, frame_size) for s in sections if s.segment is not None)
        self._ground_plane = ground_plane
        self._followers: dict[int, _Follower] = {}
        self._departed: dict[int, _Follower] = {}
        self._held: list[_Held] = []
        self._recent: deque[_Held] = deque(maxlen=_RECENT_CROSSINGS)
        self._now_s: float | None = None
        self._watching_since_s = 0.0
        self._swept_s = 0.0

    @property
    def followed(self) -> int:
        """Number of tracks in memory."""
        return len(self._followers) + len(self._departed)

    def path(self, track_id: int) -> FootPath | None:
        """Recent foot points of a track, or None when it is not followed."""
        follower = self._followers.get(track_id) or self._departed.get(track_id)
        return follower.path if follower else None

    def update(self, frame: TrackedFrame) -> list[Crossing]:
        """Take one frame; return the crossings that became certain and complete.

        A crossing's ``at_s`` lies before the frame: a second as a rule, longer when the road
        user stood on the line.
        """
        steps_back = self._now_s is not None and frame.captured_s <= self._now_s
        if steps_back and frame.captured_s >= (self._now_s or 0.0) - LATE_FRAME_S:
            self._end(frame.ended)
            return self._release(everything=False)
        if self._now_s is None or abs(frame.captured_s - self._now_s) > _UNWATCHED_S:
            self._watching_since_s = frame.captured_s
        self._now_s = frame.captured_s
        arriving: dict[int, list[TrackPoint]] = {}
        for point in frame.points:
            arriving.setdefault(point.track_id, []).append(point)
        for track_id, points in arriving.items():
            follower = self._followers.get(track_id) or self._begin(points, arriving)
            self._follow(follower, points, steps_back=steps_back)
        self._end(frame.ended)
        if not 0 <= frame.captured_s - self._swept_s < _SWEEP_S:
            self._sweep(frame.captured_s)
        return self._release(everything=steps_back)

    def finish(self) -> list[Crossing]:
        """The stream is over; return every crossing that is still open."""
        self._end(tuple(self._followers))
        self._departed.clear()
        released = self._release(everything=True)
        self._recent.clear()
        return released

    def _begin(self, points: Sequence[TrackPoint], arriving: Iterable[int]) -> _Follower:
        # Popped from the departed when an ended id comes back: then it carries on.
        track_id = points[0].track_id
        follower = self._departed.pop(track_id, None)
        if follower is None:
            follower = _Follower(track_id, FootPath(track_id), [])
            self._inherit(follower, points, set(arriving))
        self._followers[track_id] = follower
        return follower

    def _inherit(
        self, follower: _Follower, points: Sequence[TrackPoint], arriving: set[int]
    ) -> None:
        known = {**self._departed, **self._followers}
        idle = (f.path for i, f in known.items() if i not in arriving and not f.has_successor)
        predecessor = find_predecessor(points, idle)
        if predecessor is not None:
            known[predecessor].has_successor = True
            follower.watches = [copy.copy(watch) for watch in known[predecessor].watches]
            follower.root_id = known[predecessor].root_id
            follower.is_newborn = False

    def _follow(
        self, follower: _Follower, points: Sequence[TrackPoint], *, steps_back: bool
    ) -> None:
        path = follower.path
        follower.has_successor = False
        for point in points:
            last_s = path.last.at_s if path.points else None
            if last_s is not None and point.at_s <= last_s:
                if not steps_back or point.at_s >= last_s - LATE_FRAME_S:
                    continue
                path.points.clear()
            foot = path.add(point)
            if not follower.watches:
                follower.watches = [LineWatch(line, foot) for line in self._lines]
                continue
            for watch in follower.watches:
                cut = watch.step(foot)
                if cut is not None:
                    self._hold(watch.line, cut, follower)
        if follower.is_newborn:
            self._look_before_birth(follower, is_over=False)

    def _look_before_birth(self, follower: _Follower, *, is_over: bool) -> None:
        verdicts = [cut_before_birth(w, follower.path, is_over=is_over) for w in follower.watches]
        if any(verdict.is_open for verdict in verdicts):
            return
        follower.is_newborn = False
        for watch, verdict in zip(follower.watches, verdicts, strict=True):
            # Before the first frame nobody was hidden; nobody was watching.
            if verdict.cut is not None and verdict.cut.at_s >= self._watching_since_s:
                self._hold(watch.line, verdict.cut, follower)

    def _hold(self, line: CountingLine, cut: Cut, follower: _Follower) -> None:
        held = _Held(line, cut, follower)
        held.is_echo = any(_is_twin(held, other) for other in self._recent)
        if not held.is_echo:
            self._held.append(held)
        self._recent.append(held)

    def _end(self, ended: Iterable[int]) -> None:
        for track_id in ended:
            follower = self._followers.pop(track_id, None)
            if follower is None:
                continue
            self._departed[track_id] = follower
            if follower.has_successor:
                continue
            if follower.is_newborn:
                self._look_before_birth(follower, is_over=True)
            for watch in follower.watches:
                cut = watch.end(follower.path)
                if cut is not None:
                    self._hold(watch.line, cut, follower)

    def _sweep(self, now_s: float) -> None:
        self._swept_s = now_s
        silent = [i for i, f in self._followers.items() if abs(now_s - f.path.last.at_s) > FORGET_S]
        self._end(silent)
        for track_id in [
            i for i, f in self._departed.items() if abs(now_s - f.path.last.at_s) > _DEPARTED_S
        ]:
            del self._departed[track_id]

    def _release(self, *, everything: bool) -> list[Crossing]:
        if not self._held:
            return []
        now_s = self._now_s or 0.0
        waiting, ready = [], []
        for held in self._held:
            path = held.follower.path
            is_over = everything or path.track_id in self._departed
            if not is_over and now_s < held.cut.at_s + HOLD_S:
                waiting.append(held)
            elif held.is_doubtful or was_jolted(path, held.line, held.cut):
                # Nothing but a jolt is known yet; driving on would show that it was a passage.
                held.is_doubtful = True
                if has_gone_on(path, held.line, held.cut):
                    ready.append(held)
                elif not is_over:
                    waiting.append(held)
            else:
                ready.append(held)
        self._held = waiting
        ready.sort(key=lambda held: held.cut.at_s)
        return [self._crossing(held) for held in ready]

    def _crossing(self, held: _Held) -> Crossing:
        cut, path = held.cut, held.follower.path
        speed, withheld = None, None
        if self._ground_plane is not None:
            speed, withheld = spot_speed(path, cut.at_s, self._ground_plane)
        return Crossing(
            section=held.line.name,
            direction=cut.direction,
            road_user=path.last.road_user,
            track_id=held.follower.root_id,
            at_s=cut.at_s,
            at=cut.at,
            foot_px=cut.foot,
            speed=speed,
            speed_withheld=withheld,
            is_inferred=cut.is_inferred,
        )


def _is_twin(held: _Held, other: _Held) -> bool:
    """True when a crossing tells of a road user whose crossing is known already."""
    cut, rival = held.cut, other.cut
    if other.line is not held.line or rival.direction is not cut.direction:
        return False
    if other.follower is held.follower:
        return False
    apart_s, apart = abs(cut.at_s - rival.at_s), held.line.along(cut, rival)
    if other.follower.root_id == held.follower.root_id and apart <= _SAME_SPOT:
        # One road user whose boxes feed two ids in turn; each brings its own foot point.
        return apart_s <= _ATTACHED_S
    return not other.is_echo and _is_one_passage(held, other, apart_s=apart_s, apart=apart)


def _is_one_passage(held: _Held, other: _Held, *, apart_s: float, apart: float) -> bool:
    cut, rival = held.cut, other.cut
    if cut.is_inferred or rival.is_inferred:
        return is_same_passage(cut, rival)
    ours, theirs = held.follower.path, other.follower.path
    if apart_s <= _TWIN_S and is_seen_twice(ours, theirs):
        return True
    have_cabs = ours.last.road_user.has_cab and theirs.last.road_user.has_cab
    if not have_cabs or apart > _SAME_SPOT:
        return False
    return apart_s <= _SAME_SPOT_S or (apart_s <= _ATTACHED_S and is_attached(ours, theirs))
