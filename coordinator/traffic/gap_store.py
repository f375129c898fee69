"""Cameras → what their bins say about watching, and the ledger of gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, delete, func, select
from sqlmodel import Session, col

from coordinator.traffic.gaps import BinFacts, Gap, Reason
from coordinator.traffic.periods import Period
from coordinator.traffic.quality_tables import GapRow, GapScanRow, MaintenanceRow
from coordinator.traffic.tables import CameraBinRow, CountRow, SeriesRow


@dataclass(frozen=True, slots=True, kw_only=True)
class GapScan:
    """How far one camera's ledger is written."""

    threshold_s: float
    learned_from_pauses: int
    scanned_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownGap:
    """A gap of the ledger."""

    camera_id: int
    gap: Gap
    threshold_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A maintenance window."""

    camera_id: int
    period: Period
    note: str


class GapStore:
    """The ledger of gaps, for one tenant."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Read and write through ``session`` what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def bins(self, camera_id: int, period: Period) -> list[BinFacts]:
        """What every bin of the camera that starts in ``period`` says about watching."""
        row = CameraBinRow
        query = select(
            col(row.start),
            col(row.width_s),
            col(row.coverage_s),
            col(row.frames_dropped),
            col(row.clock),
            col(row.flags),
            col(row.gaps),
        ).where(
            col(row.tenant_id) == self._tenant_id,
            col(row.camera_id) == camera_id,
            col(row.start) >= period.start,
            col(row.start) < period.end,
        )
        withheld = self._withheld(camera_id, period)
        return [
            BinFacts(
                start=start,
                width_s=width_s,
                coverage_s=coverage_s,
                frames_dropped=dropped,
                flags=frozenset([*flags, *(["clock_unsure"] if clock == "unsure" else [])]),
                gaps=tuple((float(first), float(last)) for first, last in gaps),
                is_withheld=start in withheld,
            )
            for start, width_s, coverage_s, dropped, clock, flags, gaps in (
                self._session.execute(query)
            )
        ]

    def first_bin(self, camera_id: int) -> datetime | None:
        """Start of the first bin that the camera ever reported."""
        query = select(func.min(col(CameraBinRow.start))).where(
            col(CameraBinRow.camera_id) == camera_id
        )
        return self._session.scalars(query).one()

    def scan(self, camera_id: int) -> GapScan | None:
        """How far the ledger of a camera is written."""
        row = self._session.get(GapScanRow, camera_id)
        if row is None:
            return None
        return GapScan(
            threshold_s=row.threshold_s,
            learned_from_pauses=row.learned_from_pauses,
            scanned_until=row.scanned_until,
        )

    def remember(self, camera_id: int, scan: GapScan) -> None:
        """Note how far the ledger of a camera is written."""
        self._session.merge(
            GapScanRow(
                camera_id=camera_id,
                tenant_id=self._tenant_id,
                threshold_s=scan.threshold_s,
                learned_from_pauses=scan.learned_from_pauses,
                scanned_until=scan.scanned_until,
            )
        )

    def filled_since(self, camera_id: int) -> datetime | None:
        """Start of the oldest offline gap for which bins arrived after all."""
        query = (
            select(func.min(col(GapRow.start)))
            .join(
                CameraBinRow,
                (col(CameraBinRow.camera_id) == col(GapRow.camera_id))
                & (col(CameraBinRow.start) >= col(GapRow.start))
                & (col(CameraBinRow.start) < col(GapRow.end)),
            )
            .where(
                col(GapRow.camera_id) == camera_id,
                col(GapRow.reason) == Reason.OFFLINE.value,
                # Bins of an offline gap that were there all along watched nothing.
                col(CameraBinRow.coverage_s) > 0,
            )
        )
        return self._session.scalars(query).one()

    def replace(
        self, camera_id: int, period: Period, gaps: Sequence[Gap], *, scan: GapScan, now: datetime
    ) -> None:
        """Write the ledger of ``period`` anew."""
        self._session.execute(
            delete(GapRow).where(
                col(GapRow.camera_id) == camera_id,
                col(GapRow.tenant_id) == self._tenant_id,
                col(GapRow.start) >= period.start,
                col(GapRow.start) < period.end,
            )
        )
        self._session.add_all(
            GapRow(
                tenant_id=self._tenant_id,
                camera_id=camera_id,
                start=gap.start,
                end=gap.end,
                reason=gap.reason.value,
                threshold_s=scan.threshold_s,
                found_at=now,
            )
            for gap in gaps
        )
        self._session.flush()

    def straddling(self, camera_id: int, moment: datetime) -> datetime | None:
        """Start of a gap that holds or touches ``moment``."""
        query = select(func.min(col(GapRow.start))).where(
            col(GapRow.camera_id) == camera_id,
            col(GapRow.start) < moment,
            col(GapRow.end) >= moment,
        )
        return self._session.scalars(query).one()

    def gaps(self, camera_ids: Sequence[int], period: Period) -> list[KnownGap]:
        """Gaps that overlap ``period``, by start."""
        query = (
            select(GapRow)
            .where(
                col(GapRow.tenant_id) == self._tenant_id,
                col(GapRow.camera_id).in_(camera_ids),
                col(GapRow.start) < period.end,
                col(GapRow.end) > period.start,
            )
            .order_by(col(GapRow.start), col(GapRow.camera_id))
        )
        return [
            KnownGap(
                camera_id=row.camera_id,
                gap=Gap(start=row.start, end=row.end, reason=Reason(row.reason)),
                threshold_s=row.threshold_s,
            )
            for row in self._session.scalars(query)
        ]

    def works(self, camera_ids: Sequence[int], period: Period) -> list[Work]:
        """Maintenance windows that overlap ``period``, by start."""
        query = (
            select(MaintenanceRow)
            .where(
                col(MaintenanceRow.tenant_id) == self._tenant_id,
                col(MaintenanceRow.camera_id).in_(camera_ids),
                col(MaintenanceRow.start) < period.end,
                col(MaintenanceRow.end) > period.start,
            )
            .order_by(col(MaintenanceRow.start), col(MaintenanceRow.id))
        )
        return [
            Work(camera_id=row.camera_id, period=Period(row.start, row.end), note=row.note)
            for row in self._session.scalars(query)
        ]

    def add_work(self, work: Work, *, now: datetime) -> None:
        """Remember that somebody works at a camera."""
        self._session.add(
            MaintenanceRow(
                tenant_id=self._tenant_id,
                camera_id=work.camera_id,
                start=work.period.start,
                end=work.period.end,
                note=work.note,
                told_at=now,
            )
        )
        self._session.flush()

    def _withheld(self, camera_id: int, period: Period) -> frozenset[datetime]:
        query = (
            select(col(CountRow.start))
            .join(SeriesRow, col(SeriesRow.id) == col(CountRow.series_id))
            .where(
                col(SeriesRow.camera_id) == camera_id,
                col(CountRow.tenant_id) == self._tenant_id,
                col(CountRow.start) >= period.start,
                col(CountRow.start) < period.end,
            )
            .group_by(col(CountRow.start))
            # Only when no series of the camera has a number left.
            .having(func.sum(case((col(CountRow.withheld), 0), else_=1)) == 0)
        )
        return frozenset(self._session.scalars(query))
