"""A request → who sent it: a person's access token or cookie, or a program's token.

A header alone counts where there is one: a request with a bad token is nobody's, whatever cookie
it carries. A cookie on a request that may change something needs the CSRF token beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from fastapi.concurrency import run_in_threadpool
from starlette.requests import Request

from common.errors import TrustError
from common.security import SecurityContext
from coordinator.database import Database
from coordinator.security.access_tokens import AccessTokens, ForgedTokenError
from coordinator.security.audit_store import still
from coordinator.security.events import EventKind, SecurityEvents, stranger
from coordinator.security.opaque import KeyedDigest
from coordinator.security.page_cookies import PageCookies
from coordinator.security.service_tokens import PREFIX, ServiceTokens
from coordinator.security.sessions import Sessions
from coordinator.security.sessions_store import HeldSession

CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf_token"

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_USE = "page form"
_MOST_CREDENTIAL_CHARACTERS = 4096


class ForgedRequestError(TrustError):
    """Somebody's browser sent what none of our pages asked it to."""

    def __init__(self) -> None:
        """Say what helps when it was only an old page."""
        super().__init__(
            "this was not sent from a page of ours, or from one of an earlier sign-in",
            hint="load the page again",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Everything that can be shown to say who one is."""

    access: AccessTokens
    programs: ServiceTokens
    cookies: PageCookies
    forms: KeyedDigest


class Authenticator:
    """Finds out who asks; looked up at each request, so that what is revoked ends at once."""

    def __init__(
        self, database: Database, sessions: Sessions, credentials: Credentials,
        *, events: SecurityEvents,
    ) -> None:  # fmt: skip
        self._database = database
        self._sessions = sessions
        self._credentials = credentials
        self._events = events

    async def context(self, request: Request) -> SecurityContext | None:
        """Who sent this request; None where nobody is known to have.

        Raises:
            ForgedRequestError: With the cookie of a session, and without its CSRF token.
            UnreachableError: The database is away.
        """
        sent = await self._sent_csrf(request)
        return await run_in_threadpool(self.context_of, request, sent)

    def context_of(self, request: Request, sent_csrf: str = "") -> SecurityContext | None:
        """The same for a request whose form was read by the caller; asks the database.

        Raises:
            ForgedRequestError: With the cookie of a session, and without its CSRF token.
            UnreachableError: The database is away.
        """
        header = request.headers.get("Authorization")
        if header is not None:
            scheme, _, credential = header.partition(" ")
            credential = credential.strip()
            if scheme.lower() != "bearer" or len(credential) > _MOST_CREDENTIAL_CHARACTERS:
                return None
            if credential.startswith(PREFIX):
                return self._program(request, credential)
            return self._bearer(request, credential)
        cookie = self._credentials.cookies.read(request)
        return self._visitor(request, cookie, sent_csrf) if cookie else None

    def csrf_token(self, context: SecurityContext) -> str:
        """What forms of the pages of a session send back."""
        return self._credentials.forms.of(_USE, context.session_id)

    async def _sent_csrf(self, request: Request) -> str:
        """Read only where it will be asked for: a cookie, and something that may change."""
        if request.method in _SAFE or "Authorization" in request.headers:
            return ""
        if self._credentials.cookies.read(request) is None:
            return ""
        header = request.headers.get(CSRF_HEADER)
        if header is not None:
            return header
        if not request.headers.get("Content-Type", "").lower().startswith(_FORMS):
            return ""
        value = (await request.form()).get(CSRF_FIELD)
        return value if isinstance(value, str) else ""

    def _bearer(self, request: Request, text: str) -> SecurityContext | None:
        try:
            claims = self._credentials.access.read(text)
        except ForgedTokenError:
            self._refused(request, text)
            return None
        except TrustError:
            return None
        with still(self._database) as session:
            held = self._sessions.held(session, claims.session_id)
        if held is None or held.row.account_id != claims.account_id:
            return None
        return self._known(held)

    def _visitor(self, request: Request, cookie: str, sent_csrf: str) -> SecurityContext | None:
        with still(self._database) as session:
            held = self._sessions.held_by_cookie(session, cookie)
        if held is None:
            return None
        if request.method not in _SAFE and not self._credentials.forms.holds(
            _USE, held.row.id, sent_csrf
        ):
            self._forged(request, held)
        return self._known(held)

    def _program(self, request: Request, text: str) -> SecurityContext | None:
        tokens = self._credentials.programs
        with still(self._database) as session:
            found = tokens.context(session, text)
            is_made_up = found is None and not tokens.is_known(session, text)
        if is_made_up:
            self._refused(request, text)
        if found is None:
            return None
        context, is_touch_due = found
        if is_touch_due:
            with self._database.session() as session:
                tokens.touch(session, context.user_id)
        return context

    def _known(self, held: HeldSession) -> SecurityContext:
        if self._sessions.is_touch_due(held):
            with self._database.session() as session:
                self._sessions.touch(session, held.row.id)
        return self._sessions.context(held)

    def _refused(self, request: Request, text: str) -> None:
        self._events.record(
            EventKind.TOKEN_REFUSED, subject=stranger(text), address=_address(request)
        )

    def _forged(self, request: Request, held: HeldSession) -> NoReturn:
        self._events.record(EventKind.CSRF_REFUSED, subject=held.name, address=_address(request))
        raise ForgedRequestError


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"
