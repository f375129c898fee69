"""One-time links ↔ rows; of several who follow one, one gets in."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, select, update
from sqlmodel import Session, col

from coordinator.security.people_tables import AccountRow, OneTimeLinkRow


class LinksStore:
    """Links of one tenant's accounts, in one transaction."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Work through ``session`` on what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def add(self, row: OneTimeLinkRow) -> None:
        """Keep a new link's digest."""
        self._session.add(row)
        self._session.flush()

    def open_link(self, digest: str, *, now: datetime) -> OneTimeLinkRow | None:
        """A link that still leads in; nothing is used up."""
        query = (
            select(OneTimeLinkRow)
            .join(AccountRow, col(AccountRow.id) == col(OneTimeLinkRow.account_id))
            .where(
                col(OneTimeLinkRow.digest) == digest,
                col(AccountRow.tenant_id) == self._tenant_id,
                col(AccountRow.disabled_at).is_(None),
                col(OneTimeLinkRow.used_at).is_(None),
                col(OneTimeLinkRow.expires_at) > now,
            )
        )
        return self._session.scalars(query).one_or_none()

    def use(self, digest: str, *, now: datetime) -> bool:
        """Mark a link as used; False when somebody else was first."""
        statement = (
            update(OneTimeLinkRow)
            .where(col(OneTimeLinkRow.digest) == digest, col(OneTimeLinkRow.used_at).is_(None))
            .values(used_at=now)
        )
        return cast("CursorResult[Any]", self._session.execute(statement)).rowcount == 1

    def use_up(self, account_id: str, *, now: datetime) -> None:
        """No link of the account leads in any more."""
        self._session.execute(
            update(OneTimeLinkRow)
            .where(
                col(OneTimeLinkRow.account_id) == account_id,
                col(OneTimeLinkRow.used_at).is_(None),
            )
            .values(used_at=now)
        )
