"""Crossings → time headway and gap to the road user before, per line and direction."""

from __future__ import annotations

from common.geometry import Direction
from edge.measure.events import Crossing

LONGEST_HEADWAY_S = 300.0
"""Beyond this two vehicles do not follow one another (HCM: headways belong to a flow)."""


class MeasureHeadways:
    """Remember the last vehicle of each stream; people on foot have no headway.

    Time headway is front to front, in practice the same point of two successive vehicles
    passing one line (HCM 7th edition, chapter 4).
    """

    def __init__(self) -> None:
        self._last_s: dict[tuple[str, Direction], float] = {}

    def update(self, crossing: Crossing) -> float | None:
        """Headway of this crossing in seconds, or None for the first of a stream."""
        if not crossing.road_user.is_vehicle:
            return None
        stream = (crossing.section, crossing.direction)
        last_s = self._last_s.get(stream)
        if last_s is not None and crossing.at_s <= last_s - LONGEST_HEADWAY_S:
            last_s = None  # the stream clock began again
        if last_s is None or crossing.at_s > last_s:
            self._last_s[stream] = crossing.at_s
        if last_s is None or not 0 < crossing.at_s - last_s <= LONGEST_HEADWAY_S:
            return None
        return crossing.at_s - last_s
