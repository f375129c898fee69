"""Cameras and a period → incidents and conflicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlmodel import Session, col

from coordinator.traffic.answers import IncidentFact, SafetySums
from coordinator.traffic.periods import Period
from coordinator.traffic.tables import CameraBinRow, IncidentRow


class SafetyStore:
    """What happened on the road, for one tenant."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Read through ``session`` what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def sums(self, camera_ids: Sequence[int], period: Period) -> dict[int, SafetySums]:
        """Camera id → incidents and conflicts per kind; None when nothing was watched."""
        row = CameraBinRow
        query = select(col(row.camera_id), col(row.incidents), col(row.conflicts)).where(
            col(row.tenant_id) == self._tenant_id,
            col(row.camera_id).in_(camera_ids),
            col(row.start) >= period.start,
            col(row.start) < period.end,
        )
        incidents: dict[int, dict[str, int] | None] = {}
        conflicts: dict[int, dict[str, int] | None] = {}
        for camera_id, of_incidents, of_conflicts in self._session.execute(query):
            _add(incidents, camera_id, of_incidents)
            _add(conflicts, camera_id, of_conflicts)
        return {
            camera_id: SafetySums(
                camera_id=camera_id,
                incidents=incidents[camera_id],
                conflicts=conflicts[camera_id],
            )
            for camera_id in incidents
        }

    def incidents(
        self, camera_ids: Sequence[int], period: Period, *, after: int, limit: int
    ) -> list[IncidentFact]:
        """Incidents that operational cameras told, by id, those above ``after``."""
        row = IncidentRow
        query = (
            select(row)
            .where(
                col(row.tenant_id) == self._tenant_id,
                col(row.camera_id).in_(camera_ids),
                col(row.at) >= period.start,
                col(row.at) < period.end,
                col(row.id) > after,
            )
            .order_by(col(row.id))
            .limit(limit)
        )
        return [
            IncidentFact(
                id=found.id or 0,
                camera_id=found.camera_id,
                section=found.section,
                incident=found.incident,
                road_user=found.road_user,
                at=found.at,
            )
            for found in self._session.scalars(query)
        ]


def _add(
    sums: dict[int, dict[str, int] | None], camera_id: int, part: Mapping[str, int] | None
) -> None:
    known = sums.setdefault(camera_id, None)
    if part is not None:
        # A kind that was watched for and never seen stays in the answer as 0.
        kinds = {**(known or {})}
        for kind, number in part.items():
            kinds[kind] = kinds.get(kind, 0) + number
        sums[camera_id] = kinds
