"""A request → the parts of signing in that answer it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from coordinator.dependencies import ContainerDep
from coordinator.security.accounts import Accounts
from coordinator.security.own_account import OwnAccount
from coordinator.security.page_cookies import PageCookies
from coordinator.security.service_tokens import ServiceTokens
from coordinator.security.sessions import Medium, Visitor
from coordinator.security.sign_in import SignIn


def _accounts(container: ContainerDep) -> Accounts:
    found: Accounts = container.people.accounts()
    return found


def _own_account(container: ContainerDep) -> OwnAccount:
    found: OwnAccount = container.people.own_account()
    return found


def _sign_in(container: ContainerDep) -> SignIn:
    found: SignIn = container.people.sign_in()
    return found


def _service_tokens(container: ContainerDep) -> ServiceTokens:
    found: ServiceTokens = container.people.service_tokens()
    return found


def _program(request: Request) -> Visitor:
    return _visitor(request, Medium.API)


def _visitor(request: Request, medium: Medium) -> Visitor:
    return Visitor(
        address=request.client.host if request.client else "unknown",
        agent=request.headers.get("User-Agent", ""),
        medium=medium,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What the pages of signing in need: who comes, and what lets them in."""

    sign_in: SignIn
    own: OwnAccount
    cookies: PageCookies
    visitor: Visitor


def _door(request: Request, container: ContainerDep) -> Door:
    people = container.people
    return Door(
        sign_in=people.sign_in(),
        own=people.own_account(),
        cookies=people.cookies(),
        visitor=_visitor(request, Medium.PAGE),
    )


AccountsDep = Annotated[Accounts, Depends(_accounts)]
OwnAccountDep = Annotated[OwnAccount, Depends(_own_account)]
SignInDep = Annotated[SignIn, Depends(_sign_in)]
ServiceTokensDep = Annotated[ServiceTokens, Depends(_service_tokens)]
ApiVisitorDep = Annotated[Visitor, Depends(_program)]
DoorDep = Annotated[Door, Depends(_door)]
