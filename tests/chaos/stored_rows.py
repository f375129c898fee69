"""The coordinator's database → what it holds of one box, keyed as the ledgers are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, SQLModel, col

from coordinator.fleet.tables import DeviceRow
from coordinator.reports.tables import QuarantineCountRow, ReportRow
from coordinator.traffic.rollup_tables import (
    AreaRollupRow,
    CameraRollupRow,
    CountRollupRow,
    KindRollupRow,
    RollupDueRow,
    SpeedRollupRow,
)
from coordinator.traffic.tables import (
    AreaRow,
    CameraBinRow,
    CameraRow,
    CountRow,
    LossRow,
    SeriesRow,
    SpeedRow,
)
from tests.chaos.expected_rows import Key, Rows, Tables

_CAMERA_TABLES: tuple[tuple[str, type[SQLModel]], ...] = (
    ("camera_bin", CameraBinRow),
    ("camera_rollup", CameraRollupRow),
    ("traffic_kind_rollup", KindRollupRow),
)
_SERIES_TABLES: tuple[tuple[str, type[SQLModel]], ...] = (
    ("traffic_count", CountRow),
    ("traffic_speed", SpeedRow),
    ("traffic_area", AreaRow),
    ("traffic_count_rollup", CountRollupRow),
    ("traffic_speed_rollup", SpeedRollupRow),
    ("traffic_area_rollup", AreaRollupRow),
)
_KEY_AFTER = ("kind", "start", "part", "width_s", "low_kmh")
_NO_FIGURE = frozenset({"tenant_id", "camera_id", "series_id", *_KEY_AFTER})


def stored_rows(session: Session, *, device: str) -> Tables:
    """Everything about the cameras of a box's site."""
    site_id = session.scalars(select(DeviceRow.site_id).where(col(DeviceRow.id) == device)).one()
    cameras: dict[int, Key] = {
        row.id: (row.slug,)
        for row in session.scalars(select(CameraRow).where(col(CameraRow.site_id) == site_id))
        if row.id is not None
    }
    series: dict[int, Key] = {
        row.id: (*cameras[row.camera_id], row.kind, row.name, row.direction)
        for row in session.scalars(
            select(SeriesRow).where(col(SeriesRow.camera_id).in_(list(cameras)))
        )
        if row.id is not None
    }
    return {
        name: _rows(session, table, owner, names)
        for tables, owner, names in (
            (_CAMERA_TABLES, "camera_id", cameras),
            (_SERIES_TABLES, "series_id", series),
        )
        for name, table in tables
    }


def losses_told(session: Session) -> list[dict[str, Any]]:
    """What boxes say they lost."""
    return [
        row.model_dump(include={"device_id", "camera", "reason", "bins", "first_at", "last_at"})
        for row in session.scalars(select(LossRow))
    ]


def quarantined(session: Session) -> dict[str, int]:
    """Reason → messages."""
    query = select(
        col(QuarantineCountRow.reason), func.sum(col(QuarantineCountRow.messages))
    ).group_by(col(QuarantineCountRow.reason))
    return {reason: int(messages) for reason, messages in session.execute(query)}


def reports_stored(session: Session) -> int:
    """How many reports stand in the coordinator's ledger."""
    return int(session.execute(select(func.count()).select_from(ReportRow)).scalar_one())


def bins_due(session: Session) -> int:
    """How much still waits to be summed."""
    return int(session.execute(select(func.count()).select_from(RollupDueRow)).scalar_one())


def _rows(session: Session, table: type[SQLModel], owner: str, names: dict[int, Key]) -> Rows:
    columns = SQLModel.metadata.tables[str(table.__tablename__)].columns
    keys = [name for name in _KEY_AFTER if name in columns]
    figures = [column.name for column in columns if column.name not in _NO_FIGURE]
    query = select(columns[owner], *(columns[name] for name in (*keys, *figures))).where(
        columns[owner].in_(list(names))
    )
    return dict(_keyed(session, query, names, figures, len(keys)))


def _keyed(
    session: Session, query: Any, names: dict[int, Key], figures: list[str], keys: int
) -> Iterator[tuple[Key, dict[str, Any]]]:
    for owner, *values in session.execute(query.execution_options(yield_per=5000)):
        yield (*names[owner], *values[:keys]), dict(zip(figures, values[keys:], strict=True))
