"""Versions of the model and what happened to each, as rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger
from sqlmodel import Field, SQLModel

from coordinator.database import UtcDateTime


class ModelVersionRow(SQLModel, table=True):
    """One version of the model.

    ``files`` tells name → digest and size; ``sha256`` is of the ONNX file that boxes run.
    ``manifest_sha256`` is of the signed manifest, once one was received.
    """

    __tablename__ = "model_version"

    tenant_id: str = Field(primary_key=True, foreign_key="tenant.id", max_length=64)
    version: str = Field(primary_key=True, max_length=64)
    name: str = Field(max_length=64)
    stage: str = Field(max_length=16)
    sha256: str | None = Field(default=None, max_length=64)
    size_bytes: int = Field(default=0, sa_type=BigInteger)
    files: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    lineage: dict[str, Any] | None = Field(default=None, sa_type=JSON(none_as_null=True))
    judged: dict[str, Any] | None = Field(default=None, sa_type=JSON(none_as_null=True))
    rejections: list[str] = Field(default_factory=list, sa_type=JSON)
    registered_at: datetime = Field(sa_type=UtcDateTime)
    registered_by: str = Field(max_length=128)
    manifest_sha256: str | None = Field(default=None, max_length=64)
    signed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    canaries: int = 0
    proposed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    proposed_by: str | None = Field(default=None, max_length=128)
    production_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ModelEventRow(SQLModel, table=True):
    """Something that happened to a version: evidence, a step, or a step that was refused."""

    __tablename__ = "model_event"

    tenant_id: str = Field(primary_key=True, max_length=64)
    version: str = Field(primary_key=True, max_length=64)
    number: int = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime)
    by: str = Field(max_length=128)
    kind: str = Field(max_length=32)
    stage: str | None = Field(default=None, max_length=16)
    holds: bool
    text: str = Field(max_length=2000)
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
