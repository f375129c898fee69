"""Sessions and their refresh tokens ↔ rows; who somebody is comes from one statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import CursorResult, delete, select, update
from sqlmodel import Session, col

from common.security import Role
from coordinator.security.people_tables import (
    AccountRoleRow,
    AccountRow,
    RefreshTokenRow,
    SignInSessionRow,
)


class RefreshVerdict(StrEnum):
    """What became of a refresh token."""

    TAKEN = "taken"
    REUSED = "reused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldSession:
    """A session together with whose it is, at this moment."""

    row: SignInSessionRow
    name: str
    roles: frozenset[Role]


class SessionsStore:
    """Sessions of one tenant, in one transaction."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Work through ``session`` on what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def add(self, row: SignInSessionRow) -> None:
        """Keep a new session."""
        self._session.add(row)
        self._session.flush()

    def held(self, session_id: str) -> HeldSession | None:
        """A session that has not ended, of somebody who is not disabled."""
        query = (
            select(SignInSessionRow, col(AccountRow.name), col(AccountRoleRow.role))
            .join(AccountRow, col(AccountRow.id) == col(SignInSessionRow.account_id))
            .outerjoin(AccountRoleRow, col(AccountRoleRow.account_id) == col(AccountRow.id))
            .where(
                col(SignInSessionRow.id) == session_id,
                col(SignInSessionRow.tenant_id) == self._tenant_id,
                col(SignInSessionRow.ended_at).is_(None),
                col(AccountRow.disabled_at).is_(None),
            )
        )
        found = self._session.execute(query).all()
        if not found:
            return None
        roles = frozenset(Role(role) for *_, role in found if role is not None)
        return HeldSession(row=found[0][0], name=found[0][1], roles=roles)

    def of_account(self, account_id: str) -> Sequence[SignInSessionRow]:
        """Sessions of somebody that nobody ended, the last used first."""
        query = (
            select(SignInSessionRow)
            .where(
                col(SignInSessionRow.tenant_id) == self._tenant_id,
                col(SignInSessionRow.account_id) == account_id,
                col(SignInSessionRow.ended_at).is_(None),
            )
            .order_by(col(SignInSessionRow.last_used_at).desc())
        )
        return self._session.scalars(query).all()

    def touch(self, session_id: str, *, now: datetime) -> None:
        """Note that it was used."""
        self._change(session_id, last_used_at=now)

    def freshen(self, session_id: str, *, now: datetime) -> None:
        """Note that the second factor was shown again."""
        self._change(session_id, factor_at=now, last_used_at=now)

    def end(self, session_id: str, why: str, *, now: datetime) -> bool:
        """End one; False when it had ended, or is none of this tenant."""
        statement = (
            update(SignInSessionRow)
            .where(
                col(SignInSessionRow.id) == session_id,
                col(SignInSessionRow.tenant_id) == self._tenant_id,
                col(SignInSessionRow.ended_at).is_(None),
            )
            .values(ended_at=now, ended_why=why)
        )
        return self._changed(statement) == 1

    def end_all(self, account_id: str, why: str, *, now: datetime, but: str | None = None) -> int:
        """End every session of somebody, all but one where it is named; tells how many."""
        statement = (
            update(SignInSessionRow)
            .where(
                col(SignInSessionRow.account_id) == account_id,
                col(SignInSessionRow.tenant_id) == self._tenant_id,
                col(SignInSessionRow.ended_at).is_(None),
                col(SignInSessionRow.id) != (but or ""),
            )
            .values(ended_at=now, ended_why=why)
        )
        return self._changed(statement)

    def add_refresh(self, digest: str, session_id: str, *, now: datetime) -> None:
        """Keep the digest of a refresh token."""
        self._session.add(RefreshTokenRow(digest=digest, session_id=session_id, created_at=now))
        self._session.flush()

    def use_refresh(self, digest: str, *, now: datetime) -> tuple[RefreshVerdict, str]:
        """Take a refresh token; of two who show the same, one gets something for it.

        Returns:
            What became of it, and the session it belongs to.
        """
        row = self._session.get(RefreshTokenRow, digest)
        if row is None:
            return RefreshVerdict.UNKNOWN, ""
        statement = (
            update(RefreshTokenRow)
            .where(col(RefreshTokenRow.digest) == digest, col(RefreshTokenRow.used_at).is_(None))
            .values(used_at=now)
        )
        is_first = self._changed(statement) == 1
        return (RefreshVerdict.TAKEN if is_first else RefreshVerdict.REUSED), row.session_id

    def forget(self, *, expired_before: datetime) -> None:
        """Remove sessions that ran out long ago, and their refresh tokens."""
        old = select(col(SignInSessionRow.id)).where(
            col(SignInSessionRow.tenant_id) == self._tenant_id,
            col(SignInSessionRow.expires_at) < expired_before,
        )
        self._session.execute(
            delete(RefreshTokenRow).where(col(RefreshTokenRow.session_id).in_(old))
        )
        self._session.execute(
            delete(SignInSessionRow).where(
                col(SignInSessionRow.tenant_id) == self._tenant_id,
                col(SignInSessionRow.expires_at) < expired_before,
            )
        )

    def _change(self, session_id: str, **values: Any) -> None:
        self._session.execute(
            update(SignInSessionRow)
            .where(
                col(SignInSessionRow.id) == session_id,
                col(SignInSessionRow.tenant_id) == self._tenant_id,
            )
            .values(**values)
        )

    def _changed(self, statement: Any) -> int:
        return cast("CursorResult[Any]", self._session.execute(statement)).rowcount
