"""Findings → anomalies that are found once, reviewed and annotated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, func, select
from sqlmodel import Session, col

from common.errors import NotFoundError
from coordinator.traffic.periods import Period
from coordinator.traffic.quality_tables import AnomalyNoteRow, AnomalyRow

_SAME_WITHIN = timedelta(days=2)


class AnomalyKind(StrEnum):
    """What looks wrong."""

    LEG_SWAP = "leg_swap"
    LEVEL_SHIFT = "level_shift"
    SILENT_CLASS = "silent_class"


class ReviewState(StrEnum):
    """What somebody made of it."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that looks wrong; ``subject`` names the legs, series or class."""

    camera_id: int
    kind: AnomalyKind
    subject: str
    start: datetime
    end: datetime
    score: float
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What somebody wrote, and the state that the anomaly got with it."""

    at: datetime
    state: ReviewState
    text: str
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """A finding with its review."""

    id: int
    finding: Finding
    state: ReviewState
    found_at: datetime
    reviewed_at: datetime | None
    notes: tuple[Note, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyFilter:
    """Which anomalies are wanted; newest first, those below ``before`` by id.

    Attributes:
        period: Only those that overlap it.
    """

    camera_ids: Sequence[int] | None = None
    state: ReviewState | None = None
    kind: AnomalyKind | None = None
    period: Period | None = None
    before: int | None = None
    limit: int = 100


class AnomalyStore:
    """Anomalies, for one tenant."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Read and write through ``session`` what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def record(self, finding: Finding, *, now: datetime) -> None:
        """Remember a finding; one that goes on is made longer and keeps its review."""
        query = (
            select(AnomalyRow)
            .where(
                col(AnomalyRow.tenant_id) == self._tenant_id,
                col(AnomalyRow.camera_id) == finding.camera_id,
                col(AnomalyRow.kind) == finding.kind.value,
                col(AnomalyRow.subject) == finding.subject,
                col(AnomalyRow.end) >= finding.start - _SAME_WITHIN,
            )
            .order_by(col(AnomalyRow.end).desc())
            .limit(1)
        )
        known = self._session.scalars(query).one_or_none()
        if known is None:
            self._session.add(
                AnomalyRow(
                    tenant_id=self._tenant_id,
                    camera_id=finding.camera_id,
                    kind=finding.kind.value,
                    subject=finding.subject,
                    start=finding.start,
                    end=finding.end,
                    score=finding.score,
                    detail=finding.detail,
                    found_at=now,
                )
            )
        elif finding.end > known.end:
            known.end = finding.end
            known.score = max(known.score, finding.score)
            known.detail = finding.detail
        self._session.flush()

    def anomalies(self, wanted: AnomalyFilter) -> list[Anomaly]:
        """Those that match, newest first, without their notes."""
        query = self._matching(select(AnomalyRow), wanted)
        if wanted.state is not None:
            query = query.where(col(AnomalyRow.state) == wanted.state.value)
        if wanted.before is not None:
            query = query.where(col(AnomalyRow.id) < wanted.before)
        query = query.order_by(col(AnomalyRow.id).desc()).limit(wanted.limit)
        return [_anomaly(row, ()) for row in self._session.scalars(query)]

    def counts(self, wanted: AnomalyFilter) -> dict[ReviewState, int]:
        """State → how many match, whatever state and page ``wanted`` names."""
        query = self._matching(select(col(AnomalyRow.state), func.count()), wanted)
        found = self._session.execute(query.group_by(col(AnomalyRow.state))).all()
        known = {state: int(number) for state, number in found}
        return {state: known.get(state.value, 0) for state in ReviewState}

    def anomaly(self, anomaly_id: int) -> Anomaly:
        """One with its notes.

        Raises:
            NotFoundError: No such anomaly.
        """
        row = self._row(anomaly_id)
        query = (
            select(AnomalyNoteRow)
            .where(col(AnomalyNoteRow.anomaly_id) == anomaly_id)
            .order_by(col(AnomalyNoteRow.id))
        )
        return _anomaly(row, list(self._session.scalars(query)))

    def review(
        self, anomaly_id: int, *, state: ReviewState | None, text: str, author: str, now: datetime
    ) -> Anomaly:
        """Write a note; with a ``state``, that becomes the state of the anomaly.

        Raises:
            NotFoundError: No such anomaly.
        """
        row = self._row(anomaly_id)
        if state is not None:
            row.state = state.value
            row.reviewed_at = now
        self._session.add(
            AnomalyNoteRow(
                tenant_id=self._tenant_id,
                anomaly_id=anomaly_id,
                at=now,
                state=row.state,
                text=text,
                author=author,
            )
        )
        self._session.flush()
        return self.anomaly(anomaly_id)

    def _matching(
        self, query: Select[*tuple[Any, ...]], wanted: AnomalyFilter
    ) -> Select[*tuple[Any, ...]]:
        query = query.where(col(AnomalyRow.tenant_id) == self._tenant_id)
        if wanted.camera_ids is not None:
            query = query.where(col(AnomalyRow.camera_id).in_(wanted.camera_ids))
        if wanted.kind is not None:
            query = query.where(col(AnomalyRow.kind) == wanted.kind.value)
        if wanted.period is not None:
            query = query.where(
                col(AnomalyRow.start) < wanted.period.end,
                col(AnomalyRow.end) > wanted.period.start,
            )
        return query

    def _row(self, anomaly_id: int) -> AnomalyRow:
        row = self._session.get(AnomalyRow, anomaly_id)
        if row is None or row.tenant_id != self._tenant_id:
            raise NotFoundError(
                f"anomaly {anomaly_id} is not known",
                hint="GET /api/v1/anomalies lists the anomalies",
            )
        return row


def _anomaly(row: AnomalyRow, notes: Sequence[AnomalyNoteRow]) -> Anomaly:
    return Anomaly(
        id=row.id or 0,
        finding=Finding(
            camera_id=row.camera_id,
            kind=AnomalyKind(row.kind),
            subject=row.subject,
            start=row.start,
            end=row.end,
            score=row.score,
            detail=row.detail,
        ),
        state=ReviewState(row.state),
        found_at=row.found_at,
        reviewed_at=row.reviewed_at,
        notes=tuple(
            Note(at=note.at, state=ReviewState(note.state), text=note.text, author=note.author)
            for note in notes
        ),
    )
