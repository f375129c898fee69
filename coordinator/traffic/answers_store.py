"""Series, width and period → sums in bins of that width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select
from sqlmodel import Session, col

from common.road_users import ROAD_USERS
from coordinator.traffic.answers import AreaSums, CameraSums, CountSums
from coordinator.traffic.count_statements_store import (
    areas_by_bin,
    counts_by_bin,
    counts_of_period,
    coverage_by_bin,
    coverage_of_period,
    speeds_by_bin,
)
from coordinator.traffic.periods import Period, Width
from coordinator.traffic.rollup_tables import (
    AreaRollupRow,
    CameraRollupRow,
    CountRollupRow,
    SpeedRollupRow,
)
from coordinator.traffic.tables import AreaRow, CameraBinRow, CountRow, SpeedRow

_NAMES = tuple(user.value for user in ROAD_USERS)
_AFTER_CLASSES = 2 + len(_NAMES)


class AnswersStore:
    """Sums over time, for one tenant; every question is one statement."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Read through ``session`` what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def counts(self, series_ids: Sequence[int], width: Width, period: Period) -> list[CountSums]:
        """Every bin that was reported, by start and series."""
        return self._count_rows(counts_by_bin(width, period), series_ids, width)

    def counts_of_period(self, series_ids: Sequence[int], period: Period) -> dict[int, CountSums]:
        """Series id → its sum over the whole period, which is whole minutes long."""
        width = widest_within(period)
        rows = self._count_rows(counts_of_period(width, period), series_ids, width)
        return {row.series_id: row for row in rows}

    def coverage(self, camera_ids: Sequence[int], width: Width, period: Period) -> list[CameraSums]:
        """Every bin that was reported, by start and camera."""
        return self._coverage_rows(coverage_by_bin(width, period), camera_ids, width)

    def coverage_of_period(
        self, camera_ids: Sequence[int], width: Width, period: Period
    ) -> list[CameraSums]:
        """Every camera's sum over the whole period, in bins of ``width``."""
        return self._coverage_rows(coverage_of_period(width, period), camera_ids, width)

    def speeds(
        self, series_ids: Sequence[int], width: Width, period: Period
    ) -> dict[tuple[int, datetime], dict[int, int]]:
        """Series id and bin start → lower bound of each speed class → vehicles."""
        histograms: dict[tuple[int, datetime], dict[int, int]] = {}
        query = speeds_by_bin(width, period, keep_bins=True)
        for series_id, start, low_kmh, vehicles in self._speed_rows(query, series_ids, width):
            histograms.setdefault((series_id, start), {})[low_kmh] = vehicles
        return histograms

    def speeds_of_period(
        self, series_ids: Sequence[int], period: Period
    ) -> dict[int, dict[int, int]]:
        """Series id → histogram over the whole period, which is whole minutes long."""
        width = widest_within(period)
        histograms: dict[int, dict[int, int]] = {}
        query = speeds_by_bin(width, period, keep_bins=False)
        for series_id, _, low_kmh, vehicles in self._speed_rows(query, series_ids, width):
            histograms.setdefault(series_id, {})[low_kmh] = vehicles
        return histograms

    def areas(self, series_ids: Sequence[int], width: Width, period: Period) -> list[AreaSums]:
        """Every bin that was reported, by start and series."""
        row: Any = AreaRow if width is Width.MINUTE else AreaRollupRow
        query = self._mine(areas_by_bin(width, period), row).where(
            col(row.series_id).in_(series_ids)
        )
        return [
            AreaSums(
                series_id=series_id,
                start=start,
                occupied_share=occupied,
                queue_most=queue,
                queue_most_m=queue_m,
                dwell_mean_s=dwell_s,
                walks=None if walks is None else int(walks),
                bins=int(bins),
                withheld_bins=int(withheld),
            )
            for series_id, start, occupied, queue, queue_m, dwell_s, walks, bins, withheld in (
                self._session.connection().execute(query).all()
            )
        ]

    def _count_rows(
        self, query: Select[*tuple[Any, ...]], series_ids: Sequence[int], width: Width
    ) -> list[CountSums]:
        row: Any = CountRow if width is Width.MINUTE else CountRollupRow
        wanted = self._mine(query, row).where(col(row.series_id).in_(series_ids))
        return [_count_sums(values) for values in self._session.connection().execute(wanted).all()]

    def _coverage_rows(
        self, query: Select[*tuple[Any, ...]], camera_ids: Sequence[int], width: Width
    ) -> list[CameraSums]:
        row: Any = CameraBinRow if width is Width.MINUTE else CameraRollupRow
        wanted = self._mine(query, row).where(col(row.camera_id).in_(camera_ids))
        return [_camera_sums(values) for values in self._session.connection().execute(wanted).all()]

    def _speed_rows(
        self, query: Select[*tuple[Any, ...]], series_ids: Sequence[int], width: Width
    ) -> Iterable[Any]:
        row: Any = SpeedRow if width is Width.MINUTE else SpeedRollupRow
        return self._session.connection().execute(
            self._mine(query, row).where(col(row.series_id).in_(series_ids))
        )

    def _mine(self, query: Select[*tuple[Any, ...]], row: Any) -> Select[*tuple[Any, ...]]:
        return query.where(col(row.tenant_id) == self._tenant_id)


def widest_within(period: Period) -> Width:
    """The widest bins, up to an hour, that fill the period exactly.

    Raises:
        ValueError: The period is not made of whole minutes.
    """
    edges = [period.start.timestamp(), period.end.timestamp()]
    for width in (Width.HOUR, Width.QUARTER_HOUR, Width.FIVE_MINUTES, Width.MINUTE):
        if not any(edge % width.seconds for edge in edges):
            return width
    raise ValueError(f"period {period.start} to {period.end}, expected whole minutes")


def _camera_sums(values: Sequence[Any]) -> CameraSums:
    camera_id, start, bins, coverage_s, good_s, degraded, seen, dropped = values
    return CameraSums(
        camera_id=camera_id,
        start=start,
        bins=int(bins),
        coverage_s=float(coverage_s),
        good_s=float(good_s),
        degraded_bins=int(degraded),
        frames_seen=int(seen),
        frames_dropped=int(dropped),
    )


def _count_sums(values: Sequence[Any]) -> CountSums:
    classes = values[2:_AFTER_CLASSES]
    if None in classes:
        is_known = any(number is not None for number in classes)
        classes = [number or 0 for number in classes]
    else:
        is_known = True
    inferred, speeds, speed_sum, headways, headway_sum, gaps, gap_sum, bins, withheld, least = (
        values[_AFTER_CLASSES:]
    )
    return CountSums(
        series_id=values[0],
        start=values[1],
        # The database adds whole numbers up to a decimal.
        counts=dict(zip(_NAMES, map(int, classes), strict=True)) if is_known else None,
        bins=int(bins),
        withheld_bins=int(withheld or 0),
        inferred=inferred or 0,
        speeds=speeds or 0,
        speed_sum_kmh=speed_sum or 0.0,
        headways=headways or 0,
        headway_sum_s=headway_sum or 0.0,
        headway_least_s=least,
        time_gaps=gaps or 0,
        time_gap_sum_s=gap_sum or 0.0,
    )
