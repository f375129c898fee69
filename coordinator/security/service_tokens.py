"""A program, its roles and scopes → a token that it shows at every request."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from common.errors import ConfigError, ConflictError, NotFoundError
from common.security import GRANTS, Permission, Role, SecurityContext, SecurityLevel
from common.timing import Clock
from coordinator.database import Database
from coordinator.security.audit import SecurityAuditLogger
from coordinator.security.audit_entries import Action
from coordinator.security.audit_store import Session, still
from coordinator.security.opaque import digest_of, new_id, new_secret
from coordinator.security.people_tables import ServiceTokenRow
from coordinator.security.service_tokens_store import ServiceTokensStore

PREFIX = "its_service_"
"""So that whoever finds one in a log or a repository knows what it is."""

FOR_PEOPLE = frozenset({Permission.OWN_ACCOUNT, Permission.USERS_MANAGE, Permission.MODELS_APPROVE})
"""What no program may, whatever its roles: it is nobody, lets nobody in and is no second person."""

MOST_DAYS = 730
_TOUCH = timedelta(seconds=60)
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewServiceToken:
    """A token as it is shown once."""

    text: str = field(repr=False)
    name: str
    scopes: frozenset[Permission]
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceToken:
    """What is known of a token; not the secret."""

    id: str
    name: str
    roles: frozenset[Role]
    scopes: frozenset[Permission]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None

    def state(self, now: datetime) -> str:
        """In one word."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at <= now else "good"


class ServiceTokens:
    """Tokens of one tenant's programs."""

    def __init__(self, database: Database, *, tenant: str, clock: Clock) -> None:
        self._database = database
        self._tenant = tenant
        self._clock = clock
        self._audit = SecurityAuditLogger(tenant=tenant, clock=clock)

    def create(
        self, name: str, roles: Iterable[Role], *, scopes: Iterable[Permission] = (), days: int
    ) -> NewServiceToken:
        """A token that ends by itself.

        Args:
            name: What people call the program.
            roles: What it could do at most.
            scopes: What it shall do of that; all, where nothing is named.
            days: How long it is good.

        Raises:
            ConfigError: A name that cannot be used, or nothing left that it may do.
            ConflictError: The name is taken.
        """
        held = frozenset(roles)
        granted = frozenset[Permission]().union(*(GRANTS[role] for role in held)) - FOR_PEOPLE
        wanted = frozenset(scopes) or granted
        _require_usable(name, wanted, granted)
        if not 1 <= days <= MOST_DAYS:
            raise ConfigError(f"token for {days} days, expected 1 to {MOST_DAYS}")
        now = self._clock.now()
        text = PREFIX + new_secret()
        row = ServiceTokenRow(
            id=new_id(),
            tenant_id=self._tenant,
            name=name,
            digest=digest_of(text),
            roles=" ".join(sorted(held)),
            scopes=" ".join(sorted(wanted)),
            created_at=now,
            expires_at=now + timedelta(days=days),
        )
        with self._database.session() as session:
            store = ServiceTokensStore(session, self._tenant)
            if store.named(name) is not None:
                raise ConflictError(f"a service token {name!r} exists, expected a new name")
            store.add(row)
            told = {"roles": row.roles, "scopes": row.scopes, "expires_at": str(row.expires_at)}
            self._audit.record(session, Action.SERVICE_TOKEN_CREATED, subject=name, detail=told)
        return NewServiceToken(text=text, name=name, scopes=wanted, expires_at=row.expires_at)

    def list(self) -> list[ServiceToken]:
        """Every token by name."""
        with still(self._database) as session:
            return [_shown(row) for row in ServiceTokensStore(session, self._tenant).all()]

    def revoke(self, name: str) -> None:
        """End a token; it counts no more from the next request on.

        Raises:
            NotFoundError: No such token.
        """
        with self._database.session() as session:
            row = ServiceTokensStore(session, self._tenant).named(name)
            if row is None:
                raise NotFoundError(
                    f"service token {name[:64]!r} is not known",
                    hint="list them with: its-camera-ai security token list",
                )
            if row.revoked_at is None:
                row.revoked_at = self._clock.now()
                session.add(row)
                self._audit.record(session, Action.SERVICE_TOKEN_REVOKED, subject=name)

    def context(self, session: Session, text: str) -> tuple[SecurityContext, bool] | None:
        """The program that shows a token, None where it does not count (any more).

        Returns:
            Who it is, and whether ``touch`` is due.
        """
        now = self._clock.now()
        row = ServiceTokensStore(session, self._tenant).good(digest_of(text), now=now)
        if row is None:
            return None
        token = _shown(row)
        context = SecurityContext(
            user_id=token.id,
            name=token.name,
            tenant=row.tenant_id,
            roles=token.roles,
            level=SecurityLevel.MULTI_FACTOR,
            session_id=token.id,
            kind="service",
            # Again at every use: what is for people alone may have grown since.
            scopes=token.scopes - FOR_PEOPLE,
        )
        return context, token.last_used_at is None or now - token.last_used_at >= _TOUCH

    def is_known(self, session: Session, text: str) -> bool:
        """True for a token that counts, or counted once: old, and not made up."""
        return ServiceTokensStore(session, self._tenant).exists(digest_of(text))

    def touch(self, session: Session, token_id: str) -> None:
        """Note that it was used."""
        ServiceTokensStore(session, self._tenant).touch(token_id, now=self._clock.now())


def _require_usable(
    name: str, wanted: frozenset[Permission], granted: frozenset[Permission]
) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"name {name[:64]!r}, expected 2 to 64 lower-case letters, digits and . _ -"
        )
    beyond = sorted(wanted - granted)
    if beyond:
        raise ConfigError(
            f"{', '.join(beyond)} is not among what these roles let a program do",
            hint=f"expected some of: {', '.join(sorted(granted)) or 'nothing'}",
        )
    if not wanted:
        raise ConfigError("a token that may do nothing, expected at least one role")


def _shown(row: ServiceTokenRow) -> ServiceToken:
    return ServiceToken(
        id=row.id,
        name=row.name,
        roles=frozenset(Role(word) for word in row.roles.split()),
        scopes=frozenset(Permission(word) for word in row.scopes.split()),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
