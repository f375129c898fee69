"""A site → a one-time token for one box, of which only the digest is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from common.enrolment import EnrolmentToken
from common.errors import ConfigError, ConflictError, NotFoundError
from common.timing import Clock
from coordinator.broker.access import RESERVED
from coordinator.database import Database
from coordinator.fleet.authority import Authority
from coordinator.fleet.device_ids import MOST_SITE_CHARACTERS
from coordinator.fleet.states import DeviceState
from coordinator.fleet.store import FleetStore
from coordinator.fleet.tables import EnrolmentTokenRow
from coordinator.security.audit import SecurityAuditLogger
from coordinator.security.audit_entries import Action

ID_CHARACTERS = 12

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token as it is shown once."""

    token: EnrolmentToken = field(repr=False)
    site: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenState:
    """What became of a token; the secret itself is not known."""

    digest: str
    site: str
    replaces: str | None
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    used_by: str | None

    @property
    def id(self) -> str:
        """What people call it by: the beginning of the digest, which lets nobody in."""
        return self.digest[:ID_CHARACTERS]

    def is_open(self, now: datetime) -> bool:
        """Whether a box may still enrol with it."""
        return self.used_at is None and self.expires_at > now


class Tokens:
    """Makes and lists tokens of one tenant."""

    def __init__(
        self, database: Database, authority: Authority, *, tenant: str, clock: Clock
    ) -> None:
        self._database = database
        self._authority = authority
        self._tenant = tenant
        self._clock = clock
        self._audit = SecurityAuditLogger(tenant=tenant, clock=clock)

    def create(
        self,
        site: str,
        *,
        hours: float,
        replaces: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> NewToken:
        """A token for a box at ``site``, which is made where it does not exist.

        Args:
            site: Slug.
            hours: How long it is good.
            replaces: Box that is retired when the new one enrols; the site's history stays.
            details: Name, timezone and place of the site, where they change.

        Raises:
            ConfigError: A site name that cannot be used.
            NotFoundError: No such box to replace.
            ConflictError: That box stands elsewhere or has ended already.
        """
        if site.startswith(RESERVED) or len(site) > MOST_SITE_CHARACTERS:
            raise ConfigError(
                f"site {site!r}, expected at most {MOST_SITE_CHARACTERS} characters "
                f"and another beginning than {RESERVED!r}",
            )
        now = self._clock.now()
        token = EnrolmentToken.generate(self._authority.fingerprint)
        with self._database.session() as session:
            store = FleetStore(session, self._tenant)
            row = store.ensure_site(site, now=now, details=details or {})
            if replaces is not None:
                old = store.device(replaces)
                if old.site_id != row.id or old.state != DeviceState.ENROLLED:
                    raise ConflictError(
                        f"device {replaces!r} is {old.state}, expected an enrolled one at {site!r}"
                    )
            expires_at = now + timedelta(hours=hours)
            store.add_token(
                EnrolmentTokenRow(
                    digest=token.digest,
                    tenant_id=self._tenant,
                    site_id=row.id or 0,
                    replaces=replaces,
                    created_at=now,
                    expires_at=expires_at,
                )
            )
            told = {"digest": token.digest, "replaces": replaces, "expires_at": str(expires_at)}
            self._audit.record(session, Action.TOKEN_CREATED, subject=site, detail=told)
        log.info("enrolment_allowed", site=site, replaces=replaces, expires_at=str(expires_at))
        return NewToken(token=token, site=site, expires_at=expires_at)

    def revoke(self, token_id: str) -> TokenState:
        """End an open token before its time; nobody enrols with it any more.

        Args:
            token_id: As ``TokenState.id``.

        Raises:
            NotFoundError: No such token.
            ConflictError: A box used it, or it is over.
        """
        found = self._token(token_id)
        now = self._clock.now()
        with self._database.session() as session:
            is_ended = FleetStore(session, self._tenant).end_token(found.digest, now=now)
            if is_ended:
                told = {"digest": found.digest}
                self._audit.record(session, Action.TOKEN_REVOKED, subject=found.site, detail=told)
        if not is_ended:
            # Read again: a box may have used it since.
            device = self._token(token_id).used_by
            raise ConflictError(
                f"token {token_id} {f'was used by {device}' if device else 'is over'}, "
                "expected one that is open",
                hint="fleet retire ends a box that came in with it" if device else "",
            )
        log.info("enrolment_token_revoked", site=found.site)
        return replace(found, expires_at=now)

    def _token(self, token_id: str) -> TokenState:
        found = next((one for one in self.list() if one.id == token_id), None)
        if found is None:
            raise NotFoundError(f"no token {token_id!r}", hint="fleet token list shows them")
        return found

    def list(self) -> list[TokenState]:
        """Every token, the newest first."""
        with self._database.session() as session:
            store = FleetStore(session, self._tenant)
            sites = store.sites()
            return [
                TokenState(
                    digest=row.digest,
                    site=sites[row.site_id].slug,
                    replaces=row.replaces,
                    created_at=row.created_at,
                    expires_at=row.expires_at,
                    used_at=row.used_at,
                    used_by=row.used_by,
                )
                for row in store.tokens()
            ]
