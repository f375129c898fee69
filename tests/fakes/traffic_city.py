"""A junction with known numbers in a real database, and the API in front of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import FastAPI
from sqlalchemy import ColumnElement, and_, delete, func, insert, select
from sqlmodel import Session, col

from common.timing import Clock
from coordinator.database import Database
from coordinator.dependencies import clock_of, database_of, tenant_of
from coordinator.fleet.tables import SiteRow, TenantRow
from coordinator.problems import add_problem_handlers
from coordinator.traffic.rollup_tables import (
    AreaRollupRow,
    CameraRollupRow,
    CountRollupRow,
    KindRollupRow,
    SpeedRollupRow,
)
from coordinator.traffic.router import router
from coordinator.traffic.tables import CameraBinRow, CameraRow, CountRow, LayoutRow, SeriesRow
from tests.fakes.lets_in import lets_in, somebody

TENANT = "springfield"
SITE = "elm-and-main"
BUILT_AT = datetime(2026, 1, 1, tzinfo=UTC)
NOBODY = {"person": 0, "bicycle": 0, "motorcycle": 0, "car": 0, "bus": 0, "truck": 0}

LAYOUT: dict[str, Any] = {
    "camera": "cam-north",
    "frame_size": [1280, 720],
    "is_calibrated": True,
    "sections": [
        {"name": "north-leg", "use": "traffic", "points_px": [[0, 0], [100, 0]]},
        {"name": "south-leg", "use": "traffic", "points_px": [[0, 600], [100, 600]]},
        {
            "name": "queue-north",
            "use": "approach",
            "is_area": True,
            "points_px": [[0, 0], [100, 0], [100, 100]],
        },
        {
            "name": "zebra",
            "use": "crosswalk",
            "is_area": True,
            "points_px": [[0, 0], [100, 0], [100, 50]],
        },
    ],
    "flows": [
        {"name": "N-S", "start": "north-leg", "end": "south-leg", "movement": "thru"},
        {"name": "S-N", "start": "south-leg", "end": "north-leg", "movement": "thru"},
        {"name": "N-N", "start": "north-leg", "end": "north-leg", "movement": "u_turn"},
    ],
}


class TrafficCity:
    """One site with one camera; what it measured is added bin by bin.

    ``series`` is the name of a flow or area, or ``name direction`` of a line.
    """

    def __init__(self, database: Database, *, timezone: str = "Europe/Vienna") -> None:
        self.database = database
        self.series: dict[str, int] = {}
        with database.session() as session:
            _add(session, TenantRow(id=TENANT, name="Springfield", created_at=BUILT_AT))
            site = SiteRow(
                tenant_id=TENANT,
                slug=SITE,
                name="Elm and Main",
                timezone=timezone,
                latitude=48.2,
                longitude=16.37,
                created_at=BUILT_AT,
            )
            _add(session, site)
            camera = CameraRow(
                tenant_id=TENANT, site_id=site.id or 0, slug="cam-north", created_at=BUILT_AT
            )
            _add(session, camera)
            self.site_id = site.id or 0
            self.camera_id = camera.id or 0
            _add(
                session,
                LayoutRow(
                    camera_id=self.camera_id, valid_from=BUILT_AT, tenant_id=TENANT, content=LAYOUT
                ),
            )
            for kind, name, direction in (
                *(
                    ("line", leg, way)
                    for leg in ("north-leg", "south-leg")
                    for way in ("left", "right")
                ),
                *(("flow", name, "") for name in ("N-S", "S-N", "N-N")),
                *(("area", name, "") for name in ("queue-north", "zebra")),
            ):
                row = SeriesRow(
                    tenant_id=TENANT,
                    camera_id=self.camera_id,
                    kind=kind,
                    name=name,
                    direction=direction,
                )
                _add(session, row)
                self.series[f"{name} {direction}".strip()] = row.id or 0

    def watch(
        self,
        start: datetime,
        *,
        width_s: int = 900,
        seconds: float | None = None,
        coverage: float = 1.0,
        degraded_bins: int = 0,
    ) -> None:
        """The camera reported a longer bin; ``seconds`` is its true length."""
        watched_s = coverage * (seconds or width_s)
        with self.database.session() as session:
            session.add(
                CameraRollupRow(
                    camera_id=self.camera_id,
                    width_s=width_s,
                    start=start,
                    tenant_id=TENANT,
                    bins=15,
                    coverage_s=watched_s,
                    frames_seen=900,
                    frames_dropped=100,
                    good_s=watched_s if not degraded_bins else 0.0,
                    degraded_bins=degraded_bins,
                )
            )

    def count(
        self,
        series: str,
        start: datetime,
        counts: Mapping[str, int] | None,
        *,
        width_s: int = 900,
        **more: Any,
    ) -> None:
        """Road users of one series in one longer bin; the classes not named were not seen."""
        fields: dict[str, Any] = {"bins": 15, "watched_bins": 15, "withheld_bins": 0, **more}
        with self.database.session() as session:
            session.add(
                CountRollupRow(
                    series_id=self.series[series],
                    width_s=width_s,
                    start=start,
                    tenant_id=TENANT,
                    **({} if counts is None else {**NOBODY, **counts}),
                    **fields,
                )
            )
            session.flush()
            self._add_up(session, start, width_s)

    def _add_up(self, session: Session, start: datetime, width_s: int) -> None:
        """Lines together and flows together, as the roll-ups keep them."""
        session.execute(delete(KindRollupRow).where(_at(KindRollupRow, start, width_s)))
        names = (*NOBODY, "bins", "withheld_bins")
        sums = (
            select(
                SeriesRow.camera_id, SeriesRow.kind, CountRollupRow.width_s,
                CountRollupRow.start, func.max(CountRollupRow.tenant_id),
                *(func.sum(getattr(CountRollupRow, name)) for name in names),
            )
            .join(SeriesRow, col(SeriesRow.id) == CountRollupRow.series_id)
            .where(_at(CountRollupRow, start, width_s))
            .group_by(
                col(SeriesRow.camera_id), col(SeriesRow.kind), col(CountRollupRow.width_s),
                col(CountRollupRow.start),
            )
        )  # fmt: skip
        into = ["camera_id", "kind", "width_s", "start", "tenant_id", *names]
        session.execute(insert(KindRollupRow).from_select(into, sums))

    def speeds(self, series: str, start: datetime, classes: Mapping[int, int]) -> None:
        """Speed histogram of a quarter hour."""
        with self.database.session() as session:
            session.add_all(
                SpeedRollupRow(
                    series_id=self.series[series],
                    width_s=900,
                    start=start,
                    low_kmh=low,
                    tenant_id=TENANT,
                    vehicles=number,
                )
                for low, number in classes.items()
            )

    def area(self, series: str, start: datetime, **figures: Any) -> None:
        """Figures of an area in a quarter hour."""
        with self.database.session() as session:
            session.add(
                AreaRollupRow(
                    series_id=self.series[series],
                    width_s=900,
                    start=start,
                    tenant_id=TENANT,
                    **figures,
                )
            )

    def minute(
        self,
        start: datetime,
        *,
        counts: Mapping[str, Mapping[str, int] | None] | None = None,
        part: int = 0,
        **fields: Any,
    ) -> None:
        """The camera reported one minute as the boxes do."""
        bin_fields: dict[str, Any] = {
            "clock": "trusted",
            "coverage_s": 60.0,
            "frames_seen": 600,
            "frames_dropped": 0,
            "quality": "good",
            **fields,
        }
        is_withheld = bin_fields.pop("is_withheld", False)
        with self.database.session() as session:
            session.add(
                CameraBinRow(
                    camera_id=self.camera_id,
                    start=start,
                    part=part,
                    width_s=60,
                    tenant_id=TENANT,
                    device_id="box-1",
                    mode="statistics",
                    **bin_fields,
                )
            )
            for series, numbers in (counts or {}).items():
                session.add(
                    CountRow(
                        series_id=self.series[series],
                        start=start,
                        part=part,
                        width_s=60,
                        tenant_id=TENANT,
                        withheld=is_withheld,
                        **({} if numbers is None else {**NOBODY, **numbers}),
                    )
                )

    def minutes(self, start: datetime, end: datetime, **fields: Any) -> None:
        """Many minutes of the same kind."""
        for n in range(int((end - start).total_seconds() // 60)):
            self.minute(start + timedelta(minutes=n), **fields)


def traffic_app(database: Database, clock: Clock, *, tenant: str = TENANT) -> FastAPI:
    """The traffic routes alone, for somebody who may do everything."""
    app = FastAPI()
    add_problem_handlers(app)
    app.include_router(router, prefix="/api/v1")
    app.dependency_overrides = {
        database_of: lambda: database,
        tenant_of: lambda: tenant,
        clock_of: lambda: clock,
    }
    return lets_in(app, somebody(tenant=tenant))


def _add(session: Session, row: Any) -> None:
    session.add(row)
    session.flush()


def _at(row: Any, start: datetime, width_s: int) -> ColumnElement[bool]:
    return and_(row.start == start, row.width_s == width_s)
