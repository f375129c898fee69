"""A coordinator's container → somebody who is really signed in, with cookie, CSRF token and JWT.

Account, session and tokens are those of the product, looked up at every request; only the password
and the second factor are not typed, because hashing for every test would take longer than it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from common.security import Permission, Role, SecurityContext, SecurityLevel
from coordinator.container import CoordinatorContainer
from coordinator.security.accounts_store import Account, AccountsStore
from coordinator.security.audit_store import still
from coordinator.security.opaque import new_id
from coordinator.security.people_tables import AccountRow, FactorRow
from coordinator.security.sessions import FRESH_S, Grade, Medium, Visitor

_NO_HASH = "none"
_SAFE = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """What somebody holds after signing in."""

    context: SecurityContext
    cookie_name: str
    cookie: str
    csrf: str
    bearer: dict[str, str]

    @property
    def page_headers(self) -> dict[str, str]:
        """For pages and forms: the cookie and the CSRF token."""
        return {"Cookie": f"{self.cookie_name}={self.cookie}", "X-CSRF-Token": self.csrf}


class SignedInClient:
    """Asks an application as somebody; keeps no other cookies, follows no redirection."""

    def __init__(self, app: Any, somebody: SignedIn, *, by: Medium = Medium.PAGE) -> None:
        self._app = app
        self.somebody = somebody
        self._by = by

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.ask("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.ask("POST", path, **more)

    def put(self, path: str, **more: Any) -> httpx.Response:
        return self.ask("PUT", path, **more)

    def delete(self, path: str, **more: Any) -> httpx.Response:
        return self.ask("DELETE", path, **more)

    def ask(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        """Any request; the CSRF token goes along by itself where a cookie needs it."""
        held = self.somebody
        own = dict(held.bearer if self._by is Medium.API else held.page_headers)
        if method in _SAFE:
            own.pop("X-CSRF-Token", None)

        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1"
            ) as client:
                return await client.request(method, path, headers=own | (headers or {}), **more)

        return asyncio.run(asked())


def sign_in(
    container: CoordinatorContainer,
    *roles: Role,
    name: str | None = None,
    level: SecurityLevel = SecurityLevel.FRESH,
) -> SignedIn:
    """Sign somebody in.

    Args:
        container: With its tables in place (``set_up`` or ``migrate`` and a tenant).
        roles: What they are; nobody in particular without any.
        name: Default: named after the roles; the same name is the same account.
        level: How far they got; FRESH has shown the second factor just now.
    """
    account = ensure_account(container, *roles, name=name)
    people, database = container.people, container.database()
    sessions, grade = people.sessions(), _grade(container, level)
    held = {}
    with database.session() as session:
        for medium in Medium:
            visitor = Visitor(address="127.0.0.1", agent="tests", medium=medium)
            held[medium] = sessions.open(session, account.id, visitor, grade)
    page, api = held[Medium.PAGE], held[Medium.API]
    assert page.cookie is not None
    assert api.access is not None
    with still(database) as session:
        found = sessions.held(session, page.session_id)
    assert found is not None
    context = sessions.context(found)
    return SignedIn(
        context=context,
        cookie_name=people.cookies().name,
        cookie=page.cookie,
        csrf=container.authenticator().csrf_token(context),
        bearer={"Authorization": f"Bearer {api.access.text}"},
    )


def client_of(container: CoordinatorContainer, app: Any, *roles: Role) -> SignedInClient:
    """A browser in which somebody with these roles is signed in."""
    return SignedInClient(app, sign_in(container, *roles))


def bearer(container: CoordinatorContainer, *roles: Role) -> dict[str, str]:
    """Headers of an API call of somebody with these roles."""
    return sign_in(container, *roles).bearer


def program(
    container: CoordinatorContainer, *roles: Role, scopes: tuple[Permission, ...] = ()
) -> dict[str, str]:
    """Headers of a program with a service token."""
    made = container.people.service_tokens().create(
        f"program-{new_id()[:8]}", roles, scopes=scopes, days=1
    )
    return {"Authorization": f"Bearer {made.text}"}


def ensure_account(
    container: CoordinatorContainer, *roles: Role, name: str | None = None
) -> Account:
    """An account that is set up; its password is one that nobody knows."""
    tenant = container.settings().tenant.id
    now = container.clock().now()
    called = name or "-".join(["tester", *sorted(roles)])
    with container.database().session() as session:
        store = AccountsStore(session, tenant)
        found = store.find(called)
        if found is not None:
            store.put_roles(found.id, roles)
            return store.by_id(found.id)
        row = AccountRow(
            id=new_id(), tenant_id=tenant, name=called, password_hash=_NO_HASH, created_at=now
        )
        store.add(row, roles)
        session.add(FactorRow(account_id=row.id, confirmed_at=now))
        session.flush()
        return store.by_id(row.id)


def _grade(container: CoordinatorContainer, level: SecurityLevel) -> Grade:
    now = container.clock().now()
    if level is SecurityLevel.FRESH:
        return Grade(is_complete=True, factor_at=now)
    if level is SecurityLevel.MULTI_FACTOR:
        return Grade(is_complete=True, factor_at=now - timedelta(seconds=FRESH_S))
    return Grade(is_complete=False)
