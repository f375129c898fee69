"""Alerts on their way to a webhook ↔ rows; bounded, and each with one sender at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import CursorResult, delete, select, update
from sqlmodel import Session, col

from coordinator.security.threats.alerts import Occasion
from coordinator.security.threats.findings import Severity
from coordinator.security.threats.tables import AlertDeliveryRow

MOST_WAITING = 500
"""Whoever was away for so many alerts reads them on the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An alert that is to be told.

    Attributes:
        severity: When it was to be told; the alert may have changed since.
        attempts: Those before.
    """

    id: int
    alert: int
    occasion: Occasion
    severity: Severity
    created_at: datetime
    attempts: int


class DeliveryStore:
    """What is on its way, of one tenant, in one transaction."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Work through ``session`` on what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def add(self, alert: int, occasion: Occasion, severity: Severity, *, now: datetime) -> None:
        """Tell of an alert; the eldest of too many is dropped."""
        self._session.add(
            AlertDeliveryRow(
                tenant_id=self._tenant_id,
                alert_id=alert,
                occasion=occasion.value,
                severity=severity.value,
                created_at=now,
                next_at=now,
            )
        )
        self._session.flush()
        ours = col(AlertDeliveryRow.tenant_id) == self._tenant_id
        kept = (
            select(col(AlertDeliveryRow.id))
            .where(ours)
            .order_by(col(AlertDeliveryRow.id).desc())
            .limit(MOST_WAITING)
        )
        self._session.execute(
            delete(AlertDeliveryRow).where(ours, col(AlertDeliveryRow.id).not_in(kept))
        )

    def due(self, now: datetime) -> int | None:
        """Number of one that is due, the eldest first; None for none."""
        query = (
            select(col(AlertDeliveryRow.id))
            .where(
                col(AlertDeliveryRow.tenant_id) == self._tenant_id,
                col(AlertDeliveryRow.next_at) <= now,
            )
            .order_by(col(AlertDeliveryRow.next_at), col(AlertDeliveryRow.id))
            .limit(1)
        )
        return self._session.scalars(query).first()

    def claim(self, delivery: int, *, now: datetime, lease: timedelta) -> Delivery | None:
        """Take one to send; None when another process was faster."""
        result = self._session.execute(
            update(AlertDeliveryRow)
            .where(col(AlertDeliveryRow.id) == delivery, col(AlertDeliveryRow.next_at) <= now)
            .values(next_at=now + lease, attempts=col(AlertDeliveryRow.attempts) + 1)
        )
        if not isinstance(result, CursorResult) or result.rowcount != 1:
            return None
        row = self._session.get_one(AlertDeliveryRow, delivery)
        return Delivery(
            id=delivery,
            alert=row.alert_id,
            occasion=Occasion(row.occasion),
            severity=Severity(row.severity),
            created_at=row.created_at,
            attempts=row.attempts,
        )

    def later(self, delivery: int, at: datetime) -> None:
        """Try again at ``at``."""
        self._session.execute(
            update(AlertDeliveryRow).where(col(AlertDeliveryRow.id) == delivery).values(next_at=at)
        )

    def done(self, delivery: int) -> None:
        """It was taken, or given up."""
        self._session.execute(delete(AlertDeliveryRow).where(col(AlertDeliveryRow.id) == delivery))
