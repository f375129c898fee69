"""Six weeks of hourly sums of one site → findings of the three detectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from common.road_users import ROAD_USERS, RoadUser
from coordinator.traffic.anomaly_store import AnomalyKind, Finding
from coordinator.traffic.answers import CountSums
from coordinator.traffic.answers_store import AnswersStore
from coordinator.traffic.coverage import FULL_SHARE
from coordinator.traffic.leg_swap import LegDay, find_leg_swap
from coordinator.traffic.level_shift import find_level_shift
from coordinator.traffic.periods import Period, Width
from coordinator.traffic.profiles import Hourly, Profile, learn_profile
from coordinator.traffic.scenes import Camera, Scene, Series
from coordinator.traffic.silent_class import find_silence
from coordinator.traffic.store import Session

_HOUR = timedelta(hours=1)
_RECENT = timedelta(days=7)
_HISTORY = timedelta(days=35)
_SWAP_WINDOW = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One direction of one line: what was counted lately, and what is usual."""

    series: Series
    recent: Hourly
    profile: Profile


def search_anomalies(
    session: Session, tenant_id: str, scene: Scene, *, now: datetime
) -> list[Finding]:
    """Everything that looks wrong at one site; only hours watched throughout are judged."""
    store = AnswersStore(session, tenant_id)
    end = now.replace(minute=0, second=0, microsecond=0)
    period = Period(end - _RECENT - _HISTORY, end)
    findings: list[Finding] = []
    for camera in scene.cameras:
        lines = [s for s in scene.series if s.camera_id == camera.id and s.kind == "line"]
        watched = {
            row.start
            for row in store.coverage([camera.id], Width.HOUR, period)
            if row.coverage_s >= FULL_SHARE * Width.HOUR.seconds
        }
        sums = [
            row
            for row in store.counts([line.id for line in lines], Width.HOUR, period)
            if row.start in watched and not row.withheld_bins
        ]
        findings += _of_camera(camera, lines, sums, recent_from=end - _RECENT, scene=scene)
    return findings


def _of_camera(
    camera: Camera,
    series: Sequence[Series],
    sums: Sequence[CountSums],
    *,
    recent_from: datetime,
    scene: Scene,
) -> Iterator[Finding]:
    zone = scene.site.zone
    lines = []
    for one in series:
        totals = {
            row.start: float(row.total)
            for row in sums
            if row.series_id == one.id and row.total is not None
        }
        recent, profile = _split(totals, recent_from, zone)
        lines.append(_Line(series=one, recent=recent, profile=profile))
    for line in lines:
        yield from _level_shift(camera, line)
    yield from _leg_swap(camera, lines)
    for road_user in ROAD_USERS:
        yield from _silence(camera, road_user, sums, recent_from=recent_from, zone=zone)


def _level_shift(camera: Camera, line: _Line) -> Iterator[Finding]:
    shift = find_level_shift(line.recent, line.profile)
    if shift is not None:
        yield Finding(
            camera_id=camera.id,
            kind=AnomalyKind.LEVEL_SHIFT,
            subject=f"{line.series.name} {line.series.direction}",
            start=shift.start,
            end=shift.end,
            score=round(shift.score, 2),
            detail={"ratio": round(shift.ratio, 3), "is_up": shift.is_up},
        )


def _leg_swap(camera: Camera, lines: Sequence[_Line]) -> Iterator[Finding]:
    hours = _shared_hours(lines)
    names = list(dict.fromkeys(line.series.name for line in lines))
    directions = sorted({line.series.direction for line in lines})
    by_place = {(line.series.name, line.series.direction): line for line in lines}
    if not hours or len(by_place) < len(names) * len(directions):
        return
    legs = []
    for name in names:
        mine = [by_place[name, direction] for direction in directions]
        legs.append(
            LegDay(
                name=name,
                counted=tuple(line.recent[hour] for line in mine for hour in hours),
                expected=tuple(line.profile.expected(h) or 0.0 for line in mine for h in hours),
            )
        )
    swap = find_leg_swap(legs)
    if swap is not None:
        yield Finding(
            camera_id=camera.id,
            kind=AnomalyKind.LEG_SWAP,
            subject=", ".join(sorted(swap.exchanged))[:256],
            start=hours[0],
            end=hours[-1] + _HOUR,
            score=round(swap.score, 2),
            detail={
                "looks_like": swap.exchanged,
                "misfit": round(swap.misfit, 2),
                "misfit_if_exchanged": round(swap.misfit_if_exchanged, 2),
            },
        )


def _silence(
    camera: Camera,
    road_user: RoadUser,
    sums: Iterable[CountSums],
    *,
    recent_from: datetime,
    zone: ZoneInfo,
) -> Iterator[Finding]:
    totals: dict[datetime, float] = {}
    for row in sums:
        if row.counts is not None:
            totals[row.start] = totals.get(row.start, 0.0) + row.counts[road_user]
    recent, profile = _split(totals, recent_from, zone)
    silence = find_silence(recent, profile)
    if silence is not None:
        yield Finding(
            camera_id=camera.id,
            kind=AnomalyKind.SILENT_CLASS,
            subject=road_user.value,
            start=silence.start,
            end=silence.end,
            score=round(silence.expected, 2),
            detail={"expected": round(silence.expected, 1), "counted": 0},
        )


def _split(
    totals: Mapping[datetime, float], recent_from: datetime, zone: ZoneInfo
) -> tuple[Hourly, Profile]:
    past = {start: value for start, value in totals.items() if start < recent_from}
    recent = {start: value for start, value in totals.items() if start >= recent_from}
    return recent, learn_profile(past, zone)


def _shared_hours(lines: Sequence[_Line]) -> list[datetime]:
    """Hours of the last day that every line counted and has a profile for."""
    if not lines:
        return []
    shared = set(lines[0].recent)
    for line in lines:
        shared &= {hour for hour in line.recent if line.profile.expected(hour) is not None}
    newest = max(shared, default=None)
    return sorted(hour for hour in shared if newest and hour > newest - _SWAP_WINDOW)
