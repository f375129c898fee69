"""Two track ids → whether they are one road user, so that it is counted once.

The tracker keeps identities as well as it can. Where it fails exactly at a line, one
road user would be lost or counted twice; these rules judge by motion alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import hypot

from common.geometry import Box, Point
from common.road_users import RoadUser
from edge.measure.counting_lines import Cut
from edge.measure.foot import FootPath, FootPoint, velocity_px
from edge.track.tracks import TrackPoint

_LONGEST_GAP_S = 1.0
_LONGEST_OVERLAP_S = 0.3
# A prediction over a gap errs by the box noise plus a share of the way that was hidden.
_REACH_SIZES = 0.35
_REACH_SHARE_OF_WAY = 0.35
_LARGEST_RATIO = 1.7
_SLOWEST_HEADING = 0.5  # box heights a second; slower motion has no direction to compare
_LEAST_COSINE = 0.5
# Two detections of one vehicle overlap almost wholly; two vehicles side by side never do.
_TWIN_OVERLAP = 0.7
_TWIN_TIME_S = 0.02
_FEWEST_TOGETHER = 3
_TOUCH_SHARE = 0.1
_SAME_CUT_S = 0.7
_SAME_CUT_WIDTHS = 0.75


def find_predecessor(points: Sequence[TrackPoint], paths: Iterable[FootPath]) -> int | None:
    """The track that ``points``, the first of a new one, carry on under another id.

    Args:
        points: First points of the new track, oldest first, one or more.
        paths: Tracks that have no point in this frame.

    Returns:
        Id of the nearest track whose position, size, class and heading fit, or None.
    """
    first = points[0]
    best_id, best_miss = None, 1.0
    for path in paths:
        gap_s = first.at_s - path.last.at_s
        if not -_LONGEST_OVERLAP_S <= gap_s <= _LONGEST_GAP_S:
            continue
        if not _is_alike(first, path.last) or not _heads_alike(points, path):
            continue
        miss = _miss(first, path, gap_s)
        if miss < best_miss:
            best_id, best_miss = path.track_id, miss
    return best_id


def is_seen_twice(path: FootPath, other: FootPath) -> bool:
    """True when two tracks overlap so much, whenever both are seen, that they are one vehicle."""
    overlaps = [_overlap(a.box, b.box) for a, b in _together(path, other)]
    return bool(overlaps) and sum(overlaps) / len(overlaps) > _TWIN_OVERLAP


def is_attached(path: FootPath, other: FootPath) -> bool:
    """True when two tracks touch whenever both are seen, as the cab and the bed of one lorry do.

    Whenever, and not nearly always: two cars in dense traffic before a low camera came apart in
    one of 38 moments.
    """
    pairs = list(_together(path, other))
    return len(pairs) >= _FEWEST_TOGETHER and all(_touch(a.box, b.box) for a, b in pairs)


def _together(path: FootPath, other: FootPath) -> Iterator[tuple[FootPoint, FootPoint]]:
    """Points of two paths at the same moments."""
    theirs = iter(other.points)
    twin = next(theirs, None)
    for point in path.points:
        while twin is not None and twin.at_s < point.at_s - _TWIN_TIME_S:
            twin = next(theirs, None)
        if twin is None:
            return
        if twin.at_s <= point.at_s + _TWIN_TIME_S:
            yield point, twin


def _touch(a: Box, b: Box) -> bool:
    reach = _TOUCH_SHARE * min(a.height, b.height)
    return min(a.x2, b.x2) - max(a.x1, b.x1) > 0 and min(a.y2, b.y2) - max(a.y1, b.y1) > -reach


def is_same_passage(cut: Cut, other: Cut) -> bool:
    """True when two cuts of one line are too close in time and place for two road users."""
    apart_px = hypot(cut.foot.x - other.foot.x, cut.foot.y - other.foot.y)
    return abs(cut.at_s - other.at_s) <= _SAME_CUT_S and apart_px <= _SAME_CUT_WIDTHS * max(
        cut.width, other.width
    )


def _is_alike(first: TrackPoint, last: FootPoint) -> bool:
    box = first.box_px
    for now, before in ((box.width, last.width), (box.height, last.height)):
        if not before / _LARGEST_RATIO <= max(now, 1.0) <= before * _LARGEST_RATIO:
            return False
    return _kind(first.road_user) == _kind(last.road_user)


def _kind(road_user: RoadUser) -> str:
    # Lorry, bus and car are mistaken for each other; so are riders and people on foot.
    return "heavy" if road_user.is_motorised and not road_user.is_ridden else "light"


def _heads_alike(points: Sequence[TrackPoint], path: FootPath) -> bool:
    if len(points) < 3:
        return True
    elapsed_s = points[-1].at_s - points[0].at_s
    before = velocity_px(path.since(path.last.at_s - 0.5))
    start, end = points[0].box_px.foot, points[-1].box_px.foot
    if elapsed_s <= 0:
        return True
    now = Point((end.x - start.x) / elapsed_s, (end.y - start.y) / elapsed_s)
    speeds = hypot(*before), hypot(*now)
    if min(speeds) < _SLOWEST_HEADING * path.last.height:
        return True
    return before.x * now.x + before.y * now.y >= _LEAST_COSINE * speeds[0] * speeds[1]


def _miss(first: TrackPoint, path: FootPath, gap_s: float) -> float:
    # 1 at the edge of what may be the same road user, 0 where it was expected.
    expected, seen = path.at_time(first.at_s), first.box_px.foot
    way_px = hypot(*velocity_px(path.since(path.last.at_s - 0.5))) * max(gap_s, 0.0)
    size_px = (path.last.width + path.last.height) / 2
    reach_px = _REACH_SIZES * size_px + _REACH_SHARE_OF_WAY * way_px
    return hypot(seen.x - expected.x, seen.y - expected.y) / reach_px


def _overlap(a: Box, b: Box) -> float:
    width = min(a.x2, b.x2) - max(a.x1, b.x1)
    height = min(a.y2, b.y2) - max(a.y1, b.y1)
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (a.area + b.area - width * height)
