"""Rollouts, what became of each on every box, and which model ran where, as rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON
from sqlmodel import Field, SQLModel

from coordinator.database import UtcDateTime


class RolloutRow(SQLModel, table=True):
    """A rollout of one version; ``number`` rises with each and tells attempts apart.

    ``is_for_all`` lets boxes join that are enrolled while it runs.
    """

    __tablename__ = "rollout"

    id: str = Field(primary_key=True, max_length=64)
    tenant_id: str = Field(foreign_key="tenant.id", max_length=64, index=True)
    number: int
    name: str = Field(max_length=64)
    version: str = Field(max_length=64)
    state: str = Field(max_length=16)
    wave: int = 0
    waves: int
    is_paused: bool = False
    is_for_all: bool = True
    limits: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    created_at: datetime = Field(sa_type=UtcDateTime)
    created_by: str = Field(max_length=128)
    entered_at: datetime = Field(sa_type=UtcDateTime)
    changed_at: datetime = Field(sa_type=UtcDateTime)
    reason: str = Field(default="", max_length=2000)


class RolloutBoxRow(SQLModel, table=True):
    """One box of a rollout.

    ``is_wished`` is False while the twin has not yet been told what the state asks for: after a
    crash it is told then. ``before_version`` ran when the box was told, ``since_before`` is
    what its report said then, ``before`` what had been wished of it.
    """

    __tablename__ = "rollout_box"

    rollout_id: str = Field(primary_key=True, foreign_key="rollout.id", max_length=64)
    device_id: str = Field(primary_key=True, max_length=64, index=True)
    tenant_id: str = Field(max_length=64)
    site: str = Field(max_length=64)
    wave: int
    state: str = Field(max_length=16)
    is_wished: bool = True
    told_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    settled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    before: dict[str, Any] | None = Field(default=None, sa_type=JSON(none_as_null=True))
    before_version: str | None = Field(default=None, max_length=64)
    since_before: datetime | None = Field(default=None, sa_type=UtcDateTime)
    step: str | None = Field(default=None, max_length=16)
    reason: str | None = Field(default=None, max_length=256)
    gate: dict[str, Any] | None = Field(default=None, sa_type=JSON(none_as_null=True))


class RolloutEventRow(SQLModel, table=True):
    """Something that happened in a rollout, in order."""

    __tablename__ = "rollout_event"

    rollout_id: str = Field(primary_key=True, foreign_key="rollout.id", max_length=64)
    number: int = Field(primary_key=True)
    tenant_id: str = Field(max_length=64)
    at: datetime = Field(sa_type=UtcDateTime)
    by: str = Field(max_length=128)
    kind: str = Field(max_length=32)
    text: str = Field(max_length=2000)


class ModelRunRow(SQLModel, table=True):
    """A time in which a box counted with one model; the last one of a box has no end."""

    __tablename__ = "model_run"

    device_id: str = Field(primary_key=True, max_length=64)
    number: int = Field(primary_key=True)
    tenant_id: str = Field(max_length=64, index=True)
    site: str = Field(max_length=64)
    version: str = Field(max_length=64, index=True)
    sha256: str = Field(max_length=64)
    slot: str = Field(max_length=16)
    began_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    why: str = Field(max_length=256)
    rollout_id: str | None = Field(default=None, max_length=64)
