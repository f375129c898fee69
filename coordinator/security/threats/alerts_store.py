"""Alerts and their notes ↔ rows; the same trace again is no second alert."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from common.errors import NotFoundError
from coordinator.security.threats.alerts import (
    BY_ITSELF,
    Alert,
    AlertFilter,
    AlertState,
    Note,
    Occasion,
)
from coordinator.security.threats.findings import Finding, Severity, ThreatKind
from coordinator.security.threats.tables import AlertNoteRow, AlertRow

__all__ = ["AlertStore", "Session"]

_MOST_SUMMARY = 512
_MOST_SUBJECT = 128


class AlertStore:
    """The alerts of one tenant, in one transaction."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Work through ``session`` on what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def keep(self, finding: Finding, *, now: datetime) -> tuple[AlertRow, Occasion] | None:
        """Make an alert of a finding, or add it to the one that is there.

        Returns:
            The alert and why somebody should be told; None where nothing is new.
        """
        row = self._not_closed(finding)
        if row is None:
            if self._was_closed_with(finding):
                return None
            return self._open(finding, now)
        if finding.last_at > row.last_at:
            row.last_at = finding.last_at
            row.summary = finding.summary[:_MOST_SUMMARY]
            row.evidence = dict(finding.evidence)
        if finding.severity.rank <= Severity(row.severity).rank:
            return None
        row.severity = finding.severity.value
        row.summary = finding.summary[:_MOST_SUMMARY]
        row.evidence = dict(finding.evidence)
        row.state = AlertState.OPEN.value
        self._note(row, f"now {row.severity}", by=BY_ITSELF, now=now)
        return row, Occasion.ESCALATED

    def has_ended(self, kind: ThreatKind, still: Collection[str]) -> bool:
        """Whether ``end`` would close anything."""
        return bool(self._ended(kind, still))

    def end(self, kind: ThreatKind, still: Collection[str], *, now: datetime) -> None:
        """Close the alerts of a state that has ended for all but ``still``."""
        for row in self._ended(kind, still):
            row.state = AlertState.CLOSED.value
            row.closed_at = now
            self._note(row, "it is over", by=BY_ITSELF, now=now)

    def move(self, alert: int, state: AlertState, text: str, *, by: str, now: datetime) -> Alert:
        """Give an alert another state, with a note.

        Raises:
            NotFoundError: No such alert.
        """
        row = self._row(alert)
        row.state = state.value
        row.closed_at = now if state is AlertState.CLOSED else None
        self._note(row, text, by=by, now=now)
        self._session.flush()
        return self.alert(alert)

    def alert(self, alert: int) -> Alert:
        """One with its notes.

        Raises:
            NotFoundError: No such alert.
        """
        row = self._row(alert)
        query = (
            select(AlertNoteRow)
            .where(col(AlertNoteRow.alert_id) == alert)
            .order_by(col(AlertNoteRow.id))
        )
        return _alert(row, list(self._session.scalars(query)))

    def alerts(self, wanted: AlertFilter) -> list[Alert]:
        """Those that match, the newest first, without their notes."""
        query = self._ours()
        for column, value in (
            (AlertRow.state, wanted.state),
            (AlertRow.severity, wanted.severity),
            (AlertRow.kind, wanted.kind),
        ):
            if value is not None:
                query = query.where(col(column) == value.value)
        if wanted.before is not None:
            query = query.where(col(AlertRow.id) < wanted.before)
        query = query.order_by(col(AlertRow.id).desc()).limit(wanted.most)
        return [_alert(row, ()) for row in self._session.scalars(query)]

    def open_by_severity(self) -> dict[Severity, int]:
        """Severity → alerts that nobody has closed."""
        query = (
            select(col(AlertRow.severity), func.count())
            .where(
                col(AlertRow.tenant_id) == self._tenant_id,
                col(AlertRow.state) != AlertState.CLOSED.value,
            )
            .group_by(col(AlertRow.severity))
        )
        known = {severity: int(count) for severity, count in self._session.execute(query)}
        return {severity: known.get(severity.value, 0) for severity in Severity}

    def _open(self, finding: Finding, now: datetime) -> tuple[AlertRow, Occasion] | None:
        row = AlertRow(
            tenant_id=self._tenant_id,
            kind=finding.kind.value,
            subject=finding.subject[:_MOST_SUBJECT],
            severity=finding.severity.value,
            state=AlertState.OPEN.value,
            summary=finding.summary[:_MOST_SUMMARY],
            evidence=dict(finding.evidence),
            first_at=finding.first_at,
            last_at=finding.last_at,
            opened_at=now,
        )
        try:
            with self._session.begin_nested():
                self._session.add(row)
                self._session.flush()
        except IntegrityError:
            return None  # another process found the same at the same time
        return row, Occasion.OPENED

    def _ended(self, kind: ThreatKind, still: Collection[str]) -> list[AlertRow]:
        query = self._ours().where(
            col(AlertRow.kind) == kind.value, col(AlertRow.state) != AlertState.CLOSED.value
        )
        return [row for row in self._session.scalars(query) if row.subject not in still]

    def _not_closed(self, finding: Finding) -> AlertRow | None:
        query = self._like(finding).where(col(AlertRow.state) != AlertState.CLOSED.value)
        return self._session.scalars(query.with_for_update()).first()

    def _was_closed_with(self, finding: Finding) -> bool:
        """Somebody closed an alert that had seen all of this."""
        query = self._like(finding).where(col(AlertRow.last_at) >= finding.last_at)
        return self._session.scalars(query).first() is not None

    def _like(self, finding: Finding) -> Select[AlertRow]:
        return self._ours().where(
            col(AlertRow.kind) == finding.kind.value,
            col(AlertRow.subject) == finding.subject[:_MOST_SUBJECT],
        )

    def _ours(self) -> Select[AlertRow]:
        return select(AlertRow).where(col(AlertRow.tenant_id) == self._tenant_id)

    def _row(self, alert: int) -> AlertRow:
        row = self._session.get(AlertRow, alert)
        if row is None or row.tenant_id != self._tenant_id:
            raise NotFoundError(
                f"alert {alert} is not known", hint="GET /api/v1/alerts lists the alerts"
            )
        return row

    def _note(self, row: AlertRow, text: str, *, by: str, now: datetime) -> None:
        self._session.add(
            AlertNoteRow(
                alert_id=row.id or 0,
                tenant_id=self._tenant_id,
                at=now,
                by=by,
                state=row.state,
                text=text,
            )
        )


def _alert(row: AlertRow, notes: Sequence[AlertNoteRow]) -> Alert:
    return Alert(
        id=row.id or 0,
        kind=ThreatKind(row.kind),
        subject=row.subject,
        severity=Severity(row.severity),
        state=AlertState(row.state),
        summary=row.summary,
        evidence=row.evidence,
        first_at=row.first_at,
        last_at=row.last_at,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        notes=tuple(
            Note(at=note.at, by=note.by, state=AlertState(note.state), text=note.text)
            for note in notes
        ),
    )
