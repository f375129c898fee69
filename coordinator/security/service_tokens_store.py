"""Service tokens of one tenant ↔ rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlmodel import Session, col

from coordinator.security.people_tables import ServiceTokenRow


class ServiceTokensStore:
    """Everything about service tokens, for one tenant and one transaction."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Work through ``session`` on what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def add(self, row: ServiceTokenRow) -> None:
        """Keep a new token's digest."""
        self._session.add(row)
        self._session.flush()

    def all(self) -> Sequence[ServiceTokenRow]:
        """Every token by name."""
        query = (
            select(ServiceTokenRow)
            .where(col(ServiceTokenRow.tenant_id) == self._tenant_id)
            .order_by(col(ServiceTokenRow.name))
        )
        return self._session.scalars(query).all()

    def named(self, name: str) -> ServiceTokenRow | None:
        """A token by its name."""
        query = select(ServiceTokenRow).where(
            col(ServiceTokenRow.tenant_id) == self._tenant_id, col(ServiceTokenRow.name) == name
        )
        return self._session.scalars(query).one_or_none()

    def good(self, digest: str, *, now: datetime) -> ServiceTokenRow | None:
        """The token of a digest, while it counts."""
        query = select(ServiceTokenRow).where(
            col(ServiceTokenRow.digest) == digest,
            col(ServiceTokenRow.tenant_id) == self._tenant_id,
            col(ServiceTokenRow.revoked_at).is_(None),
            col(ServiceTokenRow.expires_at) > now,
        )
        return self._session.scalars(query).one_or_none()

    def exists(self, digest: str) -> bool:
        """True for a token that counts, or counted once."""
        query = select(col(ServiceTokenRow.id)).where(
            col(ServiceTokenRow.digest) == digest,
            col(ServiceTokenRow.tenant_id) == self._tenant_id,
        )
        return self._session.scalars(query).one_or_none() is not None

    def touch(self, token_id: str, *, now: datetime) -> None:
        """Note that it was used."""
        self._session.execute(
            update(ServiceTokenRow)
            .where(
                col(ServiceTokenRow.id) == token_id,
                col(ServiceTokenRow.tenant_id) == self._tenant_id,
            )
            .values(last_used_at=now)
        )
