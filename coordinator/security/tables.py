"""What people did, as rows that are only ever added."""

from __future__ import annotations

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel


class AuditEntryRow(SQLModel, table=True):
    """One entry of a tenant's chain; triggers refuse to change or remove it."""

    __tablename__ = "audit_entry"
    # One tree in order of the chain: every stored byte is one that verification reads.
    __table_args__ = {"sqlite_with_rowid": False}

    tenant_id: str = Field(primary_key=True, max_length=64)
    number: int = Field(primary_key=True, sa_type=BigInteger)
    previous: str = Field(max_length=64)
    at: str = Field(max_length=27)
    actor_kind: str = Field(max_length=16)
    actor_name: str = Field(max_length=128)
    action: str = Field(max_length=32)
    subject: str = Field(max_length=256)
    detail: str = Field(max_length=4096)
    digest: str = Field(max_length=64)


class AuditHeadRow(SQLModel, table=True):
    """Where a tenant's chain ends; held while an entry is added."""

    __tablename__ = "audit_head"

    tenant_id: str = Field(primary_key=True, max_length=64)
    number: int = Field(sa_type=BigInteger)
    digest: str = Field(max_length=64)
