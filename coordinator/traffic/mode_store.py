"""A camera → the privacy mode that its newest bin was told in."""

from __future__ import annotations

from sqlalchemy import select
from sqlmodel import Session, col

from common.wire import PrivacyMode
from coordinator.traffic.tables import CameraBinRow


def told_mode(session: Session, camera_id: int) -> PrivacyMode | None:
    """What the camera gives away, None before its first bin."""
    query = (
        select(col(CameraBinRow.mode))
        .where(col(CameraBinRow.camera_id) == camera_id)
        .order_by(col(CameraBinRow.start).desc())
        .limit(1)
    )
    mode = session.scalars(query).first()
    return PrivacyMode(mode) if mode is not None else None
