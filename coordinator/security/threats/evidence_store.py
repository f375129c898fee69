"""Quarantine, reports, boxes and rounds of one tenant → the rows that detectors look at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlmodel import Session, col

from coordinator.federation.tables import ClientRoundRow, RoundRow
from coordinator.fleet.tables import DeviceRow
from coordinator.reports.tables import QuarantineRow, ReportRow
from coordinator.security.threats.report_traces import Doubt, Streams
from coordinator.security.threats.silence import Heard
from coordinator.security.threats.update_traces import Update

MOST_ROWS = 5000
_MOST_REPORTS = 50
_MOST_SILENT = 200
_ENROLLED = "enrolled"
_REFUSED = "refused"

# For each box four places in the index of the ledger, however long that is.
_STREAMS = text(
    """
    SELECT newest.id,
           (SELECT created_at FROM report
             WHERE device_id = newest.id AND epoch = newest.older
             ORDER BY sequence DESC LIMIT 1),
           (SELECT created_at FROM report
             WHERE device_id = newest.id AND epoch = newest.newer
             ORDER BY sequence LIMIT 1)
      FROM (SELECT found.id, found.newer,
                   (SELECT MAX(epoch) FROM report
                     WHERE device_id = found.id AND epoch < found.newer) AS older
              FROM (SELECT device.id,
                           (SELECT MAX(epoch) FROM report
                             WHERE device_id = device.id) AS newer
                      FROM device
                     WHERE device.tenant_id = :tenant AND device.state = 'enrolled') AS found
           ) AS newest
     WHERE newest.older IS NOT NULL
    """
)


class EvidenceStore:
    """What the coordinator keeps anyway, read for one tenant."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Read through ``session``; nothing is ever written."""
        self._session = session
        self._tenant_id = tenant_id

    def doubts(self, since: datetime) -> list[Doubt]:
        """Messages that were not believed; those of strangers belong to every tenant."""
        ours = select(col(DeviceRow.id)).where(col(DeviceRow.tenant_id) == self._tenant_id)
        query = (
            select(QuarantineRow)
            .where(
                col(QuarantineRow.at) >= since,
                col(QuarantineRow.device_id).is_(None) | col(QuarantineRow.device_id).in_(ours),
            )
            .order_by(col(QuarantineRow.at).desc())
            .limit(MOST_ROWS)
        )
        return [
            Doubt(reason=row.reason, device=row.device_id, at=row.at)
            for row in self._session.scalars(query)
        ]

    def streams(self) -> list[Streams]:
        """The two newest streams of every box that has more than one."""
        rows = self._session.execute(_STREAMS, {"tenant": self._tenant_id})
        return [
            Streams(device=device, older_last_at=_moment(older), newer_first_at=_moment(newer))
            for device, older, newer in rows
        ]

    def fleet(self) -> int:
        """How many boxes are enrolled."""
        query = select(func.count()).where(
            col(DeviceRow.tenant_id) == self._tenant_id, col(DeviceRow.state) == _ENROLLED
        )
        return int(self._session.execute(query).scalar_one())

    def quiet(self, since: datetime) -> list[Heard]:
        """Boxes that were not heard since, with when their newest reports were made."""
        query = (
            select(DeviceRow)
            .where(
                col(DeviceRow.tenant_id) == self._tenant_id,
                col(DeviceRow.state) == _ENROLLED,
                func.coalesce(col(DeviceRow.last_seen_at), col(DeviceRow.enrolled_at)) < since,
            )
            .order_by(col(DeviceRow.id))
        )
        rows = list(self._session.scalars(query))
        # Of very many, the ledger is not asked: then it is no single box anyway.
        made = {row.id: self._made_at(row.id) for row in rows[:_MOST_SILENT]}
        return [
            Heard(
                device=row.id,
                since=row.enrolled_at,
                last_at=row.last_seen_at,
                made_at=made.get(row.id, ()),
            )
            for row in rows
        ]

    def updates(self, since: datetime) -> list[Update]:
        """Every box in every round that finished since."""
        query = (
            select(ClientRoundRow, col(RoundRow.finished_at))
            .join(
                RoundRow,
                (col(RoundRow.run_id) == ClientRoundRow.run_id)
                & (col(RoundRow.number) == ClientRoundRow.number),
            )
            .where(
                col(ClientRoundRow.tenant_id) == self._tenant_id,
                col(RoundRow.finished_at) >= since,
            )
            .order_by(col(RoundRow.finished_at).desc())
            .limit(MOST_ROWS)
        )
        return [
            Update(
                run=row.run_id,
                round=row.number,
                device=row.device_id,
                is_refused=row.verdict == _REFUSED,
                reasons=tuple(row.reasons),
                norm=row.norm,
                at=finished_at,
            )
            for row, finished_at in self._session.execute(query)
        ]

    def _made_at(self, device: str) -> Sequence[datetime]:
        query = (
            select(col(ReportRow.created_at))
            .where(col(ReportRow.device_id) == device)
            .order_by(col(ReportRow.epoch).desc(), col(ReportRow.sequence).desc())
            .limit(_MOST_REPORTS)
        )
        return list(self._session.scalars(query))


def _moment(stored: Any) -> datetime:
    """A statement of ours comes back as text from SQLite."""
    at = stored if isinstance(stored, datetime) else datetime.fromisoformat(str(stored))
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
