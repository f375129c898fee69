"""The page of one's own account: password, second factor, sessions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from common.security import Permission, SecurityLevel
from coordinator.dashboard.rendering import render
from coordinator.fleet.attempts import TooManyAttemptsError
from coordinator.problems import status_of
from coordinator.security.access import ContextDep, may
from coordinator.security.page_forms import PasswordForm
from coordinator.security.pages_router import UNLIKE, told
from coordinator.security.password_rules import RefusedPasswordError
from coordinator.security.people_dependencies import DoorDep
from coordinator.security.sign_in import NotSignedInError

router = APIRouter(include_in_schema=False)

_OWN = [may(Permission.OWN_ACCOUNT)]
_FRESH = [may(Permission.OWN_ACCOUNT, level=SecurityLevel.FRESH)]

_DONE = {
    "session": "The session has ended.",
    "password": "The password was changed. Every other session has ended.",  # nosec B105 - for people
}
SessionPath = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]


@router.get("/account", response_class=HTMLResponse, dependencies=_OWN)
def show_account(
    request: Request,
    door: DoorDep,
    context: ContextDep,
    done: Annotated[str, Query(max_length=16)] = "",
) -> HTMLResponse:
    """Everything of one's own account on one page."""
    return render(
        request,
        "security/account.html",
        sessions=door.own.sessions(context),
        codes_left=door.own.recovery_codes_left(context),
        notice=_DONE.get(done, ""),
    )


@router.post("/account/sessions/{session_id}/end", dependencies=_OWN)
def end_session(session_id: SessionPath, door: DoorDep, context: ContextDep) -> Response:
    """End one of one's own sessions."""
    door.own.end_session(context, session_id)
    return RedirectResponse("/account?done=session", status_code=303)


@router.get("/account/password", response_class=HTMLResponse, dependencies=_FRESH)
def show_password(request: Request) -> HTMLResponse:
    """Where another password is chosen."""
    return render(request, "security/password.html", error="")


@router.post("/account/password", response_class=HTMLResponse, dependencies=_FRESH)
def change_password(
    request: Request,
    form: Annotated[PasswordForm, Form()],
    door: DoorDep,
    context: ContextDep,
) -> Response:
    """Choose another password; every other session ends."""
    if form.password != form.again:
        return render(request, "security/password.html", status=422, error=UNLIKE)
    try:
        door.own.change_password(context, form.current, form.password, door.visitor)
    except (NotSignedInError, RefusedPasswordError, TooManyAttemptsError) as error:
        said = {"error": told(error)}
        return render(request, "security/password.html", status=status_of(error), **said)
    return RedirectResponse("/account?done=password", status_code=303)


@router.get("/account/recovery-codes", response_class=HTMLResponse, dependencies=_FRESH)
def ask_for_codes(request: Request) -> HTMLResponse:
    """Where new recovery codes are asked for."""
    return render(request, "security/new_codes.html")


@router.post("/account/recovery-codes", response_class=HTMLResponse, dependencies=_FRESH)
def new_codes(request: Request, door: DoorDep, context: ContextDep) -> HTMLResponse:
    """Ten new codes, shown once; those before count no more."""
    codes = door.own.new_recovery_codes(context)
    return render(request, "security/recovery_codes.html", codes=codes, onward="/account")
