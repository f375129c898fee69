"""Names and roles → accounts that people set up themselves through a one-time link."""

from __future__ import annotations

import re
from collections.abc import Iterable

from common.errors import ConfigError, ConflictError
from common.security import Role
from common.timing import Clock
from coordinator.database import Database
from coordinator.security.accounts_store import Account, AccountsStore
from coordinator.security.audit import SecurityAuditLogger
from coordinator.security.audit_entries import Action
from coordinator.security.audit_store import Session, still
from coordinator.security.factors_store import FactorsStore
from coordinator.security.links import LinkPurpose, NewLink
from coordinator.security.opaque import new_id
from coordinator.security.people_tables import AccountRow
from coordinator.security.sessions import End
from coordinator.security.sign_in import SignInParts

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{1,63}")


class Accounts:
    """The people of one tenant; nobody ever knows a password but whoever chose it."""

    def __init__(self, database: Database, parts: SignInParts, *, clock: Clock) -> None:
        self._database = database
        self._links = parts.links
        self._sessions = parts.sessions
        self._attempts = parts.attempts
        self._tenant = parts.tenant
        self._clock = clock
        self._audit = SecurityAuditLogger(tenant=parts.tenant, clock=clock)

    def list(self) -> list[Account]:
        """Everybody by name."""
        with still(self._database) as session:
            return AccountsStore(session, self._tenant).all()

    def named(self, name: str) -> Account:
        """One account.

        Raises:
            NotFoundError: No such account.
        """
        with still(self._database) as session:
            return AccountsStore(session, self._tenant).named(name)

    def bootstrap(self, name: str) -> NewLink:
        """A link for the first administrator; again, while nobody has used it to the end.

        Raises:
            ConflictError: There is an administrator who can sign in.
        """
        with self._database.session() as session:
            store = AccountsStore(session, self._tenant)
            there = [one.name for one in _administrators(store.all()) if one.is_set_up]
            if there:
                raise ConflictError(
                    f"{there[0]!r} is an administrator already, expected none",
                    hint="let them add you, or run: its-camera-ai security link --user NAME",
                )
            account = store.find(_good_name(name))
            if account is not None and (Role.ADMIN not in account.roles or account.is_set_up):
                raise ConflictError(f"user {name!r} exists and is no administrator")
            return self._welcome(session, account or self._new(session, name, {Role.ADMIN}))

    def add(self, name: str, roles: Iterable[Role]) -> NewLink:
        """A new account, and the link through which its owner chooses a password.

        Raises:
            ConfigError: A name that cannot be used.
            ConflictError: Somebody has it.
        """
        with self._database.session() as session:
            if AccountsStore(session, self._tenant).find(_good_name(name)) is not None:
                raise ConflictError(f"user {name!r} exists, expected a new name")
            return self._welcome(session, self._new(session, name, roles))

    def put_roles(self, name: str, roles: Iterable[Role]) -> Account:
        """Exchange somebody's roles; counts from their next request on.

        Raises:
            NotFoundError: No such account.
            ConflictError: Nobody would be left to administer.
        """
        with self._database.session() as session:
            store = AccountsStore(session, self._tenant)
            account, wanted = store.named(name), frozenset(roles)
            if Role.ADMIN not in wanted:
                _require_another(store.all(), account)
            store.put_roles(account.id, wanted)
            told = {"before": _words(account.roles), "after": _words(wanted)}
            self._audit.record(session, Action.ROLES_CHANGED, subject=name, detail=told)
            return store.by_id(account.id)

    def disable(self, name: str) -> Account:
        """Let somebody in no more; their sessions end with it.

        Raises:
            NotFoundError: No such account.
            ConflictError: Nobody would be left to administer.
        """
        with self._database.session() as session:
            store = AccountsStore(session, self._tenant)
            account = store.named(name)
            _require_another(store.all(), account)
            row = store.row(account.id, to_change=True)
            if row.disabled_at is None:
                row.disabled_at = self._clock.now()
                session.add(row)
                ended = self._sessions.end_all(session, account.id, End.DISABLED)
                self._audit.record(
                    session, Action.ACCOUNT_DISABLED, subject=name, detail={"sessions": ended}
                )
            return store.by_id(account.id)

    def enable(self, name: str) -> Account:
        """Let somebody in again, with the password and the factor they had.

        Raises:
            NotFoundError: No such account.
        """
        with self._database.session() as session:
            store = AccountsStore(session, self._tenant)
            row = store.row(store.named(name).id, to_change=True)
            if row.disabled_at is not None:
                row.disabled_at = None
                session.add(row)
                self._audit.record(session, Action.ACCOUNT_ENABLED, subject=name)
            return store.by_id(row.id)

    def reset(self, name: str) -> NewLink:
        """Forget password and second factor, end every session, and let them begin anew.

        Raises:
            NotFoundError: No such account.
            ConflictError: It is disabled.
        """
        with self._database.session() as session:
            store = AccountsStore(session, self._tenant)
            account = _enabled(store.named(name))
            row = store.row(account.id, to_change=True)
            row.password_hash = row.password_at = None
            session.add(row)
            FactorsStore(session).remove(account.id)
            ended = self._sessions.end_all(session, account.id, End.RESET)
            self._attempts.clear(session, self._tenant, name)
            link = self._links.create(session, account, LinkPurpose.WELCOME)
            self._audit.record(
                session, Action.ACCOUNT_RESET, subject=name, detail={"sessions": ended}
            )
            self._links.record(session, link)
            return link

    def sign_in_link(self, name: str) -> NewLink:
        """A link that signs in without password and code: for whoever has a shell here.

        Raises:
            NotFoundError: No such account.
            ConflictError: It is disabled.
        """
        with self._database.session() as session:
            account = _enabled(AccountsStore(session, self._tenant).named(name))
            link = self._links.create(session, account, LinkPurpose.SIGN_IN)
            self._links.record(session, link)
            return link

    def _new(self, session: Session, name: str, roles: Iterable[Role]) -> Account:
        store = AccountsStore(session, self._tenant)
        row = AccountRow(
            id=new_id(), tenant_id=self._tenant, name=name, created_at=self._clock.now()
        )
        store.add(row, roles)
        return store.by_id(row.id)

    def _welcome(self, session: Session, account: Account) -> NewLink:
        link = self._links.create(session, account, LinkPurpose.WELCOME)
        told = {"roles": _words(account.roles)}
        self._audit.record(session, Action.ACCOUNT_ADDED, subject=account.name, detail=told)
        self._links.record(session, link)
        return link


def _good_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"name {name[:64]!r}, expected 2 to 64 lower-case letters, digits and . _ @ + -",
            hint="people type it at every sign-in: anna, or anna@city.example",
        )
    return name


def _enabled(account: Account) -> Account:
    if account.disabled_at is not None:
        raise ConflictError(
            f"user {account.name!r} is disabled, expected an enabled one",
            hint="enable the account first",
        )
    return account


def _administrators(accounts: Iterable[Account]) -> list[Account]:
    return [one for one in accounts if Role.ADMIN in one.roles and one.disabled_at is None]


def _require_another(accounts: Iterable[Account], account: Account) -> None:
    """Whoever goes is not the last who can let others in."""
    others = [one for one in _administrators(accounts) if one.id != account.id and one.is_set_up]
    if Role.ADMIN in account.roles and account.disabled_at is None and not others:
        raise ConflictError(
            f"{account.name!r} is the only administrator, expected another one beside them",
            hint="give somebody else the role admin first",
        )


def _words(roles: Iterable[Role]) -> str:
    return " ".join(sorted(roles))
