"""Crossings → passages: a start section and then an end section by one road user."""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from common.geometry import GroundPlane
from common.site import Flow
from edge.measure.events import Crossing, FlowPassage, Speed
from edge.measure.speed import judge, section_speed

LONGEST_PASSAGE_S = 900.0
"""A road user that needs longer between two sections (parked, mostly) is a new one."""

_MOST_TRACKS = 2048
_MOST_CROSSINGS = 16
# A cut is placed to about this many pixels: half the noise of a foot averaged over the fit.
_CUT_ERROR_PX = 1.5


@dataclass(slots=True)
class _Trip:
    """Crossings of one track in time order, and which flows they completed already."""

    crossings: list[Crossing] = field(default_factory=list)
    done: set[tuple[str, float]] = field(default_factory=set)


class RecordFlows:
    """Emit a passage when a track has crossed both ends of a flow in their order."""

    def __init__(self, flows: Iterable[Flow], ground_plane: GroundPlane | None = None) -> None:
        self._flows = tuple(flows)
        self._ground_plane = ground_plane
        self._trips: OrderedDict[int, _Trip] = OrderedDict()

    def update(self, crossings: Sequence[Crossing]) -> list[FlowPassage]:
        """Take crossings in any order; return the passages they complete."""
        passages = []
        for crossing in crossings:
            trip = self._trips.setdefault(crossing.track_id, _Trip())
            self._trips.move_to_end(crossing.track_id)
            insort(trip.crossings, crossing, key=lambda c: c.at_s)
            newest_s = trip.crossings[-1].at_s
            while (
                len(trip.crossings) > _MOST_CROSSINGS
                or trip.crossings[0].at_s < newest_s - LONGEST_PASSAGE_S
            ):
                dropped = trip.crossings.pop(0)
                trip.done = {key for key in trip.done if key[1] != dropped.at_s}
            for flow in self._flows:
                passages += self._completed(flow, trip)
        while self._trips and self._is_over(next(iter(self._trips.values()))):
            self._trips.popitem(last=False)
        return passages

    def _is_over(self, oldest: _Trip) -> bool:
        """Nobody takes longer for a passage, and no scene holds more road users at once."""
        newest = next(reversed(self._trips.values()))
        idle_s = newest.crossings[-1].at_s - oldest.crossings[-1].at_s
        return idle_s > LONGEST_PASSAGE_S or len(self._trips) > _MOST_TRACKS

    def _completed(self, flow: Flow, trip: _Trip) -> list[FlowPassage]:
        passages = []
        start: Crossing | None = None
        for crossing in trip.crossings:
            if start is not None and _ends(flow, start, crossing):
                key = (flow.name, crossing.at_s)
                if key not in trip.done:
                    trip.done.add(key)
                    passages.append(self._passage(flow, start, crossing))
                start = None
            elif crossing.section == flow.start:
                start = crossing
        return passages

    def _passage(self, flow: Flow, start: Crossing, end: Crossing) -> FlowPassage:
        return FlowPassage(
            flow=flow.name,
            movement=flow.movement,
            road_user=end.road_user,
            track_id=end.track_id,
            entered_s=start.at_s,
            left_s=end.at_s,
            at=end.at,
            speed=self._speed(start, end),
        )

    def _speed(self, start: Crossing, end: Crossing) -> Speed | None:
        # A straight line between the cuts is the way only when the way is about straight:
        # a turning vehicle drives further than that, so only movements between different
        # sections get a speed, and it is a lower bound for turns.
        if self._ground_plane is None or start.section == end.section:
            return None
        sample = section_speed(
            (start.foot_px, start.at_s),
            (end.foot_px, end.at_s),
            self._ground_plane,
            error_px=_CUT_ERROR_PX,
        )
        if sample is None:
            return None
        speed, _ = judge(Speed(kmh=sample.speed_kmh, error_kmh=sample.error_kmh), end.road_user)
        return speed


def _ends(flow: Flow, start: Crossing, crossing: Crossing) -> bool:
    if crossing.section != flow.end or crossing.at_s <= start.at_s:
        return False
    # Over the same line and back: only the way back ends the flow.
    return flow.start != flow.end or crossing.direction is not start.direction
