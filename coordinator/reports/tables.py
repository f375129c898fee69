"""Every report that was taken in, once; and every one that was not, with the reason."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, LargeBinary
from sqlmodel import Field, SQLModel

from coordinator.database import UtcDateTime


class ReportRow(SQLModel, table=True):
    """A committed report; the same one arriving again finds this row."""

    __tablename__ = "report"

    device_id: str = Field(primary_key=True, max_length=64)
    epoch: int = Field(primary_key=True, sa_type=BigInteger)
    sequence: int = Field(primary_key=True, sa_type=BigInteger)
    tenant_id: str = Field(max_length=64)
    kind: str = Field(max_length=16)
    digest: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = Field(sa_type=UtcDateTime)
    received_at: datetime = Field(sa_type=UtcDateTime)


class QuarantineRow(SQLModel, table=True):
    """A message that was not believed; the newest few of each reason are kept."""

    __tablename__ = "quarantine"

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    reason: str = Field(max_length=32, index=True)
    topic: str = Field(max_length=128)
    device_id: str | None = Field(default=None, max_length=64)
    size_bytes: int
    digest: str = Field(max_length=64)
    detail: str = Field(default="", max_length=256)


class QuarantineCountRow(SQLModel, table=True):
    """How often each reason occurred, for one topic's device."""

    __tablename__ = "quarantine_count"

    reason: str = Field(primary_key=True, max_length=32)
    device_id: str = Field(primary_key=True, max_length=64)
    messages: int = Field(sa_type=BigInteger)
    first_at: datetime = Field(sa_type=UtcDateTime)
    last_at: datetime = Field(sa_type=UtcDateTime)
