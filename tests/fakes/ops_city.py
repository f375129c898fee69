"""A small city with weeks behind it → gaps of every reason and anomalies of every kind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import pi, sin
from typing import Any

from sqlmodel import col, select

from coordinator.database import Database
from coordinator.fleet.tables import SiteRow
from coordinator.traffic.anomaly_store import (
    AnomalyFilter,
    AnomalyKind,
    AnomalyStore,
    Finding,
    ReviewState,
)
from coordinator.traffic.gap_store import GapScan, GapStore, Work
from coordinator.traffic.gaps import Gap, Reason
from coordinator.traffic.periods import Period
from coordinator.traffic.rollup_tables import CameraRollupRow, CountRollupRow
from coordinator.traffic.tables import CameraRow
from tests.fakes.traffic_city import BUILT_AT, TENANT, TrafficCity

HOUR = timedelta(hours=1)
SITES = {"station-square": "Station Square", "harbour-road": "Harbour Road"}


class OpsCity:
    """Elm and Main with six weeks of hours, and two more sites with gaps."""

    def __init__(self, database: Database, *, now: datetime) -> None:
        self.city = TrafficCity(database)
        self.database = database
        self.now = now
        self.cameras = {"cam-north": self.city.camera_id}
        with database.session() as session:
            for slug, name in SITES.items():
                site = SiteRow(
                    tenant_id=TENANT, slug=slug, name=name, timezone="Europe/Vienna",
                    latitude=48.21, longitude=16.38, created_at=BUILT_AT,
                )  # fmt: skip
                session.add(site)
                session.flush()
                for camera in (f"{slug}-1", f"{slug}-2"):
                    row = CameraRow(
                        tenant_id=TENANT, site_id=site.id or 0, slug=camera, created_at=BUILT_AT
                    )
                    session.add(row)
                    session.flush()
                    self.cameras[camera] = row.id or 0

    def weeks(self, *, halved_from: datetime | None = None) -> None:
        """Six weeks of hours like any city's; from a moment on the north leg counts half."""
        first = self.now - timedelta(days=42)
        with self.database.session() as session:
            for n in range(42 * 24):
                start = first + n * HOUR
                busy = 1 + 0.8 * sin((start.hour - 8) / 24 * 2 * pi)
                session.add(_watched(self.city.camera_id, start))
                for series, cars in (("north-leg right", 220), ("south-leg right", 90)):
                    is_half = halved_from is not None and start >= halved_from
                    share = 0.5 if is_half and series.startswith("north") else 1.0
                    session.add(
                        _counted(
                            self.city.series[series], start,
                            car=int(cars * busy * share), bicycle=0 if is_half else 6,
                        )
                    )  # fmt: skip

    def _swap(self, start: datetime, end: datetime) -> None:
        """Exchange what the legs counted."""
        north, south = (self.city.series[f"{leg}-leg right"] for leg in ("north", "south"))
        with self.database.session() as session:
            rows = session.exec(
                select(CountRollupRow).where(
                    col(CountRollupRow.start) >= start, col(CountRollupRow.start) < end
                )
            ).all()
            cars = {(row.series_id, row.start): row.car for row in rows}
            for row in rows:
                other = south if row.series_id == north else north
                row.car = cars[other, row.start]

    def gap(self, camera: str, start: datetime, length: timedelta, reason: Reason) -> None:
        """A gap of the ledger, which is known up to now."""
        camera_id = self.cameras[camera]
        scan = GapScan(threshold_s=140.0, learned_from_pauses=31, scanned_until=self.now)
        with self.database.session() as session:
            store = GapStore(session, TENANT)
            found = Gap(start=start, end=start + length, reason=reason)
            period = Period(start, start + timedelta(seconds=1))
            store.replace(camera_id, period, [found], scan=scan, now=self.now)
            store.remember(camera_id, scan)
            if reason is Reason.MAINTENANCE:
                work = Work(camera_id=camera_id, period=Period(start, start + length), note="lens")
                store.add_work(work, now=self.now)

    def anomaly(
        self, kind: AnomalyKind, subject: str, detail: Mapping[str, Any], **more: Any
    ) -> int:
        """An anomaly at Elm and Main over the last ten hours; its id."""
        finding: dict[str, Any] = {
            "camera_id": self.city.camera_id,
            "start": self.now - 10 * HOUR,
            "end": self.now,
            "score": 24.0,
            **more,
        }
        with self.database.session() as session:
            store = AnomalyStore(session, TENANT)
            store.record(
                Finding(kind=kind, subject=subject, detail=dict(detail), **finding), now=self.now
            )
            return store.anomalies(AnomalyFilter(limit=1))[0].id

    def note(self, anomaly_id: int, text: str, *, author: str, state: ReviewState | None) -> None:
        """What somebody made of an anomaly."""
        with self.database.session() as session:
            AnomalyStore(session, TENANT).review(
                anomaly_id, state=state, text=text, author=author, now=self.now
            )

    def everything(self) -> None:
        """Gaps of every reason, and an anomaly of every kind."""
        self.weeks(halved_from=self.now - 10 * HOUR)
        self._swap(self.now - 34 * HOUR, self.now - 10 * HOUR)
        day = timedelta(days=1)
        for camera, ago, length, reason in (
            ("cam-north", 0.5 * day, timedelta(minutes=23), Reason.FRAMES_DROPPED),
            ("station-square-1", 5.2 * day, timedelta(hours=9), Reason.OFFLINE),
            ("station-square-1", 2 * day, timedelta(hours=2), Reason.MAINTENANCE),
            ("station-square-2", 3.1 * day, timedelta(hours=4), Reason.VIEW_BLOCKED),
            ("harbour-road-1", 1.4 * day, timedelta(minutes=52), Reason.CLOCK),
            ("harbour-road-1", 4.4 * day, timedelta(hours=6), Reason.WITHHELD),
        ):
            self.gap(camera, self.now - ago, length, reason)
        self.anomaly(AnomalyKind.LEVEL_SHIFT, "north-leg right", {"ratio": 0.5, "is_up": False})
        self.anomaly(AnomalyKind.SILENT_CLASS, "bicycle", {"expected": 60.0, "counted": 0})
        swapped = self.anomaly(
            AnomalyKind.LEG_SWAP, "north-leg, south-leg",
            {
                "looks_like": {"north-leg": "south-leg", "south-leg": "north-leg"},
                "misfit": 31.0, "misfit_if_exchanged": 0.6,
            },
            start=self.now - 34 * HOUR, end=self.now - 10 * HOUR,
        )  # fmt: skip
        self.note(
            swapped, "The camera was remounted on Tuesday.", author="Vera Brandt",
            state=ReviewState.CONFIRMED,
        )  # fmt: skip


def _watched(camera_id: int, start: datetime) -> CameraRollupRow:
    return CameraRollupRow(
        camera_id=camera_id, width_s=3600, start=start, tenant_id=TENANT, bins=60,
        coverage_s=3600.0, frames_seen=1, frames_dropped=0, good_s=3600.0, degraded_bins=0,
    )  # fmt: skip


def _counted(series_id: int, start: datetime, *, car: int, bicycle: int) -> CountRollupRow:
    return CountRollupRow(
        series_id=series_id, width_s=3600, start=start, tenant_id=TENANT, bins=60,
        watched_bins=60, withheld_bins=0, person=2, bicycle=bicycle, motorcycle=1, car=car,
        bus=1, truck=3,
    )  # fmt: skip
