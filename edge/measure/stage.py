"""Tracked frames of one camera → everything measured: events and one-minute bins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.geometry import Direction
from common.site import Camera
from edge.measure.areas import Visit, WatchArea, watch_areas
from edge.measure.bins import MinuteBin
from edge.measure.conflicts import FindConflicts
from edge.measure.crossings import CountCrossings
from edge.measure.crosswalk import is_walk_across
from edge.measure.events import Conflict, Crossing, FlowPassage, Incident
from edge.measure.filling import FillBins, FrameAccount
from edge.measure.flows import RecordFlows
from edge.measure.headway import MeasureHeadways
from edge.measure.incidents import FindIncidents, IncidentLimits
from edge.measure.movements import CountMovements, MovementCount
from edge.measure.occupancy import tally_area, tally_visit
from edge.measure.tally import Layout
from edge.track.tracks import TrackedFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one frame made certain; the moments lie before the frame."""

    crossings: tuple[Crossing, ...] = ()
    passages: tuple[FlowPassage, ...] = ()
    incidents: tuple[Incident, ...] = ()
    conflicts: tuple[Conflict, ...] = ()


class Measure:
    """Everything between the tracker and the privacy engine, for one camera."""

    def __init__(self, camera: Camera, limits: IncidentLimits | None = None) -> None:
        self._plane = camera.calibration.ground_plane if camera.calibration else None
        self._areas = watch_areas(camera.sections)
        self._area_by_name = {area.name: area for area in self._areas}
        self._flow_areas = {f.start for f in camera.flows} | {f.end for f in camera.flows}
        self._flow_areas &= set(self._area_by_name)
        self._crossings = CountCrossings(camera.sections, self._plane, frame_size=camera.frame_size)
        self._flows = RecordFlows(camera.flows, self._plane)
        self._movements = CountMovements(camera.flows)
        self._headways = MeasureHeadways()
        self._incidents = FindIncidents(camera.sections, self._areas, limits)
        self._conflicts = FindConflicts(self._areas, self._plane)
        self._bins = FillBins(
            Layout(
                camera_id=camera.id,
                lines=tuple(s.name for s in camera.sections if s.line is not None),
                areas=tuple(area.name for area in self._areas),
                flows=tuple(flow.name for flow in camera.flows),
            )
        )
        self._last_s: float | None = None

    def update(self, frame: TrackedFrame, account: FrameAccount | None = None) -> Measured:
        """Measure one frame.

        Args:
            frame: Tracks of the frame.
            account: Its quality; by default a usable frame without drops.
        """
        if self._last_s is not None and frame.captured_s == self._last_s:
            return Measured()  # the same frame again: its time was counted already
        self._last_s = frame.captured_s
        watched_s = self._bins.see(account or _plain_account(frame))
        crossings = self._crossings.update(frame)
        visits = [visit for area in self._areas for visit in area.update(frame)]
        self._tally_areas(frame, watched_s)
        incidents = self._incidents.update(frame, crossings)
        conflicts = self._conflicts.update(frame)
        return self._record(crossings, visits, incidents, conflicts)

    def advance(self, now: datetime) -> None:
        """Let minutes without a frame close; call it while the source is away."""
        self._bins.advance(now)

    def bins_ready(self) -> list[MinuteBin]:
        """Minutes that closed since the last call, oldest first."""
        return self._bins.ready()

    def movements(self) -> tuple[MovementCount, ...]:
        """The turning movement table since the start."""
        return self._movements.table()

    def finish(self) -> tuple[Measured, list[MinuteBin]]:
        """The stream is over: what was still held, and every minute that is not handed on."""
        crossings = self._crossings.finish()
        visits = [visit for area in self._areas for visit in area.finish()]
        incidents = [i for c in crossings if (i := self._incidents.wrong_way(c)) is not None]
        measured = self._record(crossings, visits, incidents, self._conflicts.finish())
        return measured, self._bins.finish()

    def _record(
        self,
        crossings: Sequence[Crossing],
        visits: Sequence[Visit],
        incidents: Sequence[Incident],
        conflicts: Sequence[Conflict],
    ) -> Measured:
        arrivals = [_arrival(visit) for visit in visits if visit.section in self._flow_areas]
        passages = self._flows.update([*crossings, *arrivals])
        for crossing in crossings:
            self._bins.add_crossing(crossing, self._headways.update(crossing))
        for passage in passages:
            self._movements.add(passage)
            self._bins.add_passage(passage)
        for incident in incidents:
            self._bins.add_incident(incident)
        for conflict in conflicts:
            self._bins.add_conflict(conflict)
        self._tally_visits(visits)
        return Measured(
            crossings=tuple(crossings),
            passages=tuple(passages),
            incidents=tuple(incidents),
            conflicts=tuple(conflicts),
        )

    def _tally_areas(self, frame: TrackedFrame, watched_s: float) -> None:
        if not self._areas or watched_s <= 0:
            return
        tallies = self._bins.minute(frame.captured_at).areas
        for area in self._areas:
            tally_area(
                tallies[area.name],
                area,
                now_s=frame.captured_s,
                watched_s=watched_s,
                plane=self._plane,
            )

    def _tally_visits(self, visits: Iterable[Visit]) -> None:
        for visit in visits:
            area: WatchArea = self._area_by_name[visit.section]
            tally = self._bins.minute(visit.left_at).areas[visit.section]
            tally_visit(tally, visit, is_walk=is_walk_across(area, visit))


def _plain_account(frame: TrackedFrame) -> FrameAccount:
    return FrameAccount(
        captured_s=frame.captured_s,
        captured_at=frame.captured_at,
        detected=len(frame.points) + frame.unassigned,
        unassigned=frame.unassigned,
    )


def _arrival(visit: Visit) -> Crossing:
    # For flows an area is passed when it is entered; the direction says nothing there.
    return Crossing(
        section=visit.section,
        direction=Direction.RIGHT,
        road_user=visit.road_user,
        track_id=visit.track_id,
        at_s=visit.entered_s,
        at=visit.left_at - timedelta(seconds=visit.dwell_s),
        foot_px=visit.entered_at_px,
    )
