"""One road user's foot points → its cuts of one line, with hysteresis.

A foot point is never steady: its noise is a few hundredths of the box, plus the gait
of people. So a road user has *settled* on a side only when it is deeper there than
noise can carry it, and a cut is a change of settled side. In between, its side is
open, and the moment of the cut is the one that splits the open time best.
"""

from __future__ import annotations

from datetime import timedelta
from math import inf

from common.geometry import Direction, Point
from common.road_users import RoadUser
from edge.measure.counting_lines import CountingLine, Cut
from edge.measure.foot import FootPath, FootPoint, velocity_px

_SETTLING_POINTS = 2  # one box that jumped for one frame does not settle
# A road user first seen beside the line has no depth there to show; it must travel further.
_UNSETTLED_TRAVEL = 1.5
# Standing just beyond the line counts when it is steady: nothing may fall back over the line
# for this long, and the mean depth must exceed the standard error of a second of noise.
_STANDING_S = 0.6
_STANDING_S_PERSON = 1.5
_STANDING_DEPTH_SHARE = 0.03
_STANDING_FLOOR_PX = 0.8
_STANDING_DISTORTED_SHARE = 0.3
# Foot points move without travel when something hides the lower part of a box: then the box
# changes its extent as much as its foot, and its proportions too. Driving towards the camera
# changes the extent as well, but keeps the proportions.
_SHRINK_SHARE = 0.5
_DISTORTION_SHARE = 0.5
_DISTORTION_NOISE = 0.1
_END_WINDOW_S = 0.5
_END_ADVANCE = 1.0
# The foot of a real path ends within noise of the segment's end, no further.
_END_TOLERANCE_SHARE = 0.1
_END_TOLERANCE_PX = 1.5
# Across a longer hole in time the moment of the cut is unknown; the far end is the honest one.
_BRIDGE_S = 5.0


class LineWatch:
    """What one track did at one line so far; constant memory.

    Attributes:
        line: The line.
        has_one_side: True while every point lay on the side where the track began.
        is_deep: True when it once stood deeper on its side than noise can carry it.
    """

    __slots__ = (
        "_balance_s",
        "_best_s",
        "_beyond_px_s",
        "_beyond_since_s",
        "_cut",
        "_deep_points",
        "_distorted_s",
        "_home",
        "_home_points",
        "_last",
        "_last_beyond",
        "_reference",
        "_reference_beyond",
        "has_one_side",
        "is_deep",
        "line",
    )

    def __init__(self, line: CountingLine, first: FootPoint) -> None:
        self.line = line
        distance = line.distance(first.x, first.y)
        self._home = 1 if distance > 0 else -1
        self.has_one_side = True
        self._home_points = 1
        self.is_deep = False
        self._last = self._reference = first
        self._last_beyond = self._reference_beyond = -abs(distance)
        self._cut: Cut | None = None
        self._balance_s, self._best_s = 0.0, inf
        self._deep_points = 0
        self._beyond_since_s: float | None = None
        self._beyond_px_s = self._distorted_s = 0.0

    @property
    def home(self) -> int:
        """Side it belongs to: 1 right, -1 left; only likely until it has settled."""
        return self._home

    def step(self, point: FootPoint) -> Cut | None:
        """Take the next foot point; return the cut that it makes certain."""
        line = self.line
        beyond = -self._home * (line.nx * point.x + line.ny * point.y + line.offset)
        if self._cut is None and self.is_deep and beyond < -point.width - point.height:
            # Most points of most tracks: far on its own side, where nothing is open.
            self._last = self._reference = point
            self._last_beyond = self._reference_beyond = beyond
            return None
        depth = line.depth(point)
        last, last_beyond = self._last, self._last_beyond
        self._last, self._last_beyond = point, beyond
        if beyond <= 0:
            self._balance_s -= max(0.0, point.at_s - last.at_s)
            self._deep_points, self._beyond_since_s, self._beyond_px_s = 0, None, 0.0
            if -beyond >= depth:
                self._settle(self._home, point, is_deep=True)
            elif self.has_one_side:
                # Not deep yet: what its first points have in common is where it came from.
                self._home_points += 1
                self._reference_beyond += (beyond - self._reference_beyond) / self._home_points
            return None
        self.has_one_side = False
        self._go_beyond(last, last_beyond, point)
        if self._is_distortion(beyond - self._reference_beyond):
            self._deep_points = 0
            self._distorted_s += max(0.0, point.at_s - last.at_s)
            return None
        self._deep_points = self._deep_points + 1 if beyond >= depth else 0
        if self._deep_points >= _SETTLING_POINTS and self._has_travelled(depth):
            return self._take_cut(is_deep=True)
        if self._deep_points == 0 and self._stands_beyond(depth):
            return self._take_cut(is_deep=False)
        return None

    def end(self, path: FootPath) -> Cut | None:
        """The track will get no further point; return the cut that its end makes certain.

        A road user that leaves the picture just behind the line never gets deep there. It
        counts when it was still on its way, with the travel that a deep one needs. Its last
        raw points are fitted, because the smoothed foot lags by some pixels.
        """
        last = self._last
        recent = path.since(last.at_s - _END_WINDOW_S)
        recent = recent if len(recent) > 2 else list(path.points)[-3:]
        velocity = velocity_px(recent)
        pace = -self._home * (self.line.nx * velocity.x + self.line.ny * velocity.y)
        middle_s = sum(p.at_s for p in recent) / len(recent)
        middle = -self._home * sum(self.line.distance(*p.raw) for p in recent) / len(recent)
        beyond = middle + pace * (last.at_s - middle_s)
        depth = self.line.depth(last)
        advanced = pace * (last.at_s - recent[0].at_s)
        if beyond <= 0 or (advanced < _END_ADVANCE * depth and self._deep_points == 0):
            return None
        if self._cut is None:
            self._cut = self._cut_before_end(last, velocity, beyond / pace if pace > 0 else 0.0)
        self._last_beyond = beyond
        if self._is_distortion(beyond - self._reference_beyond) or not self._has_travelled(depth):
            return None
        return self._take_cut(is_deep=beyond >= depth)

    def _cut_before_end(self, last: FootPoint, velocity: Point, back_s: float) -> Cut:
        return Cut(
            direction=Direction.RIGHT if self._home < 0 else Direction.LEFT,
            at_s=last.at_s - back_s,
            at=last.at - timedelta(seconds=back_s),
            foot=Point(last.raw.x - velocity.x * back_s, last.raw.y - velocity.y * back_s),
            width=last.width,
            height=last.height,
        )

    def _go_beyond(self, last: FootPoint, last_beyond: float, point: FootPoint) -> None:
        step_s = max(0.0, point.at_s - last.at_s)
        if last_beyond > 0:
            self._balance_s += step_s
            self._beyond_px_s += self._last_beyond * step_s
            return
        share = -last_beyond / (self._last_beyond - last_beyond)
        balance_s = self._balance_s - share * step_s
        if self._cut is None or balance_s <= self._best_s:
            self._best_s = balance_s
            self._cut = self._cut_between(last, point, share)
        self._balance_s = balance_s + (1 - share) * step_s
        self._beyond_since_s = point.at_s
        self._beyond_px_s = self._distorted_s = 0.0

    def _cut_between(self, last: FootPoint, point: FootPoint, share: float) -> Cut:
        step_s = point.at_s - last.at_s
        back_s = (1 - share) * step_s if 0 <= step_s <= _BRIDGE_S else 0.0
        return Cut(
            direction=Direction.RIGHT if self._home < 0 else Direction.LEFT,
            at_s=point.at_s - back_s,
            at=point.at - timedelta(seconds=back_s),
            foot=Point(last.x + share * (point.x - last.x), last.y + share * (point.y - last.y)),
            width=last.width + share * (point.width - last.width),
            height=last.height + share * (point.height - last.height),
        )

    def _has_travelled(self, depth: float) -> bool:
        travel = self._last_beyond - self._reference_beyond
        return self.is_deep or travel >= _UNSETTLED_TRAVEL * depth

    def _is_distortion(self, travel: float) -> bool:
        before, now = self._reference, self._last
        if self.line.is_cut_off(now):
            return False
        extent = self.line.extent(before)
        noise = _DISTORTION_NOISE * extent
        if abs(self.line.extent(now) - extent) <= _SHRINK_SHARE * travel + noise:
            return False
        wider, taller = now.width / before.width, now.height / before.height
        return abs(taller - wider) * extent > _DISTORTION_SHARE * travel + noise / 2

    def _stands_beyond(self, depth: float) -> bool:
        # A shallow stand may not follow a shallow stand: that would be noise around the line.
        if not self.is_deep or self._beyond_since_s is None:
            return False
        is_person = self._last.road_user is RoadUser.PERSON
        stood_s = self._last.at_s - self._beyond_since_s
        if stood_s < (_STANDING_S_PERSON if is_person else _STANDING_S):
            return False
        if self._distorted_s > _STANDING_DISTORTED_SHARE * stood_s:
            return False
        least = max(_STANDING_FLOOR_PX, _STANDING_DEPTH_SHARE * self.line.extent(self._last))
        return self._beyond_px_s / stood_s >= least and self._has_travelled(depth)

    def _take_cut(self, *, is_deep: bool) -> Cut | None:
        cut = self._cut
        self._settle(-self._home, self._last, is_deep=is_deep)
        self._last_beyond = -self._last_beyond
        self._reference_beyond = self._last_beyond
        if cut is None:
            return None
        tolerance = max(_END_TOLERANCE_PX, _END_TOLERANCE_SHARE * cut.width)
        return cut if self.line.overshoot(cut.foot) <= tolerance else None

    def _settle(self, side: int, point: FootPoint, *, is_deep: bool) -> None:
        self._home = side
        self.is_deep = is_deep
        self._reference, self._reference_beyond = point, self._last_beyond
        self._forget_excursion()

    def _forget_excursion(self) -> None:
        self._cut = None
        self._balance_s = 0.0
        self._best_s = inf
        self._deep_points = 0
        self._beyond_since_s = None
        self._beyond_px_s = self._distorted_s = 0.0
