"""Desired and reported configuration of boxes ↔ rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from coordinator.fleet.states import DeviceState
from coordinator.fleet.tables import DeviceRow, TwinRow


class TwinStore:
    """Twins of one tenant, in one transaction."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Work through ``session`` on what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def twin(self, device: str) -> TwinRow | None:
        """The row of a box that was told or told something."""
        return self._session.get(TwinRow, device)

    def wish(self, device: str, desired: dict[str, Any], **changes: Any) -> TwinRow:
        """Keep a new wish; the box's row is held by the caller."""
        row = self.twin(device) or TwinRow(device_id=device, tenant_id=self._tenant_id)
        row.desired = desired
        for name, value in changes.items():
            setattr(row, name, value)
        self._session.add(row)
        self._session.flush()
        return row

    def behind(self) -> Sequence[TwinRow]:
        """Wishes that enrolled boxes have not answered, neither with yes nor with no."""
        query = (
            select(TwinRow)
            .join(DeviceRow, col(DeviceRow.id) == col(TwinRow.device_id))
            .where(
                col(TwinRow.tenant_id) == self._tenant_id,
                col(DeviceRow.state) == DeviceState.ENROLLED.value,
                col(TwinRow.desired_version) > col(TwinRow.reported_version),
            )
            .order_by(col(TwinRow.device_id))
        )
        return self._session.scalars(query).all()
