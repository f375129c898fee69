"""What was not watched, and what looks wrong, as rows that people can review.

The gap ledger is made from the bins and can be made again; maintenance windows, review states
and notes are people's words and cannot.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from coordinator.database import UtcDateTime


class GapRow(SQLModel, table=True):
    """An interval in which a camera watched nothing, or nothing of it arrived.

    ``reason`` is offline, view_blocked, frames_dropped, clock, maintenance or withheld.
    """

    __tablename__ = "gap"
    __table_args__ = (
        UniqueConstraint("camera_id", "start", "reason"),
        Index("gap_of_tenant", "tenant_id", "start"),
    )

    id: int | None = Field(default=None, primary_key=True)
    tenant_id: str = Field(max_length=64)
    camera_id: int = Field(foreign_key="camera.id")
    start: datetime = Field(sa_type=UtcDateTime)
    end: datetime = Field(sa_type=UtcDateTime)
    reason: str = Field(max_length=16)
    threshold_s: float
    found_at: datetime = Field(sa_type=UtcDateTime)


class GapScanRow(SQLModel, table=True):
    """Up to where one camera's gap ledger is written, and the threshold that was learned."""

    __tablename__ = "gap_scan"

    camera_id: int = Field(primary_key=True, foreign_key="camera.id")
    tenant_id: str = Field(max_length=64)
    threshold_s: float
    learned_from_pauses: int
    scanned_until: datetime = Field(sa_type=UtcDateTime)


class MaintenanceRow(SQLModel, table=True):
    """A time in which somebody worked at a camera; its gaps are nobody's fault."""

    __tablename__ = "maintenance"
    __table_args__ = (Index("maintenance_of_camera", "camera_id", "start"),)

    id: int | None = Field(default=None, primary_key=True)
    tenant_id: str = Field(max_length=64)
    camera_id: int = Field(foreign_key="camera.id")
    start: datetime = Field(sa_type=UtcDateTime)
    end: datetime = Field(sa_type=UtcDateTime)
    note: str = Field(default="", max_length=512)
    told_at: datetime = Field(sa_type=UtcDateTime)


class AnomalyRow(SQLModel, table=True):
    """Numbers that do not look like this place, until somebody says what they are.

    ``kind`` is leg_swap, level_shift or silent_class; ``state`` is open, confirmed or
    dismissed. ``subject`` names the series or class, so that the same finding is found once.
    """

    __tablename__ = "anomaly"
    __table_args__ = (
        UniqueConstraint("camera_id", "kind", "subject", "start"),
        Index("anomaly_of_tenant", "tenant_id", "state", "start"),
    )

    id: int | None = Field(default=None, primary_key=True)
    tenant_id: str = Field(max_length=64)
    camera_id: int = Field(foreign_key="camera.id")
    kind: str = Field(max_length=16)
    subject: str = Field(max_length=256)
    start: datetime = Field(sa_type=UtcDateTime)
    end: datetime = Field(sa_type=UtcDateTime)
    score: float
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    state: str = Field(default="open", max_length=16)
    found_at: datetime = Field(sa_type=UtcDateTime)
    reviewed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class AnomalyNoteRow(SQLModel, table=True):
    """What somebody wrote about an anomaly, and the state it got with that.

    ``author`` is whom the audit log would name, empty for notes of older versions.
    """

    __tablename__ = "anomaly_note"

    id: int | None = Field(default=None, primary_key=True)
    tenant_id: str = Field(max_length=64)
    anomaly_id: int = Field(foreign_key="anomaly.id", index=True)
    at: datetime = Field(sa_type=UtcDateTime)
    state: str = Field(max_length=16)
    text: str = Field(max_length=2000)
    author: str = Field(default="", max_length=128)
