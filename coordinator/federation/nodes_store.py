"""Learning keys of boxes → which ones Flower must be told of, or told to forget."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlmodel import Session, col

from coordinator.fleet.tables import LearningKeyRow


class NodeStore:
    """Learning keys of one tenant."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Work through ``session`` on what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def due(self) -> Sequence[LearningKeyRow]:
        """Keys in force that are not registered, and ended ones that still are."""
        query = select(LearningKeyRow).where(
            col(LearningKeyRow.tenant_id) == self._tenant_id,
            or_(
                col(LearningKeyRow.ended_at).is_(None)
                & col(LearningKeyRow.registered_at).is_(None),
                col(LearningKeyRow.ended_at).is_not(None)
                & col(LearningKeyRow.registered_at).is_not(None)
                & col(LearningKeyRow.unregistered_at).is_(None),
            ),
        )
        return self._session.scalars(query.order_by(col(LearningKeyRow.given_at))).all()

    def registered(self, digest: str, node_id: str, *, now: datetime) -> None:
        """Flower believes the key, as this node."""
        self._set(digest, node_id=node_id, registered_at=now)

    def unregistered(self, digest: str, *, now: datetime) -> None:
        """Flower believes it no more."""
        self._set(digest, unregistered_at=now)

    def forget_all_but(self, known: Collection[str]) -> None:
        """Register again what Flower does not know: its own database was lost."""
        query = select(LearningKeyRow).where(
            col(LearningKeyRow.tenant_id) == self._tenant_id,
            col(LearningKeyRow.registered_at).is_not(None),
            col(LearningKeyRow.unregistered_at).is_(None),
        )
        for row in self._session.scalars(query):
            if row.node_id not in known:
                row.node_id, row.registered_at = None, None
                self._session.add(row)

    def nodes(self) -> dict[str, str]:
        """Flower's node id → device, of keys in force."""
        query = select(col(LearningKeyRow.node_id), col(LearningKeyRow.device_id)).where(
            col(LearningKeyRow.tenant_id) == self._tenant_id,
            col(LearningKeyRow.ended_at).is_(None),
            col(LearningKeyRow.node_id).is_not(None),
        )
        return {str(node): str(device) for node, device in self._session.execute(query)}

    def _set(self, digest: str, **values: object) -> None:
        self._session.execute(
            update(LearningKeyRow).where(col(LearningKeyRow.digest) == digest).values(**values)
        )
