"""An account → a one-time link that leads in once, of which only the digest is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from common.errors import TrustError
from common.timing import Clock
from coordinator.security.accounts_store import Account, AccountsStore
from coordinator.security.audit import SecurityAuditLogger
from coordinator.security.audit_entries import Action
from coordinator.security.audit_store import Session
from coordinator.security.links_store import LinksStore
from coordinator.security.opaque import digest_of, new_secret
from coordinator.security.people_tables import OneTimeLinkRow

SIGN_IN_MINUTES = 10
WELCOME_HOURS = 72
"""An invitation that was sent on a Friday is still good on Monday."""


class LinkPurpose(StrEnum):
    """What a link leads to."""

    WELCOME = "welcome"
    SIGN_IN = "sign_in"


_LIVES = {
    LinkPurpose.WELCOME: timedelta(hours=WELCOME_HOURS),
    LinkPurpose.SIGN_IN: timedelta(minutes=SIGN_IN_MINUTES),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLink:
    """A link as it is shown once."""

    url: str = field(repr=False)
    name: str
    purpose: LinkPurpose
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLink:
    """What a link leads to, before it is used."""

    digest: str
    account: Account
    purpose: LinkPurpose


class LinkRefusedError(TrustError):
    """A link that was used, has expired, or never was one."""

    def __init__(self) -> None:
        """Say the same of each: who guesses learns nothing."""
        super().__init__(
            "this link leads nowhere any more: it was used, or its time is over",
            hint="ask an administrator for a new one",
        )


class Links:
    """Makes and takes links of one tenant."""

    def __init__(self, *, tenant: str, url: str, clock: Clock) -> None:
        """Lead to the pages at ``url``, such as ``https://traffic.example``."""
        self._tenant = tenant
        self._url = url
        self._clock = clock
        self._audit = SecurityAuditLogger(tenant=tenant, clock=clock)

    def create(self, session: Session, account: Account, purpose: LinkPurpose) -> NewLink:
        """A new link in the caller's transaction; older ones of the account end.

        Call ``record`` with it at the end of the transaction.
        """
        now = self._clock.now()
        secret = new_secret()
        store = LinksStore(session, self._tenant)
        store.use_up(account.id, now=now)
        row = OneTimeLinkRow(
            digest=digest_of(secret),
            account_id=account.id,
            purpose=purpose,
            created_at=now,
            expires_at=now + _LIVES[purpose],
        )
        store.add(row)
        return NewLink(
            url=f"{self._url}/welcome?link={secret}",
            name=account.name,
            purpose=purpose,
            expires_at=row.expires_at,
        )

    def record(self, session: Session, link: NewLink) -> None:
        """Write down that it was made."""
        told = {"purpose": str(link.purpose), "expires_at": str(link.expires_at)}
        self._audit.record(session, Action.LINK_CREATED, subject=link.name, detail=told)

    def look(self, session: Session, secret: str) -> OpenLink | None:
        """What the link leads to; looking uses nothing up, mail programs look at every link."""
        row = LinksStore(session, self._tenant).open_link(digest_of(secret), now=self._clock.now())
        if row is None:
            return None
        account = AccountsStore(session, self._tenant).by_id(row.account_id)
        return OpenLink(digest=row.digest, account=account, purpose=LinkPurpose(row.purpose))

    def use(self, session: Session, link: OpenLink) -> bool:
        """Use it up in the caller's transaction; False when somebody was faster."""
        return LinksStore(session, self._tenant).use(link.digest, now=self._clock.now())
