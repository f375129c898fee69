"""What people on watch ask and decide → alerts, each with its evidence, notes and state."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field

from common.errors import ConflictError
from common.security import Permission
from coordinator.dashboard.rendering import render
from coordinator.dependencies import ContainerDep
from coordinator.security.access import ContextDep, may
from coordinator.security.threats.alert_book import AlertBook
from coordinator.security.threats.alerts import Alert, AlertFilter, AlertState
from coordinator.security.threats.findings import Severity, ThreatKind

router = APIRouter(include_in_schema=False)

PER_PAGE = 50
TONES = {Severity.HIGH: "bad", Severity.MEDIUM: "watch", Severity.LOW: "info"}
STATES = {
    AlertState.OPEN: ("Open", "bad"),
    AlertState.ACKNOWLEDGED: ("Taken up", "watch"),
    AlertState.CLOSED: ("Closed", "good"),
}
KINDS = {
    ThreatKind.BRUTE_FORCE: "Somebody guesses a password",
    ThreatKind.PASSWORD_SPRAYING: "One address tries many accounts",
    ThreatKind.TOKEN_REUSE: "A used sign-in token came again",
    ThreatKind.CODE_REPLAY: "A used code came again",
    ThreatKind.FORGED_CREDENTIALS: "Tokens that nobody gave out",
    ThreatKind.PROBING: "Somebody tries doors that are closed",
    ThreatKind.REPLAYED_REPORTS: "Reports came again",
    ThreatKind.BAD_SIGNATURES: "Reports with wrong signatures",
    ThreatKind.IMPOSSIBLE_SEQUENCE: "Reports that contradict each other",
    ThreatKind.SILENT_DEVICE: "A box is silent",
    ThreatKind.UPDATE_OUTLIER: "A box sends odd updates",
}
_READ = [may(Permission.ALERTS_READ)]
_MANAGE = [may(Permission.ALERTS_MANAGE)]

AlertPath = Annotated[int, Path(ge=1, le=2**31 - 1)]


def alerts_of(container: ContainerDep) -> AlertBook:
    """The alerts of the tenant."""
    book: AlertBook = container.alerts()
    return book


AlertsDep = Annotated[AlertBook, Depends(alerts_of)]


class MoveForm(BaseModel):
    """What becomes of an alert."""

    state: AlertState
    note: Annotated[str, Field(max_length=1000)] = ""


@router.get("/alerts", response_class=HTMLResponse, dependencies=_READ)
def list_alerts(
    request: Request,
    alerts: AlertsDep,
    state: Annotated[AlertState | Literal["all"], Query()] = AlertState.OPEN,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> HTMLResponse:
    """Alerts of one state, the newest first."""
    wanted = AlertFilter(
        state=None if state == "all" else AlertState(state), before=before, most=PER_PAGE + 1
    )
    found = alerts.list(wanted)
    return render(
        request,
        "alerts.html",
        alerts=found[:PER_PAGE],
        older=found[PER_PAGE - 1].id if len(found) > PER_PAGE else 0,
        state=str(state),
        is_first=before is None,
        kinds=KINDS,
        tones=TONES,
        states=STATES,
    )


@router.get("/alerts/{alert}", response_class=HTMLResponse, dependencies=_READ)
def show_alert(
    request: Request,
    alert: AlertPath,
    alerts: AlertsDep,
    done: Annotated[str, Query(max_length=16)] = "",
) -> HTMLResponse:
    """One alert with what people did about it."""
    notice = "The alert was changed, and the log tells by whom." if done == "moved" else ""
    return _page(request, alerts.show(alert), notice=notice)


@router.post("/alerts/{alert}/state", response_class=HTMLResponse, dependencies=_MANAGE)
def move_alert(
    request: Request,
    alert: AlertPath,
    form: Annotated[MoveForm, Form()],
    alerts: AlertsDep,
    context: ContextDep,
) -> Response:
    """Take an alert up, close it with a note, or open it again."""
    try:
        alerts.move(alert, form.state, note=form.note, by=context.name)
    except ConflictError:
        error = "Closing needs a note: write what it was, and what was done."
        return _page(request, alerts.show(alert), status=422, error=error)
    return RedirectResponse(f"/alerts/{alert}?done=moved", status_code=303)


def _page(
    request: Request, found: Alert, *, status: int = 200, error: str = "", notice: str = ""
) -> HTMLResponse:
    return render(
        request,
        "alerts/alert.html",
        status,
        alert=found,
        evidence=[(name, _value(value)) for name, value in sorted(found.evidence.items())],
        kinds=KINDS,
        tones=TONES,
        states=STATES,
        error=error,
        notice=notice,
    )


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(each) for each in value) or "–"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)
