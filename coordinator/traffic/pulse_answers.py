"""The last complete quarter hour of every site → its vehicles, beside what is usual there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from common.timing import bin_start
from coordinator.traffic.coverage import FULL_SHARE
from coordinator.traffic.pulse_store import PulseStore
from coordinator.traffic.scenes import Scene
from coordinator.traffic.store import SceneStore, Session
from coordinator.traffic.usual import Pace, Usual, change_of, pace_of, usual_of, weeks_before

_QUARTER = timedelta(minutes=15)
_QUARTER_S = _QUARTER.total_seconds()
_ARRIVED = timedelta(minutes=2)
"""Boxes tell each minute when it is over; a quarter hour is complete a little later."""

_WEEKS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """One site in the last complete quarter hour.

    Attributes:
        start: Of the quarter hour.
        vehicles: On the drawn flows; None when nothing was watched or told.
        is_crossings: No flow is drawn, so vehicles are crossings of all lines.
        coverage: Watched share of it, of the cameras together.
        cameras: How many the site has.
        usual: The same quarter hour of past weeks; None where fewer than three are known.
        pace: Unknown as well when the quarter hour was not watched throughout.
    """

    start: datetime
    vehicles: int | None
    is_crossings: bool
    coverage: float
    cameras: int
    usual: Usual | None

    @property
    def is_whole(self) -> bool:
        """True when it was watched throughout, so that it may be compared."""
        return self.coverage >= FULL_SHARE

    @property
    def pace(self) -> Pace:
        """Beside the usual."""
        return pace_of(self.vehicles, self.usual) if self.is_whole else Pace.UNKNOWN

    @property
    def change(self) -> float | None:
        """Share above the usual."""
        return change_of(self.vehicles, self.usual) if self.is_whole else None


@dataclass(slots=True)
class _Quarters:
    """What was told of all sites, by where to look for it."""

    vehicles: dict[tuple[int, str, datetime], int] = field(default_factory=dict)
    coverage_s: dict[tuple[int, datetime], float] = field(default_factory=dict)


class PulseAnswers:
    """How the city moves now, for one tenant at one moment."""

    def __init__(self, session: Session, tenant_id: str, *, now: datetime) -> None:
        """Read through ``session``."""
        self._scenes = SceneStore(session, tenant_id)
        self._store = PulseStore(session, tenant_id)
        self._now = now

    def city(self) -> dict[str, Pulse]:
        """Slug → pulse, for every site; two statements a time zone."""
        start = bin_start(self._now - _ARRIVED, _QUARTER).astimezone(UTC) - _QUARTER
        by_zone: dict[ZoneInfo, list[Scene]] = {}
        for scene in self._scenes.scenes():
            by_zone.setdefault(scene.site.zone, []).append(scene)
        pulses = {}
        for zone, scenes in by_zone.items():
            past = weeks_before(start, zone, _WEEKS)
            quarters = self._quarters([start, *past])
            for scene in scenes:
                pulses[scene.site.slug] = _pulse(scene, start, past, quarters)
        return pulses

    def _quarters(self, starts: Sequence[datetime]) -> _Quarters:
        found = _Quarters()
        for one in self._store.counted(starts):
            if one.vehicles is not None:
                key = (one.site_id, one.kind, one.start)
                found.vehicles[key] = found.vehicles.get(key, 0) + one.vehicles
        for watched in self._store.watched(starts):
            found.coverage_s[watched.camera_id, watched.start] = watched.coverage_s
        return found


def _pulse(scene: Scene, start: datetime, past: Sequence[datetime], quarters: _Quarters) -> Pulse:
    kind = "flow" if any(series.kind == "flow" for series in scene.series) else "line"
    known = quarters.vehicles
    site_id = scene.site.id
    weeks = [
        float(known[site_id, kind, week])
        for week in past
        if (site_id, kind, week) in known
        and _coverage(scene, week, quarters.coverage_s) >= FULL_SHARE
    ]
    return Pulse(
        start=start,
        vehicles=known.get((site_id, kind, start)),
        is_crossings=kind == "line",
        coverage=_coverage(scene, start, quarters.coverage_s),
        cameras=len(scene.cameras),
        usual=usual_of(weeks),
    )


def _coverage(
    scene: Scene, start: datetime, coverage_s: Mapping[tuple[int, datetime], float]
) -> float:
    """Mean over the cameras; 0 where there is none."""
    if not scene.cameras:
        return 0.0
    watched_s = sum(coverage_s.get((camera, start), 0.0) for camera in scene.camera_ids)
    return min(1.0, watched_s / (_QUARTER_S * len(scene.cameras)))
