"""Accounts and roles of one tenant ↔ rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sqlalchemy import delete, select
from sqlmodel import Session, col

from common.errors import NotFoundError
from common.security import Role
from coordinator.security.people_tables import AccountRoleRow, AccountRow, FactorRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody who may sign in, as one moment of the database shows them."""

    id: str
    name: str
    roles: frozenset[Role]
    password_hash: str | None = field(repr=False)
    has_factor: bool
    created_at: datetime
    signed_in_at: datetime | None
    disabled_at: datetime | None

    @property
    def is_set_up(self) -> bool:
        """True once they can sign in without a link."""
        return self.password_hash is not None and self.has_factor

    @property
    def state(self) -> Literal["invited", "active", "disabled"]:
        """In one word."""
        if self.disabled_at is not None:
            return "disabled"
        return "active" if self.is_set_up else "invited"


class AccountsStore:
    """Everything about accounts, for one tenant and one transaction."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Work through ``session`` on what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def add(self, row: AccountRow, roles: Iterable[Role]) -> None:
        """Keep a new account."""
        self._session.add(row)
        self._session.flush()
        self.put_roles(row.id, roles)

    def row(self, account_id: str, *, to_change: bool = False) -> AccountRow:
        """One account, held against changes by others where it is ``to_change``.

        Raises:
            NotFoundError: No such account here.
        """
        row = self._session.get(AccountRow, account_id, with_for_update=to_change or None)
        if row is None or row.tenant_id != self._tenant_id:
            raise _unknown(account_id)
        return row

    def by_id(self, account_id: str) -> Account:
        """One account.

        Raises:
            NotFoundError: No such account here.
        """
        return self._complete([self.row(account_id)])[0]

    def named(self, name: str) -> Account:
        """One account by its name.

        Raises:
            NotFoundError: No such account here.
        """
        found = self.find(name)
        if found is None:
            raise _unknown(name)
        return found

    def find(self, name: str) -> Account | None:
        """One account by its name, None where nobody has it."""
        query = select(AccountRow).where(
            col(AccountRow.tenant_id) == self._tenant_id, col(AccountRow.name) == name
        )
        row = self._session.scalars(query).one_or_none()
        return self._complete([row])[0] if row is not None else None

    def all(self) -> list[Account]:
        """Everybody by name."""
        query = (
            select(AccountRow)
            .where(col(AccountRow.tenant_id) == self._tenant_id)
            .order_by(col(AccountRow.name))
        )
        return self._complete(list(self._session.scalars(query)))

    def put_roles(self, account_id: str, roles: Iterable[Role]) -> None:
        """Exchange the roles of an account of this tenant."""
        self.row(account_id)
        self._session.execute(
            delete(AccountRoleRow).where(col(AccountRoleRow.account_id) == account_id)
        )
        for role in sorted(roles):
            self._session.add(AccountRoleRow(account_id=account_id, role=role))
        self._session.flush()

    def _complete(self, rows: list[AccountRow]) -> list[Account]:
        ids = [row.id for row in rows]
        roles = self._roles(ids)
        query = select(col(FactorRow.account_id)).where(
            col(FactorRow.account_id).in_(ids), col(FactorRow.confirmed_at).is_not(None)
        )
        confirmed = set(self._session.scalars(query))
        return [
            Account(
                id=row.id,
                name=row.name,
                roles=roles.get(row.id, frozenset()),
                password_hash=row.password_hash,
                has_factor=row.id in confirmed,
                created_at=row.created_at,
                signed_in_at=row.signed_in_at,
                disabled_at=row.disabled_at,
            )
            for row in rows
        ]

    def _roles(self, ids: list[str]) -> Mapping[str, frozenset[Role]]:
        found: defaultdict[str, set[Role]] = defaultdict(set)
        query = select(AccountRoleRow).where(col(AccountRoleRow.account_id).in_(ids))
        for row in self._session.scalars(query):
            found[row.account_id].add(Role(row.role))
        return {account_id: frozenset(roles) for account_id, roles in found.items()}


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(
        f"user {name[:64]!r} is not known", hint="list them with: its-camera-ai security user list"
    )
