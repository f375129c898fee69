"""People over the API: who may sign in, and with which roles."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from common.security import Permission, SecurityLevel
from coordinator.problems import problems
from coordinator.security.access import may
from coordinator.security.people_dependencies import AccountsDep
from coordinator.security.people_views import AccountBody, AccountView, LinkView, RolesBody

router = APIRouter(prefix="/users", tags=["users"])

_READ = [may(Permission.USERS_MANAGE)]
_CHANGE = [may(Permission.USERS_MANAGE, level=SecurityLevel.FRESH)]

NamePath = Annotated[str, Path(max_length=64, description="As they sign in", examples=["anna"])]


@router.get("", dependencies=_READ, responses=problems(401, 403))
def list_users(accounts: AccountsDep) -> list[AccountView]:
    """Everybody by name."""
    return [AccountView.of(one) for one in accounts.list()]


@router.post("", dependencies=_CHANGE, status_code=201, responses=problems(401, 403, 409))
def add_user(body: AccountBody, accounts: AccountsDep) -> LinkView:
    """Somebody new, with the one-time link through which they choose a password."""
    return LinkView.of(accounts.add(body.name, body.roles))


@router.put("/{name}/roles", dependencies=_CHANGE, responses=problems(401, 403, 404, 409))
def put_roles(name: NamePath, body: RolesBody, accounts: AccountsDep) -> AccountView:
    """Exchange somebody's roles, from their next request on."""
    return AccountView.of(accounts.put_roles(name, body.roles))


@router.post("/{name}/disabling", dependencies=_CHANGE, responses=problems(401, 403, 404, 409))
def disable_user(name: NamePath, accounts: AccountsDep) -> AccountView:
    """Let somebody in no more; their sessions end at once."""
    return AccountView.of(accounts.disable(name))


@router.post("/{name}/enabling", dependencies=_CHANGE, responses=problems(401, 403, 404))
def enable_user(name: NamePath, accounts: AccountsDep) -> AccountView:
    """Let somebody in again."""
    return AccountView.of(accounts.enable(name))


@router.post(
    "/{name}/reset", dependencies=_CHANGE, status_code=201, responses=problems(401, 403, 404, 409)
)
def reset_user(name: NamePath, accounts: AccountsDep) -> LinkView:
    """Forget somebody's password and second factor; the link lets them choose anew."""
    return LinkView.of(accounts.reset(name))
