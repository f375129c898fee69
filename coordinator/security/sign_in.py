"""Name, password and code → a session; every wrong one is counted before it is checked.

Hashing happens between transactions and never inside of one: on SQLite a transaction holds back
everybody else who writes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import structlog

from common.security import SecurityContext, SecurityLevel
from common.timing import Clock
from coordinator.database import Database
from coordinator.security.accounts_store import Account, AccountsStore
from coordinator.security.actors import Actor, ActorKind
from coordinator.security.attempts import SignInAttempts, SignInPausedError
from coordinator.security.attempts_store import Charge
from coordinator.security.audit import SecurityAuditLogger
from coordinator.security.audit_entries import Action, Value
from coordinator.security.audit_store import Session, still
from coordinator.security.events import EventKind, SecurityEvents, stranger
from coordinator.security.factors import CodeVerdict, MultiFactorAuthenticator
from coordinator.security.links import Links
from coordinator.security.passwords import Passwords
from coordinator.security.refusals import SignInNeededError
from coordinator.security.sessions import End, Grade, Medium, Opened, Sessions, Visitor
from coordinator.security.sessions_store import RefreshVerdict

log = structlog.get_logger(__name__)


class Step(StrEnum):
    """At what somebody failed."""

    PASSWORD = "password"  # noqa: S105 - the name of a step  # nosec B105
    CODE = "code"
    REPLAYED_CODE = "replayed_code"


class NotSignedInError(SignInNeededError):
    """A wrong name, password or code; which of them is not said."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Say what was tried; signing in is what would help."""
        super().__init__()
        self.args = (message,)
        self.hint = hint or self.hint


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInParts:
    """What signing in is made of, and for whom.

    ``tenant`` is the id of the organisation, ``place`` what its people call it.
    """

    tenant: str
    place: str
    passwords: Passwords
    attempts: SignInAttempts
    factors: MultiFactorAuthenticator
    sessions: Sessions
    links: Links
    events: SecurityEvents


class SignIn:
    """Lets people of one tenant in, one step after the other; blocks while it hashes."""

    def __init__(self, database: Database, parts: SignInParts, *, clock: Clock) -> None:
        self._database = database
        self._parts = parts
        self._tenant = parts.tenant
        self._audit = SecurityAuditLogger(tenant=parts.tenant, clock=clock)
        self._clock = clock

    def with_password(self, name: str, password: str, visitor: Visitor) -> Opened:
        """The first step: a session that may only take the second one.

        Raises:
            NotSignedInError: Unknown, disabled or wrong, which takes equally long.
            TooManyAttemptsError: The name pauses, or the address failed too often.
        """
        account = self.require_password(name, password, visitor)
        with self._database.session() as session:
            opened = self._parts.sessions.open(
                session, account.id, visitor, Grade(is_complete=False)
            )
        return replace(opened, has_factor=account.has_factor)

    def require_password(self, name: str, password: str, visitor: Visitor) -> Account:
        """Whose password it is; nothing is opened.

        Raises:
            NotSignedInError: Unknown, disabled or wrong, which takes equally long.
            TooManyAttemptsError: The name pauses, or the address failed too often.
        """
        name = name.strip().casefold()
        self._parts.attempts.refuse_flood(visitor.address)
        charge = self._charged(name, visitor)
        with still(self._database) as session:
            account = AccountsStore(session, self._tenant).find(name)
        may = account is not None and account.disabled_at is None
        kept = account.password_hash if account is not None and may else None
        is_right = self._parts.passwords.check(password, kept)
        with self._database.session() as session:
            if account is not None and is_right:
                self._parts.attempts.refund(session, self._tenant, name)
                return account
            self._fail(session, account or name, visitor, Step.PASSWORD, charge)
        raise _refused(charge)

    def with_code(self, context: SecurityContext, code: str, visitor: Visitor) -> Opened:
        """The second step, or the second factor once more to make a session fresh.

        Raises:
            NotSignedInError: Wrong, or used before.
            TooManyAttemptsError: The name pauses, or the address failed too often.
        """
        self._parts.attempts.refuse_flood(visitor.address)
        charge = self._charged(context.name, visitor)
        with self._database.session() as session:
            account = AccountsStore(session, self._tenant).by_id(context.user_id)
            verdict = self._parts.factors.check(session, account.id, code)
            if verdict in (CodeVerdict.ACCEPTED, CodeVerdict.RECOVERY):
                return self._pass(session, context, visitor, how=str(verdict))
            is_replay = verdict is CodeVerdict.REPLAYED
            step = Step.REPLAYED_CODE if is_replay else Step.CODE
            self._fail(session, account, visitor, step, charge)
        raise _refused(charge)

    def complete(self, session: Session, account: Account, visitor: Visitor, *, how: str) -> Opened:
        """A whole session in the caller's transaction; call it last.

        Args:
            session: The transaction.
            account: Whose.
            visitor: Who holds it.
            how: What they showed last; a one-time link is not the second factor.
        """
        now = self._clock.now()
        row = AccountsStore(session, self._tenant).row(account.id)
        row.signed_in_at = now
        session.add(row)
        self._parts.attempts.clear(session, self._tenant, account.name)
        shown_at = None if how == "link" else now
        grade = Grade(is_complete=True, factor_at=shown_at)
        opened = self._parts.sessions.open(session, account.id, visitor, grade)
        told: dict[str, Value] = {
            "address": visitor.address, "how": how, "session": opened.session_id
        }  # fmt: skip
        by = Actor(kind=ActorKind.PERSON, name=account.name)
        self._audit.record(session, Action.SIGNED_IN, subject=account.name, detail=told, by=by)
        self._parts.events.record(
            EventKind.SIGNED_IN, subject=account.name, address=visitor.address
        )
        return opened

    def refresh(self, token: str, visitor: Visitor) -> Opened:
        """The next pair of tokens for a refresh token, once.

        Raises:
            NotSignedInError: Unknown, run out, or used before: then nobody of its family goes on.
            TooManyAttemptsError: The address failed too often.
        """
        self._parts.attempts.refuse_flood(visitor.address)
        sessions = self._parts.sessions
        with self._database.session() as session:
            verdict, held = sessions.refresh(session, token)
            if verdict is RefreshVerdict.TAKEN and held is not None:
                return sessions.renew(session, held)
            if verdict is RefreshVerdict.REUSED and held is not None:
                self._tell_reuse(session, held.name, held.row.id, visitor)
        self._parts.attempts.failed(visitor.address)
        raise NotSignedInError(
            "this refresh token leads nowhere, expected one that was not used and is in time",
            hint="sign in again",
        )

    def _pass(
        self, session: Session, context: SecurityContext, visitor: Visitor, *, how: str
    ) -> Opened:
        sessions = self._parts.sessions
        account = AccountsStore(session, self._tenant).by_id(context.user_id)
        if context.level >= SecurityLevel.MULTI_FACTOR:
            sessions.freshen(session, context.session_id)
            self._parts.attempts.clear(session, self._tenant, account.name)
            opened = Opened(session_id=context.session_id, is_complete=True)
            is_api = visitor.medium is Medium.API
            return sessions.access(opened, context.user_id) if is_api else opened
        # A new session, so that what was known before the second factor opens nothing after it.
        sessions.end(session, context.session_id, End.NEXT_STEP)
        return self.complete(session, account, visitor, how=how)

    def _charged(self, name: str, visitor: Visitor) -> Charge:
        with self._database.session() as session:
            charge = self._parts.attempts.charge(session, self._tenant, name)
        if not charge.may_try:
            self._parts.attempts.failed(visitor.address)
            raise SignInPausedError(charge.pause_s)
        return charge

    def _fail(
        self,
        session: Session,
        who: Account | str,
        visitor: Visitor,
        step: Step,
        charge: Charge,
    ) -> None:
        """Tell of a failure; the log keeps those of accounts, anybody can make up names."""
        events, address = self._parts.events, visitor.address
        self._parts.attempts.failed(address)
        subject = stranger(who) if isinstance(who, str) else who.name
        is_replay = step is Step.REPLAYED_CODE
        kind = EventKind.CODE_REPLAYED if is_replay else EventKind.SIGN_IN_FAILED
        events.record(kind, subject=subject, address=address)
        if charge.pause_s:
            events.record(EventKind.LOCKED_OUT, subject=subject, address=address)
        log.warning("sign_in_failed", step=step, paused_s=charge.pause_s)
        if isinstance(who, Account):
            told: dict[str, Value] = {
                "address": address, "step": step, "paused_s": int(charge.pause_s)
            }  # fmt: skip
            self._audit.record(session, Action.SIGN_IN_FAILED, subject=who.name, detail=told)

    def _tell_reuse(self, session: Session, name: str, session_id: str, visitor: Visitor) -> None:
        self._parts.events.record(EventKind.REFRESH_REUSED, subject=name, address=visitor.address)
        told: dict[str, Value] = {"session": session_id, "why": End.REFRESH_REUSED}
        self._audit.record(session, Action.SESSION_ENDED, subject=name, detail=told)


def _refused(charge: Charge) -> NotSignedInError:
    """The same words for every reason, so that nobody learns which names exist."""
    pause = f"; this name now pauses for {charge.pause_s:.0f} s" if charge.pause_s else ""
    return NotSignedInError(
        f"name, password or code is not right{pause}",
        hint="check the spelling; an administrator can make a one-time link",
    )
