"""Presence in an area → occupied time, queue and dwell of the minute."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from math import hypot

from common.geometry import GroundPlane
from edge.measure.areas import Presence, Visit, WatchArea
from edge.measure.speed import on_ground
from edge.measure.tally import AreaTally

QUEUED_AFTER_S = 2.0
"""A vehicle that has not moved for so long waits in a queue (HCM 7th edition, chapter 31: below
walking speed counts as stopped)."""


def queue(area: WatchArea, now_s: float) -> list[Presence]:
    """Vehicles that stand in the area now."""
    return [
        p for p in area.present() if p.road_user.is_vehicle and p.stood_s(now_s) >= QUEUED_AFTER_S
    ]


def queue_length_m(queued: Iterable[Presence], plane: GroundPlane) -> float | None:
    """Ground distance between the two feet farthest apart; None for a foot without a place."""
    feet = [on_ground(plane, presence.foot_px) for presence in queued]
    known = [foot for foot in feet if foot is not None]
    if len(known) < len(feet):
        return None
    return max((hypot(a.x - b.x, a.y - b.y) for a, b in combinations(known, 2)), default=0.0)


def tally_area(
    tally: AreaTally, area: WatchArea, *, now_s: float, watched_s: float, plane: GroundPlane | None
) -> None:
    """Add one frame, which stands for the ``watched_s`` seconds before it."""
    tally.watched_s += watched_s
    if any(presence.road_user.is_vehicle for presence in area.present()):
        tally.occupied_s += watched_s
    queued = queue(area, now_s)
    tally.queue_most = max(tally.queue_most, len(queued))
    if plane is not None:
        length_m = queue_length_m(queued, plane)
        if length_m is not None:
            tally.queue_most_m = max(tally.queue_most_m or 0.0, length_m)


def tally_visit(tally: AreaTally, visit: Visit, *, is_walk: bool) -> None:
    """Add a stay that ended in this minute; people and vehicles alike have a dwell."""
    tally.dwells_s.append(visit.dwell_s)
    tally.walks += is_walk
