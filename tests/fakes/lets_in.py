"""An application → the same where somebody is signed in; the real decisions, no real sign-in."""

from __future__ import annotations

from fastapi import FastAPI, Request

from common.security import Role, SecurityContext, SecurityLevel
from coordinator.security.access import RoleBasedAccessControl, access_of
from coordinator.security.events import EventKind


def somebody(
    *roles: Role,
    name: str = "Ada Byron",
    tenant: str = "city",
    level: SecurityLevel = SecurityLevel.FRESH,
) -> SecurityContext:
    """A person with these jobs; an administrator where none is named."""
    return SecurityContext(
        user_id="u1",
        name=name,
        tenant=tenant,
        roles=frozenset(roles or (Role.ADMIN,)),
        level=level,
        session_id="s1",
        kind="person",
    )


class Standing:
    """Whoever asks is this person; nobody for None."""

    def __init__(self, who: SecurityContext | None) -> None:
        self._who = who

    async def context(self, request: Request) -> SecurityContext | None:  # noqa: ARG002 - a Protocol's
        return self._who


class KeptEvents:
    """Security events in a list."""

    def __init__(self) -> None:
        self.kinds: list[EventKind] = []

    def record(self, kind: EventKind, *, subject: str, address: str) -> None:  # noqa: ARG002 - a Protocol's
        self.kinds.append(kind)


def lets_in(app: FastAPI, who: SecurityContext | None = None) -> FastAPI:
    """Everybody who asks ``app`` is ``who``, an administrator by default."""
    who = who or somebody()
    access = RoleBasedAccessControl(Standing(who), tenant=who.tenant, events=KeptEvents())
    app.dependency_overrides[access_of] = lambda: access
    return app
