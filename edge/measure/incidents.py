"""Presence and crossings → situations that somebody may want to look at."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from common.geometry import Direction
from common.road_users import RoadUser
from common.site import Section, Use
from edge.measure.areas import Presence, WatchArea
from edge.measure.events import Crossing, Incident, IncidentKind
from edge.track.tracks import TrackedFrame

_MOST_REPORTED = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentLimits:
    """When a situation is certain.

    Attributes:
        stopped_s: A vehicle stands on the carriageway this long, outside every approach.
        walking_s: A person is on the carriageway this long, outside every crosswalk.
        walking_points: And was seen there this often, so that no flicker is a person.
    """

    stopped_s: float = 20.0
    walking_s: float = 1.0
    walking_points: int = 5


class FindIncidents:
    """Report every situation once, when it is certain."""

    def __init__(
        self,
        sections: Iterable[Section],
        areas: Sequence[WatchArea],
        limits: IncidentLimits | None = None,
    ) -> None:
        self._limits = limits or IncidentLimits()
        self._carriageways = [a for a in areas if a.section.use is Use.CARRIAGEWAY]
        self._approaches = [a for a in areas if a.section.use is Use.APPROACH]
        self._crosswalks = [a for a in areas if a.section.use is Use.CROSSWALK]
        self._allowed: dict[str, Direction] = {
            section.name: section.allowed for section in sections if section.allowed is not None
        }
        self._reported: OrderedDict[tuple[IncidentKind, str, int], None] = OrderedDict()

    def update(self, frame: TrackedFrame, crossings: Iterable[Crossing]) -> list[Incident]:
        """Judge one frame; ``areas`` must have seen it already."""
        incidents = [self.wrong_way(crossing) for crossing in crossings]
        for area in self._carriageways:
            for presence in area.present():
                incidents.append(self._on_carriageway(area, presence, frame.captured_s))
        return [incident for incident in incidents if incident is not None]

    def wrong_way(self, crossing: Crossing) -> Incident | None:
        """The incident that a crossing is, or None."""
        allowed = self._allowed.get(crossing.section)
        # Cyclists and people on foot often may go either way; the site file speaks of traffic.
        if allowed in (None, crossing.direction) or not crossing.road_user.is_motorised:
            return None
        if not self._is_news(IncidentKind.WRONG_WAY, crossing.section, crossing.track_id):
            return None
        return Incident(
            kind=IncidentKind.WRONG_WAY,
            section=crossing.section,
            road_user=crossing.road_user,
            track_id=crossing.track_id,
            since_s=crossing.at_s,
            at=crossing.at,
        )

    def _on_carriageway(self, area: WatchArea, presence: Presence, now_s: float) -> Incident | None:
        kind = self._kind(presence, now_s)
        if kind is None or not self._is_news(kind, area.name, presence.track_id):
            return None
        is_stopped = kind is IncidentKind.STOPPED_VEHICLE
        return Incident(
            kind=kind,
            section=area.name,
            road_user=presence.road_user,
            track_id=presence.track_id,
            since_s=presence.still_since_s if is_stopped else presence.entered_s,
            at=presence.last_at,
        )

    def _kind(self, presence: Presence, now_s: float) -> IncidentKind | None:
        limits = self._limits
        if presence.road_user is RoadUser.PERSON:
            is_long = presence.last_s - presence.entered_s >= limits.walking_s
            if not is_long or presence.points < limits.walking_points:
                return None
            is_crossing = _is_within(self._crosswalks, presence)
            return None if is_crossing else IncidentKind.PEDESTRIAN_ON_CARRIAGEWAY
        if presence.stood_s(now_s) < limits.stopped_s or _is_within(self._approaches, presence):
            return None
        return IncidentKind.STOPPED_VEHICLE

    def _is_news(self, kind: IncidentKind, section: str, track_id: int) -> bool:
        key = (kind, section, track_id)
        if key in self._reported:
            return False
        self._reported[key] = None
        if len(self._reported) > _MOST_REPORTED:
            self._reported.popitem(last=False)
        return True


def _is_within(areas: Iterable[WatchArea], presence: Presence) -> bool:
    return any(area.contains(presence.foot_px) for area in areas)
