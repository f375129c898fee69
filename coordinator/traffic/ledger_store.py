"""A filter → pages of the gap ledger over many cameras, and the gaps of a whole period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlmodel import Session, col

from coordinator.traffic.gap_store import GapScan, KnownGap
from coordinator.traffic.gaps import Gap, Reason
from coordinator.traffic.periods import Period
from coordinator.traffic.quality_tables import GapRow, GapScanRow


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFilter:
    """Which gaps are wanted: those of ``camera_ids`` that overlap ``period``."""

    camera_ids: Sequence[int]
    period: Period
    reason: Reason | None = None


class LedgerStore:
    """The ledger of gaps as people page through it, for one tenant."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Read through ``session`` what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def count(self, wanted: LedgerFilter) -> int:
        """How many gaps match."""
        query = self._matching(select(func.count()).select_from(GapRow), wanted)
        return int(self._session.scalars(query).one())

    def page(self, wanted: LedgerFilter, *, skip: int, most: int) -> list[KnownGap]:
        """Some of those that match, newest first."""
        query = (
            self._matching(select(GapRow), wanted)
            .order_by(col(GapRow.start).desc(), col(GapRow.id).desc())
            .offset(skip)
            .limit(most)
        )
        return [
            KnownGap(
                camera_id=row.camera_id,
                gap=Gap(start=row.start, end=row.end, reason=Reason(row.reason)),
                threshold_s=row.threshold_s,
            )
            for row in self._session.scalars(query)
        ]

    def scans(self, camera_ids: Sequence[int]) -> dict[int, GapScan]:
        """Camera id → how far its ledger is written; cameras never scanned are absent."""
        query = select(GapScanRow).where(
            col(GapScanRow.tenant_id) == self._tenant_id,
            col(GapScanRow.camera_id).in_(camera_ids),
        )
        return {
            row.camera_id: GapScan(
                threshold_s=row.threshold_s,
                learned_from_pauses=row.learned_from_pauses,
                scanned_until=row.scanned_until,
            )
            for row in self._session.scalars(query)
        }

    def _matching(
        self, query: Select[*tuple[Any, ...]], wanted: LedgerFilter
    ) -> Select[*tuple[Any, ...]]:
        query = query.where(
            col(GapRow.tenant_id) == self._tenant_id,
            col(GapRow.camera_id).in_(wanted.camera_ids),
            col(GapRow.start) < wanted.period.end,
            col(GapRow.end) > wanted.period.start,
        )
        if wanted.reason is not None:
            query = query.where(col(GapRow.reason) == wanted.reason.value)
        return query
