"""A few quarter hours → what all cameras of a city counted and watched in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select
from sqlmodel import Session, col

from common.road_users import ROAD_USERS
from coordinator.traffic.periods import Width
from coordinator.traffic.rollup_tables import CameraRollupRow, KindRollupRow
from coordinator.traffic.tables import CameraRow

_VEHICLES = tuple(user.value for user in ROAD_USERS if user.is_vehicle)


@dataclass(frozen=True, slots=True)
class CountedQuarter:
    """Vehicles on all lines or all flows of one camera in one quarter hour."""

    site_id: int
    camera_id: int
    kind: str
    start: datetime
    vehicles: int | None


@dataclass(frozen=True, slots=True)
class WatchedQuarter:
    """Seconds that one camera watched of one quarter hour."""

    camera_id: int
    start: datetime
    coverage_s: float


class PulseStore:
    """Quarter hours of all sites, for one tenant."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Read through ``session`` what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def counted(self, starts: Sequence[datetime]) -> list[CountedQuarter]:
        """Every camera and kind that was reported in one of these quarter hours."""
        row = KindRollupRow
        query = (
            select(
                col(CameraRow.site_id),
                col(row.camera_id),
                col(row.kind),
                col(row.start),
                *(getattr(row, name) for name in _VEHICLES),
            )
            .join(CameraRow, col(CameraRow.id) == col(row.camera_id))
            .where(
                col(CameraRow.tenant_id) == self._tenant_id,
                col(row.tenant_id) == self._tenant_id,
                col(row.camera_id).in_(self._cameras()),
                col(row.kind).in_(("flow", "line")),
                col(row.width_s) == Width.QUARTER_HOUR.seconds,
                col(row.start).in_(starts),
            )
        )
        return [
            CountedQuarter(site_id, camera_id, kind, start, _sum(classes))
            for site_id, camera_id, kind, start, *classes in self._session.execute(query)
        ]

    def watched(self, starts: Sequence[datetime]) -> list[WatchedQuarter]:
        """Every camera that reported in one of these quarter hours."""
        row = CameraRollupRow
        query = (
            select(col(row.camera_id), col(row.start), col(row.coverage_s))
            .join(CameraRow, col(CameraRow.id) == col(row.camera_id))
            .where(
                col(CameraRow.tenant_id) == self._tenant_id,
                col(row.tenant_id) == self._tenant_id,
                col(row.camera_id).in_(self._cameras()),
                col(row.width_s) == Width.QUARTER_HOUR.seconds,
                col(row.start).in_(starts),
            )
        )
        return [WatchedQuarter(*values) for values in self._session.execute(query)]

    def _cameras(self) -> Select[*tuple[int | None]]:
        """Said beside the join: SQLite without statistics reads the whole table otherwise."""
        return select(col(CameraRow.id)).where(col(CameraRow.tenant_id) == self._tenant_id)


def _sum(classes: Sequence[int | None]) -> int | None:
    known = [number for number in classes if number is not None]
    return sum(known) if known else None
