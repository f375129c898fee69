"""Questions and decisions about alerts over HTTP → alerts with their notes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from common.security import Permission
from coordinator.dependencies import ContainerDep
from coordinator.problems import problems
from coordinator.security.access import ContextDep, may
from coordinator.security.threats.alert_book import AlertBook
from coordinator.security.threats.alerts import AlertFilter, AlertState
from coordinator.security.threats.findings import Severity, ThreatKind

router = APIRouter(prefix="/alerts", tags=["alerts"])

AlertPath = Annotated[int, Path(ge=1, le=2**31 - 1, description="Id of the alert")]


def alerts_of(container: ContainerDep) -> AlertBook:
    """The alerts of the tenant."""
    book: AlertBook = container.alerts()
    return book


AlertsDep = Annotated[AlertBook, Depends(alerts_of)]


class AlertQuestion(BaseModel):
    """Which alerts are wanted."""

    model_config = ConfigDict(extra="forbid")

    state: AlertState | None = None
    severity: Severity | None = None
    kind: ThreatKind | None = None
    before: int | None = Field(default=None, ge=1, le=2**31 - 1, description="Only lower ids")
    most: int = Field(default=100, ge=1, le=500)


class AlertView(BaseModel):
    """A trace of an attack, and who works on it."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    kind: ThreatKind
    subject: str
    severity: Severity
    state: AlertState
    summary: str
    evidence: dict[str, Any]
    first_at: datetime
    last_at: datetime
    opened_at: datetime
    closed_at: datetime | None


class AlertNoteView(BaseModel):
    """What somebody wrote, and the state that the alert got with it."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime
    by: str
    state: AlertState
    text: str


class AlertDetailView(AlertView):
    """An alert with its notes, the eldest first."""

    notes: list[AlertNoteView]


class AlertMove(BaseModel):
    """What becomes of an alert."""

    model_config = ConfigDict(extra="forbid")

    state: AlertState
    note: str = Field(default="", max_length=1000, description="Required to close it")


@router.get("", dependencies=[may(Permission.ALERTS_READ)])
def list_alerts(question: Annotated[AlertQuestion, Query()], alerts: AlertsDep) -> list[AlertView]:
    """Alerts, the newest first."""
    wanted = AlertFilter(
        state=question.state,
        severity=question.severity,
        kind=question.kind,
        before=question.before,
        most=question.most,
    )
    return [AlertView.model_validate(alert) for alert in alerts.list(wanted)]


@router.get("/{alert}", dependencies=[may(Permission.ALERTS_READ)], responses=problems(404))
def show_alert(alert: AlertPath, alerts: AlertsDep) -> AlertDetailView:
    """One alert with what people did about it."""
    return AlertDetailView.model_validate(alerts.show(alert))


@router.post(
    "/{alert}/state",
    status_code=201,
    dependencies=[may(Permission.ALERTS_MANAGE)],
    responses=problems(404, 409),
)
def move_alert(
    alert: AlertPath, body: AlertMove, alerts: AlertsDep, context: ContextDep
) -> AlertDetailView:
    """Take an alert up, close it with a note, or open it again."""
    moved = alerts.move(alert, body.state, note=body.note, by=context.name)
    return AlertDetailView.model_validate(moved)
