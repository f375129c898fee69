"""An anomaly → the hours that show it: what was counted, what is usual, and where nobody watched.

The detectors keep one number of what they saw. People who judge a finding want to see the
hours themselves, so they are read again from the same sums, before and after included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from coordinator.traffic.anomaly_store import Anomaly, AnomalyKind, AnomalyStore
from coordinator.traffic.answers import CountSums
from coordinator.traffic.answers_store import AnswersStore
from coordinator.traffic.coverage import FULL_SHARE
from coordinator.traffic.periods import Period, Width, bin_starts
from coordinator.traffic.profiles import learn_profile
from coordinator.traffic.scenes import Camera, Scene, Series
from coordinator.traffic.store import SceneStore, Session

_BEFORE = timedelta(days=2)
_AFTER = timedelta(hours=12)
_HISTORY = timedelta(days=35)
_LONGEST = timedelta(days=14)
"""Of a finding that goes on for months its newest days are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One thing that was counted, hour by hour.

    Attributes:
        counted: None where the hour was not watched throughout, or was withheld.
        usual: Median of the same hour of past weeks, the mean for a class; None where too few
            weeks are known.
        looks_like: The leg whose traffic this one shows, for swapped legs.
    """

    name: str
    counted: tuple[float | None, ...]
    usual: tuple[float | None, ...]
    looks_like: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The hours around an anomaly.

    Attributes:
        starts: Of the hours.
        curves: For swapped legs one for each of them, otherwise one.
    """

    anomaly: Anomaly
    scene: Scene
    camera: Camera
    starts: tuple[datetime, ...]
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class _Rule:
    zone: ZoneInfo
    is_mean: bool


class EvidenceAnswers:
    """Evidence of anomalies, for one tenant at one moment."""

    def __init__(self, session: Session, tenant_id: str, *, now: datetime) -> None:
        """Read through ``session`` what belongs to ``tenant_id``."""
        self._now = now
        self._scenes = SceneStore(session, tenant_id)
        self._store = AnswersStore(session, tenant_id)
        self._anomalies = AnomalyStore(session, tenant_id)

    def evidence(self, anomaly_id: int) -> Evidence:
        """What shows one anomaly.

        Raises:
            NotFoundError: No such anomaly.
        """
        anomaly = self._anomalies.anomaly(anomaly_id)
        scene, camera = self._place(anomaly.finding.camera_id)
        period = self._period(anomaly)
        hours = bin_starts(period, Width.HOUR, scene.site.zone)
        sums = self._sums(scene, camera, Period(period.start - _HISTORY, period.end))
        chosen = _chosen(anomaly, scene, camera)
        # Of a class that is seen twice an hour the median may be 0; its detector asks the mean.
        is_class = anomaly.finding.kind is AnomalyKind.SILENT_CLASS
        rule = _Rule(zone=scene.site.zone, is_mean=is_class)
        return Evidence(
            anomaly=anomaly,
            scene=scene,
            camera=camera,
            starts=tuple(hours),
            curves=tuple(
                replace(
                    _curve(name, _hourly(sums, series, anomaly), hours, rule),
                    looks_like=anomaly.finding.detail.get("looks_like", {}).get(name),
                )
                for name, series in chosen.items()
            ),
        )

    def _place(self, camera_id: int) -> tuple[Scene, Camera]:
        for scene in self._scenes.scenes():
            for camera in scene.cameras:
                if camera.id == camera_id:
                    return scene, camera
        raise ValueError(f"anomaly of camera {camera_id}, which belongs to no site of the tenant")

    def _period(self, anomaly: Anomaly) -> Period:
        finding = anomaly.finding
        end = min(finding.end + _AFTER, self._now.replace(minute=0, second=0, microsecond=0))
        end = max(end, finding.end)
        start = max(finding.start - _BEFORE, end - _LONGEST)
        return Period(start.replace(minute=0, second=0, microsecond=0), end)

    def _sums(self, scene: Scene, camera: Camera, period: Period) -> list[CountSums]:
        """Only of hours that were watched throughout, as the detectors take them."""
        ids = [s.id for s in scene.series if s.camera_id == camera.id and s.kind == "line"]
        watched = {
            row.start
            for row in self._store.coverage([camera.id], Width.HOUR, period)
            if row.coverage_s >= FULL_SHARE * Width.HOUR.seconds
        }
        return [
            row
            for row in self._store.counts(ids, Width.HOUR, period)
            if row.start in watched and not row.withheld_bins
        ]


def _chosen(anomaly: Anomaly, scene: Scene, camera: Camera) -> dict[str, list[Series]]:
    """Name of a curve → the series that are added up for it."""
    lines = [s for s in scene.series if s.camera_id == camera.id and s.kind == "line"]
    subject = anomaly.finding.subject
    if anomaly.finding.kind is AnomalyKind.LEVEL_SHIFT:
        return {subject: [s for s in lines if f"{s.name} {s.direction}" == subject]}
    if anomaly.finding.kind is AnomalyKind.SILENT_CLASS:
        return {subject: lines}
    legs = anomaly.finding.detail.get("looks_like", {})
    return {str(leg): [s for s in lines if s.name == leg] for leg in legs}


def _hourly(
    sums: Iterable[CountSums], series: Sequence[Series], anomaly: Anomaly
) -> Mapping[datetime, float]:
    ids = {one.id for one in series}
    is_class = anomaly.finding.kind is AnomalyKind.SILENT_CLASS
    totals: dict[datetime, float] = {}
    for row in sums:
        if row.series_id not in ids or row.counts is None:
            continue
        number = row.counts.get(anomaly.finding.subject, 0) if is_class else row.total
        totals[row.start] = totals.get(row.start, 0.0) + float(number or 0)
    return totals


def _curve(
    name: str, hourly: Mapping[datetime, float], hours: Sequence[datetime], rule: _Rule
) -> Curve:
    # What is shown is compared with what came before it, never with itself.
    past = {at: number for at, number in hourly.items() if at < hours[0]}
    profile = learn_profile(past, rule.zone)
    usual = profile.mean if rule.is_mean else profile.expected
    return Curve(
        name=name,
        counted=tuple(hourly.get(hour) for hour in hours),
        usual=tuple(usual(hour) for hour in hours),
    )
