"""Runs, their rounds, what became of every client, and what happened when, as rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger
from sqlmodel import Field, SQLModel

from coordinator.database import UtcDateTime


class RunRow(SQLModel, table=True):
    """A federated run.

    ``handle`` names the bench that works on it. ``ledger_lines`` and ``ledger_head`` are how
    far its ledger was taken in, and the link of the last line taken: a ledger that no longer
    holds that link was rewritten.
    """

    __tablename__ = "federated_run"

    id: str = Field(primary_key=True, max_length=64)
    tenant_id: str = Field(foreign_key="tenant.id", max_length=64, index=True)
    state: str = Field(max_length=16, index=True)
    plan: dict[str, Any] = Field(sa_type=JSON)
    created_at: datetime = Field(sa_type=UtcDateTime)
    changed_at: datetime = Field(sa_type=UtcDateTime)
    round: int = 0
    reason: str = Field(default="", max_length=2000)
    verdict: list[str] = Field(default_factory=list, sa_type=JSON)
    candidate: str | None = Field(default=None, max_length=512)
    is_to_stop: bool = False
    handle: str | None = Field(default=None, max_length=64)
    starts: int = 0
    ledger_lines: int = 0
    ledger_head: str | None = Field(default=None, max_length=64)


class RoundRow(SQLModel, table=True):
    """A finished round."""

    __tablename__ = "federated_round"

    run_id: str = Field(primary_key=True, foreign_key="federated_run.id", max_length=64)
    number: int = Field(primary_key=True)
    tenant_id: str = Field(max_length=64)
    weights_sha256: str = Field(max_length=64)
    took_s: float
    map50: dict[str, float] = Field(default_factory=dict, sa_type=JSON)
    epsilon: float | None = None
    finished_at: datetime = Field(sa_type=UtcDateTime)


class ClientRoundRow(SQLModel, table=True):
    """One client in a finished round."""

    __tablename__ = "federated_client_round"

    run_id: str = Field(primary_key=True, foreign_key="federated_run.id", max_length=64)
    number: int = Field(primary_key=True)
    device_id: str = Field(primary_key=True, max_length=64, index=True)
    tenant_id: str = Field(max_length=64)
    verdict: str = Field(max_length=16)
    reasons: list[str] = Field(default_factory=list, sa_type=JSON)
    weight: float
    samples: int
    claimed_samples: int = Field(sa_type=BigInteger)
    norm: float | None = None
    cosine: float | None = None
    class_rise: float | None = None
    sent_bytes: int = Field(sa_type=BigInteger)
    train_s: float
    loss: float | None = None
    map50: float | None = None


class RunEventRow(SQLModel, table=True):
    """Something that happened in a run, in order; what people watch."""

    __tablename__ = "federated_event"

    run_id: str = Field(primary_key=True, foreign_key="federated_run.id", max_length=64)
    number: int = Field(primary_key=True)
    tenant_id: str = Field(max_length=64)
    at: datetime = Field(sa_type=UtcDateTime)
    kind: str = Field(max_length=32)
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
