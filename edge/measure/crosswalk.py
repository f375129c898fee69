"""Stays in a crosswalk area → walks across it."""

from __future__ import annotations

from math import hypot

from common.road_users import RoadUser
from common.site import Use
from edge.measure.areas import Visit, WatchArea

# Somebody who steps on the marking and back, or cuts a corner, does not cross the road. The
# marking is longer along the walk than across it, so half its longest side is past the middle.
_LEAST_SHARE = 0.5


def is_walk_across(area: WatchArea, visit: Visit) -> bool:
    """True when a person on foot went over more than half of a crosswalk."""
    if area.section.use is not Use.CROSSWALK or visit.road_user is not RoadUser.PERSON:
        return False
    start, end = visit.entered_at_px, visit.left_at_px
    return hypot(end.x - start.x, end.y - start.y) >= _LEAST_SHARE * area.reach_px
