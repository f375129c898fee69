"""A seed → a city that looks like one: seven junctions with five weeks, a gap, and a slow leg.

Counts are Poisson around a daily curve with two peaks. Turns add up to the lines that they cross,
so that every page tells the same story. Only the sums that pages read are written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import bindparam, insert, inspect, update
from sqlmodel import Session

from common.road_users import ROAD_USERS
from coordinator.database import Database
from coordinator.fleet.tables import SiteRow, TenantRow
from coordinator.simulated_history import LEGS, junction_layout, junction_series
from coordinator.traffic.rollup_tables import (
    CameraRollupRow,
    CountRollupRow,
    KindRollupRow,
    SpeedRollupRow,
)
from coordinator.traffic.tables import CameraRow, LayoutRow, SeriesRow

TENANT = "springfield"
CLASSES = tuple(user.value for user in ROAD_USERS)
ZONE = ZoneInfo("Europe/Vienna")
_SHARES = np.array((0.06, 0.09, 0.68, 0.03, 0.04, 0.10))
"""Of people, bicycles, cars, motorcycles, buses and trucks."""

_LEG_WEIGHTS = dict(zip(LEGS, (1.3, 0.7, 1.2, 0.6), strict=True))
_TURN_WEIGHTS = {"left": 0.2, "thru": 0.55, "right": 0.25}
_QUARTER = timedelta(minutes=15)
_WEEKS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Junction:
    """One site; ``pace`` is how busy its newest hours are beside the usual."""

    slug: str
    name: str
    latitude: float
    longitude: float
    busy: float
    pace: float = 1.0
    is_blind: bool = False


JUNCTIONS = (
    Junction(slug="elm-and-main", name="Elm & Main", latitude=48.2102, longitude=16.3632, busy=1.0),
    Junction(slug="station-square", name="Station Square", latitude=48.1853, longitude=16.3765,
             busy=1.5, pace=1.35),
    Junction(slug="harbour-road", name="Harbour Road", latitude=48.2265, longitude=16.4065,
             busy=0.7, is_blind=True),
    Junction(slug="opera-ring", name="Opera Ring", latitude=48.2028, longitude=16.3688, busy=1.7),
    Junction(slug="market-east", name="Market East", latitude=48.1990, longitude=16.3905, busy=0.8),
    Junction(slug="university-north", name="University North", latitude=48.2212, longitude=16.3551,
             busy=0.9, pace=0.62),
    Junction(slug="river-bridge", name="River Bridge", latitude=48.2173, longitude=16.3846,
             busy=1.3),
)  # fmt: skip


class ShownCity:
    """Writes the city as it is known at ``now``."""

    def __init__(self, database: Database, *, now: datetime, seed: int = 7) -> None:
        self.database = database
        self.now = now
        self.cameras: dict[str, int] = {}
        self._chance = np.random.default_rng(seed)

    def build(self) -> None:
        """Every site with its weeks."""
        begun = self.now - timedelta(weeks=_WEEKS + 1)
        with self.database.session() as session:
            session.add(TenantRow(id=TENANT, name="Springfield", created_at=begun))
            session.flush()
            for junction in JUNCTIONS:
                self._junction(session, junction, begun)

    def _junction(self, session: Session, junction: Junction, begun: datetime) -> None:
        site = SiteRow(
            tenant_id=TENANT, slug=junction.slug, name=junction.name, timezone=ZONE.key,
            latitude=junction.latitude, longitude=junction.longitude, created_at=begun,
        )  # fmt: skip
        session.add(site)
        session.flush()
        camera = CameraRow(tenant_id=TENANT, site_id=site.id or 0, slug="cam-north",
                           created_at=begun)  # fmt: skip
        session.add(camera)
        session.flush()
        number = self.cameras[junction.slug] = camera.id or 0
        layout = junction_layout("cam-north")
        session.add(
            LayoutRow(camera_id=number, valid_from=begun, tenant_id=TENANT,
                      content=layout.model_dump(mode="json"))
        )  # fmt: skip
        series = {}
        for one in junction_series():
            row = SeriesRow(tenant_id=TENANT, camera_id=number, kind=one.kind, name=one.name,
                            direction=one.direction)  # fmt: skip
            session.add(row)
            session.flush()
            series[one.kind, one.name, one.direction] = row.id or 0
        flows = [(flow.name, flow.start, flow.end, flow.movement) for flow in layout.flows]
        starts = list(self._quarters(begun, junction))
        counts = {
            name: self._drawn(starts, junction, _LEG_WEIGHTS[start] * _TURN_WEIGHTS[str(movement)])
            for name, start, _, movement in flows
        }
        by_series: dict[int, NDArray[np.int64]] = {}
        for name, start, end, _ in flows:
            by_series[series["flow", name, ""]] = counts[name]
            for leg, way in ((start, "right"), (end, "left")):
                line = series["line", leg, way]
                by_series[line] = by_series.get(line, np.zeros_like(counts[name])) + counts[name]
        kinds = {
            kind: np.sum([by_series[one] for key, one in series.items() if key[0] == kind], axis=0)
            for kind in ("flow", "line")
        }
        self._write(session, number, starts, by_series, kinds)
        self._speeds(session, starts, series["line", "north", "right"])

    def _quarters(self, begun: datetime, junction: Junction) -> Iterator[datetime]:
        start = begun.replace(hour=0, minute=0, second=0, microsecond=0)
        ends = self.now - (timedelta(hours=3) if junction.is_blind else timedelta())
        missing = self.now.replace(hour=8, minute=0) if junction.slug == "elm-and-main" else None
        while start + _QUARTER <= ends:
            is_missing = missing and missing <= start < missing + timedelta(minutes=45)
            if self._is_kept(start) and not is_missing:
                yield start
            start += _QUARTER

    def _is_kept(self, start: datetime) -> bool:
        """The newest week, and the days that today is compared with."""
        is_new = start > self.now - timedelta(days=8)
        return is_new or start.astimezone(ZONE).weekday() == self.now.weekday()

    def _drawn(
        self, starts: list[datetime], junction: Junction, weight: float
    ) -> NDArray[np.int64]:
        hours = np.array([(one.hour + 2 + one.minute / 60) % 24 for one in starts])
        peaks = np.exp(-(((hours - 8) / 1.5) ** 2)) + 1.2 * np.exp(-(((hours - 17) / 2) ** 2))
        day = np.clip(np.sin(np.pi * (hours - 5) / 18), 0, None)
        weekend = np.array([0.6 if one.weekday() >= 5 else 1.0 for one in starts])
        recent = self.now - timedelta(hours=1)
        pace = np.array([junction.pace if one >= recent else 1.0 for one in starts])
        noise = self._chance.normal(1, 0.05, len(starts))
        means = 40 * junction.busy * weight * weekend * pace * noise * (0.06 + peaks + 0.5 * day)
        return self._chance.poisson(np.clip(means, 0, None)[:, None] * _SHARES)

    def _write(
        self,
        session: Session,
        camera: int,
        starts: list[datetime],
        by_series: dict[int, NDArray[np.int64]],
        kinds: dict[str, NDArray[np.int64]],
    ) -> None:
        for width_s, begins, places in _widths(starts):
            bins = width_s // 60
            session.execute(
                insert(CameraRollupRow),
                [
                    {"camera_id": camera, "width_s": width_s, "start": begin, "tenant_id": TENANT,
                     "bins": len(group) * 15, "coverage_s": 900.0 * len(group),
                     "frames_seen": 13_500 * len(group), "frames_dropped": 0,
                     "good_s": 900.0 * len(group), "degraded_bins": 0}
                    for begin, group in zip(begins, places, strict=True)
                ],
            )  # fmt: skip
            for number, counts in by_series.items():
                rows = _rows(counts, begins, places, bins)
                own = {"series_id": number, "width_s": width_s, "tenant_id": TENANT}
                session.execute(
                    insert(CountRollupRow), [{**row, **own, "watched_bins": bins} for row in rows]
                )
            for kind, counts in kinds.items():
                own = {"camera_id": camera, "kind": kind, "width_s": width_s, "tenant_id": TENANT}
                session.execute(
                    insert(KindRollupRow),
                    [{**row, **own} for row in _rows(counts, begins, places, bins)],
                )

    def _speeds(self, session: Session, starts: list[datetime], series: int) -> None:
        """Of the newest week."""
        newest = [one for one in starts if one > self.now - timedelta(days=8)]
        hours = np.array([one.hour + 2 for one in newest])
        middles = 38 - 7 * np.exp(-(((hours - 17) / 2) ** 2))
        drawn = self._chance.normal(middles[:, None], 6, (len(newest), 60)) // 5 * 5
        rows = [
            {"series_id": series, "width_s": width_s, "start": begin, "low_kmh": int(low),
             "tenant_id": TENANT, "vehicles": int(number)}
            for width_s, begins, places in _widths(newest)
            for begin, group in zip(begins, places, strict=True)
            for low, number in zip(*np.unique(drawn[group], return_counts=True), strict=True)
        ]  # fmt: skip
        session.execute(insert(SpeedRollupRow), rows)
        counted = inspect(CountRollupRow).local_table
        session.connection().execute(
            update(counted)
            .where(
                counted.c.series_id == series,
                counted.c.width_s == bindparam("wide"),
                counted.c.start == bindparam("begin"),
            )
            .values(speeds=bindparam("measured"), speed_sum_kmh=bindparam("together")),
            [
                {"wide": width_s, "begin": begin, "measured": drawn[group].size,
                 "together": float((drawn[group] + 2.5).sum())}
                for width_s, begins, places in _widths(newest)
                for begin, group in zip(begins, places, strict=True)
            ],
        )  # fmt: skip


def _widths(
    starts: list[datetime],
) -> Iterator[tuple[int, list[datetime], list[list[int]]]]:
    """Quarter hours, whole hours and local days, each with the places of its quarters."""
    yield 900, starts, [[place] for place in range(len(starts))]
    hours: dict[datetime, list[int]] = {}
    days: dict[datetime, list[int]] = {}
    for place, start in enumerate(starts):
        here = start.astimezone(ZONE).replace(hour=0, minute=0)
        hours.setdefault(start.replace(minute=0), []).append(place)
        days.setdefault(here.astimezone(UTC), []).append(place)
    whole = {begin: places for begin, places in hours.items() if len(places) == 4}
    yield 3600, list(whole), list(whole.values())
    yield 86_400, list(days), list(days.values())


def _rows(
    counts: NDArray[np.int64], begins: list[datetime], places: list[list[int]], bins: int
) -> list[dict[str, Any]]:
    return [
        {"start": begin, "bins": bins, "withheld_bins": 0,
         **dict(zip(CLASSES, map(int, counts[group].sum(axis=0)), strict=True))}
        for begin, group in zip(begins, places, strict=True)
    ]  # fmt: skip
