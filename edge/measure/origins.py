"""The first points of a track → the line it must have crossed while it was hidden."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from common.geometry import Direction, Point
from common.road_users import RoadUser
from edge.measure.counting_lines import Cut
from edge.measure.foot import FootPath, FootPoint, velocity_px
from edge.measure.line_watch import LineWatch

LONGEST_BACK_S = 0.4
"""A vehicle is followed back this far: a car's length in town, so hardly from anywhere else."""

# Something that was hidden and comes out is plain to see. What only flickers was not hidden; it
# was not found, or is not there at all.
_LEAST_SCORE = 0.4
_FEWEST_POINTS = 4
_SHORTEST_S = 0.25
_LONGEST_S = 0.6
_FARTHEST_EXTENTS = 4.0
_TRAVEL_DEPTHS = 1.5
_LARGEST_RESIDUAL_SHARE = 0.25
_LARGEST_GROWTH_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether more points are needed, and the cut that was found."""

    is_open: bool
    cut: Cut | None = None


def cut_before_birth(watch: LineWatch, path: FootPath, *, is_over: bool) -> Verdict:
    """Judge whether a track that began beyond a line came over it a moment before.

    A vehicle that something hid at the line is first seen just beyond it, already moving
    away. A parked one that drives off is still slow at its first points, and a person may
    have stepped out from anywhere: neither counts.

    Args:
        watch: The track's record at the line.
        path: The track's points.
        is_over: True when no further point will come.
    """
    first, last = path.first, path.last
    if first is None or not watch.has_one_side or last.road_user is RoadUser.PERSON:
        return Verdict(is_open=False)
    line, side = watch.line, watch.home
    if abs(line.distance(*first.raw)) > _FARTHEST_EXTENTS * line.extent(first):
        return Verdict(is_open=False)
    seen_s = last.at_s - first.at_s
    is_ready = seen_s >= _SHORTEST_S and len(path.points) >= _FEWEST_POINTS
    if not is_ready:
        return Verdict(is_open=not is_over)
    points = [p for p in path.points if p.at_s <= first.at_s + _LONGEST_S]
    if sum(p.score for p in points) < _LEAST_SCORE * len(points):
        return Verdict(is_open=False)
    velocity = velocity_px(points)
    speed = side * (line.nx * velocity.x + line.ny * velocity.y)
    if speed <= 0 or not _is_steady(watch, points, speed):
        return Verdict(is_open=False)
    return Verdict(is_open=False, cut=_back_to_line(watch, points, velocity))


def _is_steady(watch: LineWatch, points: list[FootPoint], speed: float) -> bool:
    line, side = watch.line, watch.home
    depths = [side * line.distance(*p.raw) for p in points]
    travel = depths[-1] - depths[0]
    growth = abs(line.extent(points[-1]) - line.extent(points[0]))
    middle_s = sum(p.at_s for p in points) / len(points)
    middle = sum(depths) / len(depths)
    residual = max(
        abs(depth - middle - speed * (p.at_s - middle_s))
        for depth, p in zip(depths, points, strict=True)
    )
    return (
        travel >= _TRAVEL_DEPTHS * line.depth(points[-1])
        and growth <= _LARGEST_GROWTH_SHARE * travel
        and residual <= _LARGEST_RESIDUAL_SHARE * travel
    )


def _back_to_line(watch: LineWatch, points: list[FootPoint], velocity: Point) -> Cut | None:
    line, side, first = watch.line, watch.home, points[0]
    speed = side * (line.nx * velocity.x + line.ny * velocity.y)
    back_s = side * line.distance(*first.raw) / speed
    foot = Point(first.raw.x - velocity.x * back_s, first.raw.y - velocity.y * back_s)
    if back_s > LONGEST_BACK_S or line.overshoot(foot) > 0:
        return None
    return Cut(
        direction=Direction.RIGHT if side > 0 else Direction.LEFT,
        at_s=first.at_s - back_s,
        at=first.at - timedelta(seconds=back_s),
        foot=foot,
        width=first.width,
        height=first.height,
        is_inferred=True,
    )
