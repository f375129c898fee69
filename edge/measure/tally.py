"""What happened in one minute, one by one → its bin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from common.geometry import Direction
from common.road_users import ROAD_USER_INDEX, ROAD_USERS
from edge.measure.bins import AreaBin, Counts, FlowBin, MinuteBin, Quality, SectionBin
from edge.measure.events import (
    Conflict,
    ConflictKind,
    Crossing,
    FlowPassage,
    Incident,
    IncidentKind,
)
from edge.measure.headway import Spacing
from edge.measure.statistics import histogram

_FULL_COVERAGE_SHARE = 0.95
_MOST_GAPS = 20
_LEAST_GOOD_SHARE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which rows every bin of a camera has."""

    camera_id: str
    lines: tuple[str, ...]
    areas: tuple[str, ...] = ()
    flows: tuple[str, ...] = ()


@dataclass(slots=True)
class _SectionTally:
    counts: list[int] = field(default_factory=lambda: [0] * len(ROAD_USERS))
    speeds_kmh: list[float] = field(default_factory=list)
    headways_s: list[float] = field(default_factory=list)
    gaps_s: list[float] = field(default_factory=list)
    inferred: int = 0


@dataclass(slots=True)
class AreaTally:
    """Sums of one area in one minute."""

    watched_s: float = 0.0
    occupied_s: float = 0.0
    queue_most: int = 0
    queue_most_m: float | None = None
    dwells_s: list[float] = field(default_factory=list)
    walks: int = 0


class MinuteTally:
    """Sums of one minute until it closes."""

    def __init__(self, layout: Layout, start: datetime, part: int) -> None:
        self._layout = layout
        self.start = start
        self._part = part
        self.coverage_s = 0.0
        self.frames_seen = 0
        self.frames_dropped = 0
        self._frames_unusable = 0
        self._unassigned = 0
        self._detected = 0
        self._brightness: list[float] = [0.0, 0.0]
        self._flags: set[str] = set()
        self._gaps: list[tuple[float, float]] = []
        self._sections: dict[tuple[str, Direction], _SectionTally] = {}
        self._flows: dict[str, list[int]] = {}
        self.areas: dict[str, AreaTally] = {name: AreaTally() for name in layout.areas}
        self._incidents: Counter[str] = Counter()
        self._conflicts: Counter[str] = Counter()
        self._has_events = False

    def see(self, *, is_usable: bool, dropped: int, brightness: float | None) -> None:
        """Account for one frame."""
        self.frames_dropped += dropped
        self.frames_seen += 1
        self._frames_unusable += not is_usable
        if brightness is not None:
            self._brightness[0] += brightness
            self._brightness[1] += 1

    def assign(self, *, detected: int, unassigned: int) -> None:
        """Account for the confident detections of one frame."""
        self._detected += detected
        self._unassigned += unassigned

    def flag(self, *flags: str) -> None:
        """Remember reasons to trust this minute less."""
        self._flags.update(flags)

    def miss(self, from_s: float, to_s: float) -> None:
        """Remember an unwatched interval; a flickering stream fills no memory."""
        if self._gaps and (from_s <= self._gaps[-1][1] or len(self._gaps) >= _MOST_GAPS):
            self._gaps[-1] = (self._gaps[-1][0], max(to_s, self._gaps[-1][1]))
        else:
            self._gaps.append((from_s, to_s))

    def add_crossing(self, crossing: Crossing, spacing: Spacing | None) -> None:
        """Count one road user over a line."""
        self._has_events = True
        tally = self._sections.setdefault((crossing.section, crossing.direction), _SectionTally())
        tally.counts[ROAD_USER_INDEX[crossing.road_user]] += 1
        tally.inferred += crossing.is_inferred
        if crossing.speed is not None:
            tally.speeds_kmh.append(crossing.speed.kmh)
        if spacing is not None:
            tally.headways_s.append(spacing.headway_s)
            if spacing.gap_s is not None:
                tally.gaps_s.append(spacing.gap_s)

    def add_passage(self, passage: FlowPassage) -> None:
        """Count one road user on a flow."""
        self._has_events = True
        counts = self._flows.setdefault(passage.flow, [0] * len(ROAD_USERS))
        counts[ROAD_USER_INDEX[passage.road_user]] += 1

    def add_incident(self, incident: Incident) -> None:
        """Count one incident."""
        self._has_events = True
        self._incidents[incident.kind.value] += 1

    def add_conflict(self, conflict: Conflict) -> None:
        """Count one conflict."""
        self._has_events = True
        self._conflicts[conflict.kind.value] += 1

    def close(self) -> MinuteBin:
        """The minute as a record; an unwatched one without events has None for every number."""
        has_data = self.coverage_s > 0 or self._has_events
        quality, flags = self._verdict()
        return MinuteBin(
            camera_id=self._layout.camera_id,
            start=self.start,
            part=self._part,
            coverage_s=min(self.coverage_s, 60.0),
            frames_seen=self.frames_seen,
            frames_dropped=self.frames_dropped,
            unassigned_share=self._unassigned / self._detected if self._detected else None,
            brightness=self._brightness[0] / self._brightness[1] if self._brightness[1] else None,
            quality=quality,
            flags=flags,
            gaps=tuple(self._gaps),
            sections=tuple(
                self._section(name, direction, has_data=has_data)
                for name in self._layout.lines
                for direction in Direction
            ),
            flows=tuple(
                FlowBin(flow=name, counts=self._flow(name) if has_data else None)
                for name in self._layout.flows
            ),
            areas=tuple(self._area(name, tally) for name, tally in self.areas.items()),
            incidents=_of_kinds(IncidentKind, self._incidents) if has_data else None,
            conflicts=_of_kinds(ConflictKind, self._conflicts) if has_data else None,
        )

    def _verdict(self) -> tuple[Quality, tuple[str, ...]]:
        flags = set(self._flags)
        if self._part:
            flags.add("late_part")
        if self.coverage_s <= 0:
            return Quality.NO_DATA, tuple(sorted(flags))
        is_partial = self.coverage_s < _FULL_COVERAGE_SHARE * 60
        if is_partial:
            flags.add("low_coverage")
        if self._frames_unusable > (1 - _LEAST_GOOD_SHARE) * self.frames_seen:
            flags.add("unusable_frames")
        if flags - {"low_coverage", "late_part"}:
            return Quality.DEGRADED, tuple(sorted(flags))
        return (Quality.PARTIAL if is_partial else Quality.GOOD), tuple(sorted(flags))

    def _section(self, name: str, direction: Direction, *, has_data: bool) -> SectionBin:
        tally = self._sections.get((name, direction))
        if tally is None:
            nothing: Counts = (0,) * len(ROAD_USERS)
            return SectionBin(
                section=name, direction=direction, counts=nothing if has_data else None
            )
        return SectionBin(
            section=name,
            direction=direction,
            counts=tuple(tally.counts),
            speeds=tuple(histogram(tally.speeds_kmh).items()),
            speed_sum_kmh=sum(tally.speeds_kmh),
            headways=len(tally.headways_s),
            headway_sum_s=sum(tally.headways_s),
            headway_least_s=min(tally.headways_s, default=None),
            time_gaps=len(tally.gaps_s),
            time_gap_sum_s=sum(tally.gaps_s),
            inferred=tally.inferred,
        )

    def _flow(self, name: str) -> Counts:
        return tuple(self._flows.get(name, [0] * len(ROAD_USERS)))

    def _area(self, name: str, tally: AreaTally) -> AreaBin:
        if tally.watched_s <= 0:
            return AreaBin(section=name)
        dwells = tally.dwells_s
        return AreaBin(
            section=name,
            occupied_share=min(1.0, tally.occupied_s / tally.watched_s),
            queue_most=tally.queue_most,
            queue_most_m=tally.queue_most_m,
            dwell_mean_s=sum(dwells) / len(dwells) if dwells else None,
            walks=tally.walks,
        )


def _of_kinds(
    kinds: type[IncidentKind] | type[ConflictKind], counted: Counter[str]
) -> tuple[tuple[str, int], ...]:
    names: Sequence[str] = [kind.value for kind in kinds]
    return tuple((name, counted[name]) for name in names)
