"""The pages of everybody's accounts: who may sign in, with which roles, and programs' tokens."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from common.errors import ConfigError, ConflictError
from common.security import Permission, Role, SecurityLevel
from coordinator.dashboard.rendering import render
from coordinator.dependencies import ClockDep
from coordinator.problems import status_of
from coordinator.security.access import may
from coordinator.security.page_forms import PersonForm, RolesForm
from coordinator.security.pages_router import told
from coordinator.security.people_dependencies import AccountsDep, ServiceTokensDep

router = APIRouter(include_in_schema=False)

_READ = [may(Permission.USERS_MANAGE)]
_CHANGE = [may(Permission.USERS_MANAGE, level=SecurityLevel.FRESH)]

NamePath = Annotated[str, Path(max_length=64)]

_DONE = {
    "roles": "The roles were changed. They count from the next click on.",
    "disabled": "The account is disabled, and its sessions have ended.",
    "enabled": "The account is enabled again.",
    "token": "The token counts no more.",  # nosec B105 - words for people
}
ROLE_WORDS = {
    Role.VIEWER: "sees traffic, data quality, boxes and models",
    Role.ANALYST: "also exports, and judges anomalies",
    Role.TECHNICIAN: "also sets up boxes, draws sections, sees alerts",
    Role.ML_ENGINEER: "also runs rounds, registers and approves models, rolls them out",
    Role.AUDITOR: "also reads the audit log, alerts and what was refused",
    Role.ADMIN: "everything, people too",
}
_ROLES = [(role.value, role.value.replace("_", " "), ROLE_WORDS[role]) for role in ROLE_WORDS]


@router.get("/users", response_class=HTMLResponse, dependencies=_READ)
def show_people(
    request: Request,
    accounts: AccountsDep,
    tokens: ServiceTokensDep,
    clock: ClockDep,
    done: Annotated[str, Query(max_length=16)] = "",
) -> HTMLResponse:
    """Everybody, and every program."""
    now = clock.now()
    programs = [(token, token.state(now)) for token in tokens.list()]
    said: dict[str, Any] = {
        "people": accounts.list(),
        "programs": programs,
        "notice": _DONE.get(done, ""),
    }
    return render(request, "security/people.html", **said)


@router.get("/users/new", response_class=HTMLResponse, dependencies=_CHANGE)
def show_new(request: Request) -> HTMLResponse:
    """Where somebody is added."""
    return _new(request, PersonForm())


@router.post("/users/new", response_class=HTMLResponse, dependencies=_CHANGE)
def add_person(
    request: Request, form: Annotated[PersonForm, Form()], accounts: AccountsDep
) -> HTMLResponse:
    """Somebody new; the link is shown once."""
    try:
        link = accounts.add(form.name.strip().casefold(), form.roles)
    except (ConfigError, ConflictError) as error:
        return _new(request, form, status=status_of(error), error=told(error))
    return render(request, "security/link.html", link=link)


@router.get("/users/{name}", response_class=HTMLResponse, dependencies=_CHANGE)
def show_person(request: Request, name: NamePath, accounts: AccountsDep) -> HTMLResponse:
    """One account, and what can be done with it."""
    said: dict[str, Any] = {"person": accounts.named(name), "roles": _ROLES, "error": ""}
    return render(request, "security/person.html", **said)


@router.post("/users/{name}/roles", response_class=HTMLResponse, dependencies=_CHANGE)
def put_roles(
    request: Request,
    name: NamePath,
    form: Annotated[RolesForm, Form()],
    accounts: AccountsDep,
) -> Response:
    """Exchange somebody's roles."""
    try:
        accounts.put_roles(name, form.roles)
    except ConflictError as error:
        return _refused(request, name, accounts, error)
    return RedirectResponse("/users?done=roles", status_code=303)


@router.post("/users/{name}/disable", response_class=HTMLResponse, dependencies=_CHANGE)
def disable_person(request: Request, name: NamePath, accounts: AccountsDep) -> Response:
    """Let somebody in no more."""
    try:
        accounts.disable(name)
    except ConflictError as error:
        return _refused(request, name, accounts, error)
    return RedirectResponse("/users?done=disabled", status_code=303)


@router.post("/users/{name}/enable", dependencies=_CHANGE)
def enable_person(name: NamePath, accounts: AccountsDep) -> Response:
    """Let somebody in again."""
    accounts.enable(name)
    return RedirectResponse("/users?done=enabled", status_code=303)


@router.post("/users/{name}/reset", response_class=HTMLResponse, dependencies=_CHANGE)
def reset_person(request: Request, name: NamePath, accounts: AccountsDep) -> HTMLResponse:
    """Forget somebody's password and second factor; the new link is shown once."""
    return render(request, "security/link.html", link=accounts.reset(name))


@router.post("/users/tokens/{name}/revoke", dependencies=_CHANGE)
def revoke_token(name: NamePath, tokens: ServiceTokensDep) -> Response:
    """End a program's token."""
    tokens.revoke(name)
    return RedirectResponse("/users?done=token", status_code=303)


def _new(request: Request, form: PersonForm, *, status: int = 200, error: str = "") -> HTMLResponse:
    said: dict[str, Any] = {"name": form.name, "held": form.roles, "roles": _ROLES, "error": error}
    return render(request, "security/new_person.html", status=status, **said)


def _refused(
    request: Request, name: str, accounts: AccountsDep, error: ConflictError
) -> HTMLResponse:
    said: dict[str, Any] = {"person": accounts.named(name), "roles": _ROLES, "error": told(error)}
    return render(request, "security/person.html", status=status_of(error), **said)
