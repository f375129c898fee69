"""Somebody who signed in → a session, its cookie or tokens, and its end."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from common.security import SecurityContext, SecurityLevel
from common.timing import Clock
from coordinator.api_settings import SignInSettings
from coordinator.security.access_tokens import AccessClaims, AccessToken, AccessTokens
from coordinator.security.audit_store import Session
from coordinator.security.opaque import digest_of, new_id, new_secret
from coordinator.security.people_tables import SignInSessionRow
from coordinator.security.sessions_store import HeldSession, RefreshVerdict, SessionsStore

FRESH_S = 600
"""So long a second factor that was shown counts for what cannot be undone."""

HALF_WAY_S = 600
"""So long somebody has for the second factor after the first."""

_TOUCH_S = 60
_KEPT = timedelta(days=30)
_MOST_AGENT_CHARACTERS = 256
_MOST_ADDRESS_CHARACTERS = 64


class Medium(StrEnum):
    """What a session is held with."""

    PAGE = "page"
    API = "api"


class End(StrEnum):
    """Why a session ended."""

    SIGNED_OUT = "signed_out"
    REVOKED = "revoked"
    NEXT_STEP = "next_step"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a reason  # nosec B105
    DISABLED = "disabled"
    RESET = "reset"
    REFRESH_REUSED = "refresh_reused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Where a request comes from, and with what."""

    address: str
    agent: str
    medium: Medium


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """How far somebody got: with the second factor (or a link that vouches), and when shown."""

    is_complete: bool
    factor_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A session as its holder gets it.

    Attributes:
        session_id: Which.
        is_complete: False while the second factor is missing.
        has_factor: False where one has to be set up first.
        cookie: For a page.
        access: For the API.
        refresh: For the API, once complete.
    """

    session_id: str
    is_complete: bool
    has_factor: bool = True
    cookie: str | None = field(default=None, repr=False)
    access: AccessToken | None = None
    refresh: str | None = field(default=None, repr=False)


class Sessions:
    """Opens, finds and ends the sessions of one tenant; every call is in a transaction."""

    def __init__(
        self, tokens: AccessTokens, settings: SignInSettings, *, tenant: str, clock: Clock
    ) -> None:
        self._tokens = tokens
        self._life = timedelta(hours=settings.session_hours)
        self._idle = timedelta(minutes=settings.idle_minutes)
        self._tenant = tenant
        self._clock = clock

    def open(self, session: Session, account_id: str, visitor: Visitor, grade: Grade) -> Opened:
        """A new session; never one that was there before somebody signed in."""
        now = self._clock.now()
        store = SessionsStore(session, self._tenant)
        store.forget(expired_before=now - _KEPT)
        secret = new_secret() if visitor.medium is Medium.PAGE else None
        row = SignInSessionRow(
            id=new_id(),
            tenant_id=self._tenant,
            account_id=account_id,
            cookie_digest=digest_of(secret) if secret else None,
            is_complete=grade.is_complete,
            factor_at=grade.factor_at,
            address=visitor.address[:_MOST_ADDRESS_CHARACTERS],
            agent=_printable(visitor.agent),
            created_at=now,
            last_used_at=now,
            expires_at=now + (self._life if grade.is_complete else timedelta(seconds=HALF_WAY_S)),
        )
        store.add(row)
        if secret is not None:
            cookie = f"{row.id}.{secret}"
            return Opened(session_id=row.id, is_complete=row.is_complete, cookie=cookie)
        return self._with_tokens(session, row)

    def held(self, session: Session, session_id: str) -> HeldSession | None:
        """A session that counts at this moment."""
        found = SessionsStore(session, self._tenant).held(session_id)
        return found if found is not None and self._counts(found.row) else None

    def held_by_cookie(self, session: Session, cookie: str) -> HeldSession | None:
        """The session of a page's cookie, if it counts."""
        session_id, _, secret = cookie.partition(".")
        found = self.held(session, session_id)
        if found is None or found.row.cookie_digest is None:
            return None
        is_right = hmac.compare_digest(digest_of(secret), found.row.cookie_digest)
        return found if is_right else None

    def context(self, held: HeldSession) -> SecurityContext:
        """Who it is, and how surely we know at this moment."""
        return SecurityContext(
            user_id=held.row.account_id,
            name=held.name,
            tenant=held.row.tenant_id,
            roles=held.roles,
            level=self._level(held.row),
            session_id=held.row.id,
            kind="person",
        )

    def is_touch_due(self, held: HeldSession) -> bool:
        """True when its last use was noted some time ago; noting each would cost a write."""
        return self._clock.now() - held.row.last_used_at >= timedelta(seconds=_TOUCH_S)

    def touch(self, session: Session, session_id: str) -> None:
        """Note that it was used."""
        SessionsStore(session, self._tenant).touch(session_id, now=self._clock.now())

    def freshen(self, session: Session, session_id: str) -> None:
        """Note that the second factor was shown again."""
        SessionsStore(session, self._tenant).freshen(session_id, now=self._clock.now())

    def end(self, session: Session, session_id: str, why: End) -> bool:
        """End one session, its tokens with it."""
        return SessionsStore(session, self._tenant).end(session_id, why, now=self._clock.now())

    def end_all(
        self, session: Session, account_id: str, why: End, *, but: str | None = None
    ) -> int:
        """End all sessions of somebody; tells how many."""
        store = SessionsStore(session, self._tenant)
        return store.end_all(account_id, why, now=self._clock.now(), but=but)

    def of_account(self, session: Session, account_id: str) -> list[SignInSessionRow]:
        """Sessions of somebody that count, the last used first."""
        rows = SessionsStore(session, self._tenant).of_account(account_id)
        return [row for row in rows if self._counts(row)]

    def access(self, opened: Opened, account_id: str) -> Opened:
        """The same with another access token, for a session that goes on."""
        claims = AccessClaims(account_id=account_id, session_id=opened.session_id)
        return replace(opened, access=self._tokens.issue(claims))

    def refresh(self, session: Session, token: str) -> tuple[RefreshVerdict, HeldSession | None]:
        """Take a refresh token; one that was used before ends its whole family."""
        store = SessionsStore(session, self._tenant)
        verdict, session_id = store.use_refresh(digest_of(token), now=self._clock.now())
        held = self.held(session, session_id) if session_id else None
        if verdict is RefreshVerdict.REUSED:
            self.end(session, session_id, End.REFRESH_REUSED)
        return verdict, held

    def renew(self, session: Session, held: HeldSession) -> Opened:
        """The next pair of tokens of a session."""
        self.touch(session, held.row.id)
        return self._with_tokens(session, held.row)

    def _with_tokens(self, session: Session, row: SignInSessionRow) -> Opened:
        access = self._tokens.issue(AccessClaims(account_id=row.account_id, session_id=row.id))
        refresh = None
        if row.is_complete:
            refresh = new_secret()
            store = SessionsStore(session, self._tenant)
            store.add_refresh(digest_of(refresh), row.id, now=self._clock.now())
        return Opened(
            session_id=row.id, is_complete=row.is_complete, access=access, refresh=refresh
        )

    def _counts(self, row: SignInSessionRow) -> bool:
        now = self._clock.now()
        return now < row.expires_at and now < row.last_used_at + self._idle

    def _level(self, row: SignInSessionRow) -> SecurityLevel:
        if not row.is_complete:
            return SecurityLevel.PASSWORD
        fresh = timedelta(seconds=FRESH_S)
        if row.factor_at is not None and self._clock.now() - row.factor_at < fresh:
            return SecurityLevel.FRESH
        return SecurityLevel.MULTI_FACTOR


def _printable(agent: str) -> str:
    return "".join(c for c in agent if c.isprintable())[:_MOST_AGENT_CHARACTERS]
