"""Security events, as rows that are forgotten after a month."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from coordinator.database import UtcDateTime


class SecurityEventRow(SQLModel, table=True):
    """The same thing, some times within seconds."""

    __tablename__ = "security_event"
    __table_args__ = (Index("ix_security_event_tenant_id_last_at", "tenant_id", "last_at"),)

    id: int | None = Field(default=None, primary_key=True)
    tenant_id: str = Field(max_length=64)
    kind: str = Field(max_length=32)
    subject: str = Field(max_length=128)
    address: str = Field(max_length=128)
    first_at: datetime = Field(sa_type=UtcDateTime)
    last_at: datetime = Field(sa_type=UtcDateTime)
    times: int
