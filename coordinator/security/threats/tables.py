"""Alerts, what people did about them, and where they were told, as rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, text
from sqlmodel import Field, SQLModel

from coordinator.database import UtcDateTime

_NOT_CLOSED = text("state <> 'closed'")


class AlertRow(SQLModel, table=True):
    """A trace of an attack; the same trace again is counted in the alert that is not closed."""

    __tablename__ = "security_alert"
    __table_args__ = (
        Index("ix_security_alert_of_tenant", "tenant_id", "state", "last_at"),
        Index(
            "ux_security_alert_not_closed",
            "tenant_id",
            "kind",
            "subject",
            unique=True,
            sqlite_where=_NOT_CLOSED,
            postgresql_where=_NOT_CLOSED,
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    tenant_id: str = Field(max_length=64)
    kind: str = Field(max_length=32)
    subject: str = Field(max_length=128)
    severity: str = Field(max_length=16)
    state: str = Field(max_length=16)
    summary: str = Field(max_length=512)
    evidence: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    first_at: datetime = Field(sa_type=UtcDateTime)
    last_at: datetime = Field(sa_type=UtcDateTime)
    opened_at: datetime = Field(sa_type=UtcDateTime)
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class AlertNoteRow(SQLModel, table=True):
    """What somebody did about an alert, or wrote; ``state`` is the one after it."""

    __tablename__ = "security_alert_note"

    id: int | None = Field(default=None, primary_key=True)
    alert_id: int = Field(foreign_key="security_alert.id", index=True)
    tenant_id: str = Field(max_length=64)
    at: datetime = Field(sa_type=UtcDateTime)
    by: str = Field(max_length=128)
    state: str = Field(max_length=16)
    text: str = Field(max_length=1000)


class AlertDeliveryRow(SQLModel, table=True):
    """An alert on its way to the webhook; gone when it was taken or given up."""

    __tablename__ = "security_alert_delivery"

    id: int | None = Field(default=None, primary_key=True)
    tenant_id: str = Field(max_length=64, index=True)
    alert_id: int = Field(foreign_key="security_alert.id")
    occasion: str = Field(max_length=16)
    severity: str = Field(max_length=16)
    created_at: datetime = Field(sa_type=UtcDateTime)
    next_at: datetime = Field(sa_type=UtcDateTime)
    attempts: int = 0
