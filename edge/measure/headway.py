"""Crossings → time headway and gap to the road user before, per line and direction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from common.geometry import Direction
from common.road_users import RoadUser
from edge.measure.events import Crossing

LONGEST_HEADWAY_S = 300.0
"""Beyond this two vehicles do not follow one another (HCM: headways belong to a flow)."""

TYPICAL_LENGTH_M: Mapping[RoadUser, float] = MappingProxyType(
    {
        RoadUser.BICYCLE: 1.8,
        RoadUser.MOTORCYCLE: 2.2,
        RoadUser.CAR: 4.5,
        RoadUser.BUS: 12.0,
        RoadUser.TRUCK: 10.0,
    }
)
"""Design vehicle lengths (rounded from AASHTO Green Book 2018, table 2-4b, and European fleets)."""

_SLOWEST_MPS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Spacing:
    """How a vehicle follows the one before.

    Attributes:
        headway_s: Front to front, in practice the same point of two successive vehicles.
        gap_s: Rear to front: the headway without the time that the leader's own length takes,
            never below zero; None where the leader's speed is unknown.
    """

    headway_s: float
    gap_s: float | None = None


class MeasureHeadways:
    """Remember the last vehicle of each stream; people on foot have no headway.

    Headway and gap as in HCM 7th edition, chapter 4. A stream is one direction of one line:
    draw a line per lane where several lanes would mix.
    """

    def __init__(self) -> None:
        self._leaders: dict[tuple[str, Direction], Crossing] = {}

    def update(self, crossing: Crossing) -> Spacing | None:
        """Spacing of this crossing to its leader, or None for the first of a stream."""
        if not crossing.road_user.is_vehicle:
            return None
        stream = (crossing.section, crossing.direction)
        leader = self._leaders.get(stream)
        if leader is not None and crossing.at_s <= leader.at_s - LONGEST_HEADWAY_S:
            leader = None  # the stream clock began again
        if leader is None or crossing.at_s > leader.at_s:
            self._leaders[stream] = crossing
        if leader is None or not 0 < crossing.at_s - leader.at_s <= LONGEST_HEADWAY_S:
            return None
        headway_s = crossing.at_s - leader.at_s
        return Spacing(headway_s=headway_s, gap_s=_gap_s(leader, headway_s))


def _gap_s(leader: Crossing, headway_s: float) -> float | None:
    if leader.speed is None or leader.speed.kmh / 3.6 < _SLOWEST_MPS:
        return None
    return max(0.0, headway_s - TYPICAL_LENGTH_M[leader.road_user] / (leader.speed.kmh / 3.6))
