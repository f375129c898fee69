"""A trace of an attack and what people do about it → the states of an alert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from coordinator.security.threats.findings import Severity, ThreatKind

BY_ITSELF = "coordinator"
"""Who writes the notes of what happens without anybody."""


class AlertState(StrEnum):
    """Who works on an alert."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class Occasion(StrEnum):
    """Why an alert is told to somebody."""

    OPENED = "opened"
    ESCALATED = "escalated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What somebody wrote, and the state that the alert got with it."""

    at: datetime
    by: str
    state: AlertState
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert.

    Attributes:
        subject: Whom it concerns: an account, an address, a box.
        first_at: When what it is about began.
        last_at: The newest thing that shows it.
        notes: The eldest first; empty in lists.
    """

    id: int
    kind: ThreatKind
    subject: str
    severity: Severity
    state: AlertState
    summary: str
    evidence: Mapping[str, Any]
    first_at: datetime
    last_at: datetime
    opened_at: datetime
    closed_at: datetime | None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFilter:
    """Which alerts are wanted; the newest first, those below ``before`` by id."""

    state: AlertState | None = None
    severity: Severity | None = None
    kind: ThreatKind | None = None
    before: int | None = None
    most: int = 100
