"""One local day → sums and coverage of every site of a city."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlmodel import Session, col

from common.road_users import ROAD_USERS
from coordinator.traffic.answers import CameraSums, SiteDay
from coordinator.traffic.periods import DAY_S
from coordinator.traffic.rollup_tables import CameraRollupRow, CountRollupRow
from coordinator.traffic.tables import CameraRow, SeriesRow

_VEHICLES = [user.value for user in ROAD_USERS if user.is_vehicle]


class CityStore:
    """Days of all sites, for one tenant."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Read through ``session`` what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def counts(self, start: datetime) -> list[SiteDay]:
        """Every site and kind with a bin of the day that starts at ``start``."""
        row = CountRollupRow
        query = (
            select(
                col(CameraRow.site_id),
                col(SeriesRow.kind),
                *(func.sum(getattr(row, name)) for name in _VEHICLES),
                func.sum(col(row.person)),
                func.sum(col(row.withheld_bins)),
            )
            .select_from(SeriesRow)
            .join(CameraRow, col(CameraRow.id) == col(SeriesRow.camera_id))
            .join(row, col(row.series_id) == col(SeriesRow.id))
            .where(
                col(SeriesRow.tenant_id) == self._tenant_id,
                col(SeriesRow.kind).in_(("line", "flow")),
                col(row.tenant_id) == self._tenant_id,
                # Said twice: SQLite without statistics reads the whole table otherwise.
                col(row.series_id).in_(
                    select(col(SeriesRow.id)).where(col(SeriesRow.tenant_id) == self._tenant_id)
                ),
                col(row.width_s) == DAY_S,
                col(row.start) == start,
            )
            .group_by(col(CameraRow.site_id), col(SeriesRow.kind))
        )
        days = []
        for site_id, kind, *classes, people, withheld in self._session.execute(query):
            known = [int(number) for number in classes if number is not None]
            days.append(
                SiteDay(
                    site_id=site_id,
                    kind=kind,
                    vehicles=sum(known) if known else None,
                    people=None if people is None else int(people),
                    withheld_bins=int(withheld or 0),
                )
            )
        return days

    def coverage(self, start: datetime) -> list[tuple[int, CameraSums]]:
        """Site id and coverage of every camera that reported on that day."""
        row = CameraRollupRow
        query = (
            select(
                col(CameraRow.site_id),
                col(row.camera_id),
                col(row.start),
                col(row.bins),
                col(row.coverage_s),
                col(row.good_s),
                col(row.degraded_bins),
                col(row.frames_seen),
                col(row.frames_dropped),
            )
            .join(CameraRow, col(CameraRow.id) == col(row.camera_id))
            .where(
                col(CameraRow.tenant_id) == self._tenant_id,
                col(row.tenant_id) == self._tenant_id,
                col(row.camera_id).in_(
                    select(col(CameraRow.id)).where(col(CameraRow.tenant_id) == self._tenant_id)
                ),
                col(row.width_s) == DAY_S,
                col(row.start) == start,
            )
        )
        return [
            (
                site_id,
                CameraSums(
                    camera_id=camera_id,
                    start=day,
                    bins=bins,
                    coverage_s=coverage_s,
                    good_s=good_s,
                    degraded_bins=degraded,
                    frames_seen=seen,
                    frames_dropped=dropped,
                ),
            )
            for site_id, camera_id, day, bins, coverage_s, good_s, degraded, seen, dropped in (
                self._session.execute(query)
            )
        ]
