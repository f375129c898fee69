"""Security events ↔ rows; old ones are forgotten, and so are the oldest of too many."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, insert, select
from sqlmodel import Session, col

from coordinator.security.events_tables import SecurityEventRow
from coordinator.security.noticed import EventKind, SecurityEvent

_FIELDS = ("kind", "subject", "address", "first_at", "last_at", "times")


class EventStore:
    """The events of one tenant, in one transaction."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Work through ``session`` on what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def add(self, events: Sequence[SecurityEvent]) -> None:
        """Write events down."""
        self._session.execute(
            insert(SecurityEventRow),
            [
                {"tenant_id": self._tenant_id, **{name: getattr(one, name) for name in _FIELDS}}
                for one in events
            ],
        )

    def since(self, start: datetime, *, most: int) -> list[SecurityEvent]:
        """Events from ``start`` on, the newest first, at most so many."""
        query = (
            select(SecurityEventRow)
            .where(
                col(SecurityEventRow.tenant_id) == self._tenant_id,
                col(SecurityEventRow.last_at) >= start,
            )
            .order_by(col(SecurityEventRow.last_at).desc())
            .limit(most)
        )
        return [_event(row) for row in self._session.scalars(query)]

    def forget(self, before: datetime, *, most: int) -> int:
        """Delete events older than ``before``, and the oldest of more than ``most``."""
        ours = col(SecurityEventRow.tenant_id) == self._tenant_id
        old = self._session.execute(
            delete(SecurityEventRow).where(ours, col(SecurityEventRow.last_at) < before)
        )
        place = (
            select(col(SecurityEventRow.id))
            .where(ours)
            .order_by(col(SecurityEventRow.id).desc())
            .offset(most)
            .limit(1)
        )
        edge = self._session.execute(place).scalar()
        if edge is None:
            return _count(old)
        many = self._session.execute(
            delete(SecurityEventRow).where(ours, col(SecurityEventRow.id) <= edge)
        )
        return _count(old) + _count(many)

    def total(self) -> int:
        """How many rows there are."""
        query = select(func.count()).where(col(SecurityEventRow.tenant_id) == self._tenant_id)
        return int(self._session.execute(query).scalar_one())


def _event(row: SecurityEventRow) -> SecurityEvent:
    return SecurityEvent(
        kind=EventKind(row.kind),
        subject=row.subject,
        address=row.address,
        first_at=row.first_at,
        last_at=row.last_at,
        times=row.times,
    )


def _count(result: object) -> int:
    return int(getattr(result, "rowcount", 0))
