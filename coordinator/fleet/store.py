"""Sites, boxes, keys, certificates and tokens of one tenant ↔ rows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, func, select, update
from sqlmodel import Session, col

from common.errors import ConflictError, NotFoundError
from coordinator.fleet.states import DeviceState
from coordinator.fleet.tables import (
    CertificateRow,
    DeviceKeyRow,
    DeviceRow,
    EnrolmentTokenRow,
    HealthRow,
    LearningKeyRow,
    SiteRow,
    TenantRow,
)


class FleetStore:
    """Everything about boxes, for one tenant and one transaction."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Work through ``session`` on what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def ensure_tenant(self, name: str, *, now: datetime) -> None:
        """Make the tenant's row where there is none."""
        if self._session.get(TenantRow, self._tenant_id) is None:
            self._session.add(TenantRow(id=self._tenant_id, name=name, created_at=now))
            self._session.flush()

    def ensure_site(self, slug: str, *, now: datetime, details: Mapping[str, Any]) -> SiteRow:
        """The site of that name, made or brought up to date with ``details``."""
        row = self._site(slug)
        if row is None:
            row = SiteRow(tenant_id=self._tenant_id, slug=slug, name=slug, created_at=now)
        for name, value in details.items():
            setattr(row, name, value)
        self._session.add(row)
        self._session.flush()
        return row

    def sites(self) -> dict[int, SiteRow]:
        """Every site by its number."""
        query = select(SiteRow).where(col(SiteRow.tenant_id) == self._tenant_id)
        return {cast(int, row.id): row for row in self._session.scalars(query)}

    def add_token(self, row: EnrolmentTokenRow) -> None:
        """Keep a new token's digest."""
        self._session.add(row)

    def tokens(self) -> Sequence[EnrolmentTokenRow]:
        """Every token, the newest first."""
        query = (
            select(EnrolmentTokenRow)
            .where(col(EnrolmentTokenRow.tenant_id) == self._tenant_id)
            .order_by(col(EnrolmentTokenRow.created_at).desc())
        )
        return self._session.scalars(query).all()

    def use_token(self, digest: str, *, device: str, now: datetime) -> EnrolmentTokenRow | None:
        """Mark the token as used by ``device``; None when it cannot be used (any more).

        One statement decides, so that of two boxes with the same token one wins.
        """
        if not self._change_open_token(digest, now, used_at=now, used_by=device):
            return None
        return self._session.get(EnrolmentTokenRow, digest, populate_existing=True)

    def end_token(self, digest: str, *, now: datetime) -> bool:
        """Have an open token end now; False when it is used, over or unknown.

        One statement decides, so that a box that enrols in this moment has or has not.
        """
        return self._change_open_token(digest, now, expires_at=now)

    def _change_open_token(self, digest: str, now: datetime, **values: Any) -> bool:
        statement = (
            update(EnrolmentTokenRow)
            .where(
                col(EnrolmentTokenRow.digest) == digest,
                col(EnrolmentTokenRow.tenant_id) == self._tenant_id,
                col(EnrolmentTokenRow.used_at).is_(None),
                col(EnrolmentTokenRow.expires_at) > now,
            )
            .values(**values)
        )
        return cast("CursorResult[Any]", self._session.execute(statement)).rowcount == 1

    def token(self, digest: str) -> EnrolmentTokenRow | None:
        """A token by its digest, used or not."""
        return self._session.get(EnrolmentTokenRow, digest)

    def add_device(self, row: DeviceRow) -> None:
        """Keep a new box."""
        self._session.add(row)
        self._session.flush()

    def device(self, device_id: str) -> DeviceRow:
        """One box.

        Raises:
            NotFoundError: No such box.
        """
        row = self._session.get(DeviceRow, device_id)
        if row is None or row.tenant_id != self._tenant_id:
            raise NotFoundError(
                f"device {device_id[:64]!r} is not known",
                hint="list the boxes with: its-camera-ai fleet list",
            )
        return row

    def device_to_change(self, device_id: str) -> DeviceRow | None:
        """One box, held against changes by others until the end of the transaction."""
        row = self._session.get(DeviceRow, device_id, with_for_update=True)
        return row if row is not None and row.tenant_id == self._tenant_id else None

    def devices(self, *, state: DeviceState | None = None) -> Sequence[DeviceRow]:
        """Every box by id."""
        query = select(DeviceRow).where(col(DeviceRow.tenant_id) == self._tenant_id)
        if state is not None:
            query = query.where(col(DeviceRow.state) == state.value)
        return self._session.scalars(query.order_by(col(DeviceRow.id))).all()

    def device_counts(self) -> dict[str, int]:
        """State → number of boxes."""
        query = (
            select(col(DeviceRow.state), func.count())
            .where(col(DeviceRow.tenant_id) == self._tenant_id)
            .group_by(col(DeviceRow.state))
        )
        return {state: int(count) for state, count in self._session.execute(query)}

    def add_key(self, row: DeviceKeyRow) -> None:
        """Keep a signing key of a box.

        Raises:
            ConflictError: Another box has that key.
        """
        known = self._session.get(DeviceKeyRow, row.key_id)
        if known is None:
            self._session.add(row)
        elif known.device_id != row.device_id or known.revoked_at is not None:
            raise ConflictError(
                f"signing key {row.key_id} is already known, expected a new one",
                hint="delete the identity folder of the box and enrol it again",
            )

    def keys(self, device_id: str) -> Sequence[DeviceKeyRow]:
        """Signing keys of a box that are in force."""
        query = select(DeviceKeyRow).where(
            col(DeviceKeyRow.device_id) == device_id,
            col(DeviceKeyRow.tenant_id) == self._tenant_id,
            col(DeviceKeyRow.revoked_at).is_(None),
        )
        return self._session.scalars(query).all()

    def take_learning_key(self, device_id: str, public_key: str, *, now: datetime) -> bool:
        """Believe this key of the box's federated node, and no other any more.

        Returns:
            False when it was known.

        Raises:
            ConflictError: Another box has that key, or it has ended.
        """
        digest = hashlib.sha256(public_key.encode()).hexdigest()
        known = self._session.get(LearningKeyRow, digest)
        if known is not None and known.device_id == device_id and known.ended_at is None:
            return False
        if known is not None:
            raise ConflictError(
                "the learning key is already known, expected a new one",
                hint="delete the node key of the box and enrol or renew it again",
            )
        self._end_learning_keys(device_id, now)
        self._session.add(
            LearningKeyRow(
                digest=digest,
                device_id=device_id,
                tenant_id=self._tenant_id,
                public_key=public_key,
                given_at=now,
            )
        )
        return True

    def add_certificate(self, row: CertificateRow) -> None:
        """Remember what was issued, so that it can be revoked."""
        self._session.add(row)

    def certificates(self, device_id: str) -> Sequence[CertificateRow]:
        """What was issued to a box, the newest first."""
        query = (
            select(CertificateRow)
            .where(
                col(CertificateRow.device_id) == device_id,
                col(CertificateRow.tenant_id) == self._tenant_id,
            )
            .order_by(col(CertificateRow.issued_at).desc())
        )
        return self._session.scalars(query).all()

    def certificate_ends(self) -> dict[str, datetime]:
        """Box → when its newest certificate that was not revoked ends."""
        query = (
            select(col(CertificateRow.device_id), func.max(col(CertificateRow.expires_at)))
            .where(
                col(CertificateRow.tenant_id) == self._tenant_id,
                col(CertificateRow.revoked_at).is_(None),
            )
            .group_by(col(CertificateRow.device_id))
        )
        return {row[0]: row[1] for row in self._session.execute(query)}

    def end_device(
        self, row: DeviceRow, *, state: DeviceState, why: str, now: datetime
    ) -> list[str]:
        """Revoke everything of a box; gives the serials that are revoked by it."""
        row.state, row.ended_at, row.ended_why = state.value, now, why
        self._session.add(row)
        for key in self.keys(row.id):
            key.revoked_at = now
            self._session.add(key)
        self._end_learning_keys(row.id, now)
        serials = []
        for certificate in self.certificates(row.id):
            if certificate.revoked_at is None and certificate.expires_at > now:
                certificate.revoked_at, certificate.revoked_why = now, why
                self._session.add(certificate)
                serials.append(certificate.serial)
        self._session.flush()
        return serials

    def revoked(self, *, now: datetime) -> Sequence[CertificateRow]:
        """Revoked certificates of all tenants that would otherwise still hold, by serial.

        Of all tenants, because they share the issuing key and with it the revocation list.
        """
        query = (
            select(CertificateRow)
            .where(
                col(CertificateRow.revoked_at).is_not(None),
                col(CertificateRow.expires_at) > now,
            )
            .order_by(col(CertificateRow.serial))
        )
        return self._session.scalars(query).all()

    def health(self, device_id: str) -> HealthRow | None:
        """The newest health report of a box."""
        return self._session.get(HealthRow, device_id)

    def _end_learning_keys(self, device_id: str, now: datetime) -> None:
        """The rounds' own loop unregisters them; a key that ended is never believed again."""
        query = select(LearningKeyRow).where(
            col(LearningKeyRow.device_id) == device_id,
            col(LearningKeyRow.tenant_id) == self._tenant_id,
            col(LearningKeyRow.ended_at).is_(None),
        )
        for key in self._session.scalars(query):
            key.ended_at = now
            self._session.add(key)

    def _site(self, slug: str) -> SiteRow | None:
        query = select(SiteRow).where(
            col(SiteRow.tenant_id) == self._tenant_id, col(SiteRow.slug) == slug
        )
        return self._session.scalars(query).one_or_none()
