"""The newest word of every box → rows by box, in one statement each."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from coordinator.fleet.tables import HealthRow, TwinRow


class OverviewStore:
    """Health and twins of all boxes of one tenant, in one transaction."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Read through ``session`` what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def healths(self) -> dict[str, dict[str, Any]]:
        """Box → its newest health report; boxes that never sent one are absent."""
        query = select(HealthRow).where(col(HealthRow.tenant_id) == self._tenant_id)
        return {row.device_id: row.content for row in self._session.scalars(query)}

    def twins(self) -> dict[str, TwinRow]:
        """Box → what it shall run; boxes that were told nothing and told nothing are absent."""
        query = select(TwinRow).where(col(TwinRow.tenant_id) == self._tenant_id)
        return {row.device_id: row for row in self._session.scalars(query)}
