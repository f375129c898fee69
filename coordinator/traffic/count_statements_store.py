"""Bin width → the statement that reads counts or coverage in bins of that width.

Minutes come from the base tables, where parts add up; everything wider comes from the
roll-ups. Both give the same columns in the same order.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlmodel import col

from common.road_users import ROAD_USERS
from coordinator.traffic.periods import Period, Width
from coordinator.traffic.rollup_tables import (
    AreaRollupRow,
    CameraRollupRow,
    CountRollupRow,
    SpeedRollupRow,
)
from coordinator.traffic.tables import AreaRow, CameraBinRow, CountRow, SpeedRow

_SUMS = (
    *(road_user.value for road_user in ROAD_USERS),
    "inferred",
    "speeds",
    "speed_sum_kmh",
    "headways",
    "headway_sum_s",
    "time_gaps",
    "time_gap_sum_s",
)
Column = ColumnElement[Any]


def counts_by_bin(width: Width, period: Period) -> Select[*tuple[Any, ...]]:
    """series_id, start, classes in order, the other sums, bins, withheld bins, least headway."""
    if width is Width.MINUTE:
        return (
            select(
                col(CountRow.series_id),
                col(CountRow.start),
                *_summed(CountRow),
                *_how_many(CountRow),
                func.min(col(CountRow.headway_least_s)),
            )
            .where(*_within(CountRow, period, 60))
            .group_by(col(CountRow.series_id), col(CountRow.start))
            .order_by(col(CountRow.start), col(CountRow.series_id))
        )
    row = CountRollupRow
    return (
        select(
            col(row.series_id),
            col(row.start),
            *_plain(row),
            col(row.bins),
            col(row.withheld_bins),
            col(row.headway_least_s),
        )
        .where(*_within(row, period, width.seconds))
        .order_by(col(row.start), col(row.series_id))
    )


def counts_of_period(width: Width, period: Period) -> Select[*tuple[Any, ...]]:
    """As ``counts_by_bin``, all bins of a series added up; start is the first one's."""
    row, seconds = _source(width)
    return (
        select(
            col(row.series_id),
            func.min(col(row.start)),
            *_summed(row),
            *_how_many(row),
            func.min(col(row.headway_least_s)),
        )
        .where(*_within(row, period, seconds))
        .group_by(col(row.series_id))
        .order_by(col(row.series_id))
    )


def coverage_by_bin(width: Width, period: Period) -> Select[*tuple[Any, ...]]:
    """camera_id, start, bins, coverage_s, good_s, degraded bins, frames seen and dropped."""
    if width is not Width.MINUTE:
        row = CameraRollupRow
        return (
            select(
                col(row.camera_id),
                col(row.start),
                col(row.bins),
                col(row.coverage_s),
                col(row.good_s),
                col(row.degraded_bins),
                col(row.frames_seen),
                col(row.frames_dropped),
            )
            .where(*_within(row, period, width.seconds))
            .order_by(col(row.start), col(row.camera_id))
        )
    minute = CameraBinRow
    return (
        select(
            col(minute.camera_id),
            col(minute.start),
            func.count(),
            func.sum(col(minute.coverage_s)),
            func.sum(case((col(minute.quality) == "good", col(minute.coverage_s)), else_=0.0)),
            func.sum(case((col(minute.quality) == "degraded", 1), else_=0)),
            func.sum(col(minute.frames_seen)),
            func.sum(col(minute.frames_dropped)),
        )
        .where(*_within(minute, period, 60))
        .group_by(col(minute.camera_id), col(minute.start))
        .order_by(col(minute.start), col(minute.camera_id))
    )


def coverage_of_period(width: Width, period: Period) -> Select[*tuple[Any, ...]]:
    """As ``coverage_by_bin``, all bins of a camera added up; start is the first one's.

    Raises:
        ValueError: The width is a minute: a period is never that odd.
    """
    if width is Width.MINUTE:
        raise ValueError("coverage of a period in minutes, expected five minutes or more")
    row = CameraRollupRow
    sums = (
        row.bins,
        row.coverage_s,
        row.good_s,
        row.degraded_bins,
        row.frames_seen,
        row.frames_dropped,
    )
    return (
        select(col(row.camera_id), func.min(col(row.start)), *(func.sum(col(n)) for n in sums))
        .where(*_within(row, period, width.seconds))
        .group_by(col(row.camera_id))
        .order_by(col(row.camera_id))
    )


def speeds_by_bin(width: Width, period: Period, *, keep_bins: bool) -> Select[*tuple[Any, ...]]:
    """series_id, start, low_kmh, vehicles; without ``keep_bins`` one histogram a series."""
    row: Any = SpeedRow if width is Width.MINUTE else SpeedRollupRow
    start = col(row.start) if keep_bins else func.min(col(row.start))
    keys = [col(row.series_id), col(row.low_kmh), *([col(row.start)] if keep_bins else [])]
    return (
        select(col(row.series_id), start, col(row.low_kmh), func.sum(col(row.vehicles)))
        .where(*_within(row, period, width.seconds))
        .group_by(*keys)
        .order_by(*keys)
    )


def areas_by_bin(width: Width, period: Period) -> Select[*tuple[Any, ...]]:
    """series_id, start, occupied, queue, queue in metres, dwell, walks, bins, withheld bins."""
    row: Any = AreaRow if width is Width.MINUTE else AreaRollupRow
    return (
        select(
            col(row.series_id),
            col(row.start),
            func.avg(col(row.occupied_share)),
            func.max(col(row.queue_most)),
            func.max(col(row.queue_most_m)),
            func.avg(col(row.dwell_mean_s)),
            func.sum(col(row.walks)),
            *_how_many(row),
        )
        .where(*_within(row, period, width.seconds))
        .group_by(col(row.series_id), col(row.start))
        .order_by(col(row.start), col(row.series_id))
    )


def _source(width: Width) -> tuple[Any, int]:
    return (CountRow, 60) if width is Width.MINUTE else (CountRollupRow, width.seconds)


def _within(row: Any, period: Period, seconds: int) -> list[Column]:
    return [
        col(row.width_s) == seconds,
        col(row.start) >= period.start,
        col(row.start) < period.end,
    ]


def _plain(row: Any) -> list[Column]:
    columns: list[Column] = [getattr(row, name) for name in _SUMS]
    return columns


def _summed(row: Any) -> list[Column]:
    # SUM passes over NULL and is NULL where every part is: unwatched never becomes 0.
    return [func.sum(column) for column in _plain(row)]


def _how_many(row: Any) -> list[Column]:
    if row in (CountRow, AreaRow):
        return [func.count(), func.sum(case((col(row.withheld), 1), else_=0))]
    return [func.sum(col(row.bins)), func.sum(col(row.withheld_bins))]
