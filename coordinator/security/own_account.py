"""Somebody who is signed in, or follows a link → their password, second factor and sessions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from common.errors import ConflictError, NotFoundError
from common.security import SecurityContext, SecurityLevel
from common.timing import Clock
from coordinator.database import Database
from coordinator.security.accounts_store import Account, AccountsStore
from coordinator.security.audit import SecurityAuditLogger
from coordinator.security.audit_entries import Action
from coordinator.security.audit_store import Session, still
from coordinator.security.events import EventKind, stranger
from coordinator.security.factors import NewFactor
from coordinator.security.factors_store import FactorsStore
from coordinator.security.links import LinkRefusedError, OpenLink
from coordinator.security.password_rules import RefusedPasswordError, require_good
from coordinator.security.refusals import LevelNeededError
from coordinator.security.sessions import End, Grade, Opened, Visitor
from coordinator.security.sign_in import NotSignedInError, SignIn, SignInParts


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSession:
    """One of somebody's sessions, as they see it."""

    id: str
    is_this_one: bool
    address: str
    agent: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmedFactor:
    """What somebody gets once their second factor works."""

    opened: Opened
    recovery_codes: list[str] = field(repr=False)


class OwnAccount:
    """What people do with their own accounts; blocks while it hashes."""

    def __init__(
        self, database: Database, parts: SignInParts, sign_in: SignIn, *, clock: Clock
    ) -> None:
        self._database = database
        self._parts = parts
        self._sign_in = sign_in
        self._links = parts.links
        self._tenant = parts.tenant
        self._clock = clock
        self._audit = SecurityAuditLogger(tenant=parts.tenant, clock=clock)

    def look_at_link(self, secret: str, visitor: Visitor) -> OpenLink:
        """What a one-time link leads to; it is not used up by looking.

        Raises:
            LinkRefusedError: Used, run out, or none of ours.
            TooManyAttemptsError: The address failed too often.
        """
        self._parts.attempts.refuse_flood(visitor.address)
        with still(self._database) as session:
            link = self._links.look(session, secret)
        if link is None:
            self._parts.attempts.failed(visitor.address)
            self._parts.events.record(
                EventKind.LINK_REFUSED, subject=stranger(secret), address=visitor.address
            )
            raise LinkRefusedError
        return link

    def follow_link(self, secret: str, password: str | None, visitor: Visitor) -> Opened:
        """Use a one-time link up, and choose a password where there is none yet.

        Raises:
            LinkRefusedError: Used, run out, or none of ours.
            RefusedPasswordError: A password others would guess, or none where one is needed.
            TooManyAttemptsError: The address failed too often.
        """
        link = self.look_at_link(secret, visitor)
        account = link.account
        hashed = None
        if account.password_hash is None:
            if password is None:
                raise RefusedPasswordError("no password, expected one for this account")
            hashed = self._hash(password, account)
        with self._database.session() as session:
            if not self._links.use(session, link):
                raise LinkRefusedError
            return self._let_in(session, link, hashed, visitor)

    def change_password(
        self, context: SecurityContext, current: str, wished: str, visitor: Visitor
    ) -> int:
        """Exchange the password; every other session ends. Tells how many.

        Raises:
            NotSignedInError: The current one is not right.
            RefusedPasswordError: The new one is one that others would guess.
            TooManyAttemptsError: The name pauses, or the address failed too often.
        """
        account = self._sign_in.require_password(context.name, current, visitor)
        hashed = self._hash(wished, account)
        with self._database.session() as session:
            self._put_password(session, account, hashed)
            ended = self._parts.sessions.end_all(
                session, account.id, End.PASSWORD_CHANGED, but=context.session_id
            )
            told = {"sessions": ended}
            self._audit.record(session, Action.PASSWORD_CHANGED, subject=account.name, detail=told)
            return ended

    def has_factor(self, context: SecurityContext) -> bool:
        """True once a second factor was confirmed."""
        with still(self._database) as session:
            return AccountsStore(session, self._tenant).by_id(context.user_id).has_factor

    def begin_factor(self, context: SecurityContext, *, anew: bool = False) -> NewFactor:
        """A seed to scan; the one that waits already, unless one is wanted ``anew``.

        Raises:
            LevelNeededError: There is a factor, and it was not shown just now.
        """
        factors = self._parts.factors
        with self._database.session() as session:
            self._require_may_set(session, context)
            waiting = factors.waiting(session, context.user_id, context.name)
            if waiting is not None and not anew:
                return waiting
            return factors.begin(session, context.user_id, context.name)

    def confirm_factor(
        self, context: SecurityContext, code: str, visitor: Visitor
    ) -> ConfirmedFactor:
        """Take the scanned seed into use, which completes a first sign-in.

        Raises:
            NotSignedInError: A wrong code.
            ConflictError: No seed waits.
            LevelNeededError: There is a factor, and it was not shown just now.
        """
        with self._database.session() as session:
            account = self._require_may_set(session, context)
            codes = self._parts.factors.confirm(session, account.id, code)
            if codes is None:
                raise NotSignedInError(
                    "the code is not right",
                    hint="look at the newest one, and whether the phone's clock is right",
                )
            opened = Opened(session_id=context.session_id, is_complete=True)
            told = {"replaces": account.has_factor}
            if context.level >= SecurityLevel.MULTI_FACTOR:
                self._parts.sessions.freshen(session, context.session_id)
            else:
                self._parts.sessions.end(session, context.session_id, End.NEXT_STEP)
                opened = self._sign_in.complete(session, account, visitor, how="first_code")
            self._audit.record(session, Action.FACTOR_CONFIRMED, subject=account.name, detail=told)
        return ConfirmedFactor(opened=opened, recovery_codes=codes)

    def new_recovery_codes(self, context: SecurityContext) -> list[str]:
        """Ten new codes; the old ones count no more.

        Raises:
            ConflictError: There is no factor to recover.
        """
        with self._database.session() as session:
            account = AccountsStore(session, self._tenant).by_id(context.user_id)
            if not account.has_factor:
                raise ConflictError("no second factor is set up, expected one to recover")
            codes = self._parts.factors.new_recovery_codes(session, account.id)
            told = {"codes": len(codes)}
            self._audit.record(
                session, Action.RECOVERY_CODES_MADE, subject=account.name, detail=told
            )
            return codes

    def recovery_codes_left(self, context: SecurityContext) -> int:
        """How many were not used yet."""
        with still(self._database) as session:
            return FactorsStore(session).recovery_codes_left(context.user_id)

    def sessions(self, context: SecurityContext) -> list[OwnSession]:
        """Own sessions that count, the last used first."""
        with still(self._database) as session:
            rows = self._parts.sessions.of_account(session, context.user_id)
            return [
                OwnSession(
                    id=row.id,
                    is_this_one=row.id == context.session_id,
                    address=row.address,
                    agent=row.agent,
                    created_at=row.created_at,
                    last_used_at=row.last_used_at,
                    expires_at=row.expires_at,
                )
                for row in rows
            ]

    def end_session(self, context: SecurityContext, session_id: str) -> None:
        """End one of one's own sessions, this one too.

        Raises:
            NotFoundError: No such session of this person.
        """
        is_this_one = session_id == context.session_id
        with self._database.session() as session:
            mine = {row.id for row in self._parts.sessions.of_account(session, context.user_id)}
            why = End.SIGNED_OUT if is_this_one else End.REVOKED
            if session_id not in mine or not self._parts.sessions.end(session, session_id, why):
                raise NotFoundError(f"session {session_id[:32]!r} is not known")
            told = {"session": session_id, "why": str(why)}
            self._audit.record(session, Action.SESSION_ENDED, subject=context.name, detail=told)

    def _let_in(
        self, session: Session, link: OpenLink, hashed: str | None, visitor: Visitor
    ) -> Opened:
        account, sessions = link.account, self._parts.sessions
        told = {"purpose": str(link.purpose), "address": visitor.address}
        if hashed is not None:
            self._put_password(session, account, hashed)
            sessions.end_all(session, account.id, End.PASSWORD_CHANGED)
        if hashed is None and account.has_factor:
            opened = self._sign_in.complete(session, account, visitor, how="link")
        else:
            self._parts.attempts.clear(session, self._tenant, account.name)
            half_way = sessions.open(session, account.id, visitor, Grade(is_complete=False))
            opened = replace(half_way, has_factor=account.has_factor)
        self._audit.record(session, Action.LINK_USED, subject=account.name, detail=told)
        return opened

    def _put_password(self, session: Session, account: Account, hashed: str) -> None:
        row = AccountsStore(session, self._tenant).row(account.id, to_change=True)
        row.password_hash = hashed
        row.password_at = self._clock.now()
        session.add(row)
        session.flush()

    def _hash(self, password: str, account: Account) -> str:
        good = require_good(password, context=self._context_words(account))
        return self._parts.passwords.hash(good)

    def _context_words(self, account: Account) -> Iterable[str]:
        return (account.name, self._tenant, self._parts.place)

    def _require_may_set(self, session: Session, context: SecurityContext) -> Account:
        """Who has a factor shows it before it is exchanged: a password alone changes none."""
        account = AccountsStore(session, self._tenant).by_id(context.user_id)
        if account.has_factor and context.level < SecurityLevel.FRESH:
            raise LevelNeededError(SecurityLevel.FRESH)
        return account
