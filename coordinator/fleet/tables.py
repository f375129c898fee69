"""Tenants, sites, boxes, their keys and certificates, and their twins, as rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from coordinator.database import UtcDateTime


class TenantRow(SQLModel, table=True):
    """A city, or a district of one; owns everything that names it."""

    __tablename__ = "tenant"

    id: str = Field(primary_key=True, max_length=64)
    name: str = Field(max_length=128)
    created_at: datetime = Field(sa_type=UtcDateTime)


class SiteRow(SQLModel, table=True):
    """A place with cameras; outlives the boxes that serve it."""

    __tablename__ = "site"
    __table_args__ = (UniqueConstraint("tenant_id", "slug"),)

    id: int | None = Field(default=None, primary_key=True)
    tenant_id: str = Field(foreign_key="tenant.id", max_length=64)
    slug: str = Field(max_length=64)
    name: str = Field(max_length=128)
    timezone: str = Field(default="UTC", max_length=64)
    latitude: float | None = None
    longitude: float | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)


class DeviceRow(SQLModel, table=True):
    """A box. ``state`` is enrolled, replaced or retired."""

    __tablename__ = "device"

    id: str = Field(primary_key=True, max_length=64)
    tenant_id: str = Field(foreign_key="tenant.id", max_length=64, index=True)
    site_id: int = Field(foreign_key="site.id", index=True)
    state: str = Field(max_length=16)
    enrolled_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_why: str = Field(default="", max_length=256)
    replaced_by: str | None = Field(default=None, max_length=64)
    last_seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class DeviceKeyRow(SQLModel, table=True):
    """A key that a box signs with; a renewed box has two while the old one's reports travel."""

    __tablename__ = "device_key"

    key_id: str = Field(primary_key=True, max_length=64)
    device_id: str = Field(foreign_key="device.id", max_length=64, index=True)
    tenant_id: str = Field(max_length=64)
    public_key: bytes = Field(sa_type=LargeBinary)
    valid_from: datetime = Field(sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class LearningKeyRow(SQLModel, table=True):
    """The key of a box's federated node; a box has one that has not ended.

    Flower names nodes by numbers of its own, which a registration yields.
    """

    __tablename__ = "learning_key"

    digest: str = Field(primary_key=True, max_length=64)
    device_id: str = Field(foreign_key="device.id", max_length=64, index=True)
    tenant_id: str = Field(max_length=64)
    public_key: str = Field(max_length=512)
    given_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    node_id: str | None = Field(default=None, max_length=32)
    registered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    unregistered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class CertificateRow(SQLModel, table=True):
    """A certificate that was issued to a box."""

    __tablename__ = "certificate"

    serial: str = Field(primary_key=True, max_length=64)
    device_id: str = Field(foreign_key="device.id", max_length=64, index=True)
    tenant_id: str = Field(max_length=64)
    issued_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime, index=True)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_why: str = Field(default="", max_length=256)


class EnrolmentTokenRow(SQLModel, table=True):
    """A one-time token; only its SHA-256 is kept."""

    __tablename__ = "enrolment_token"

    digest: str = Field(primary_key=True, max_length=64)
    tenant_id: str = Field(foreign_key="tenant.id", max_length=64)
    site_id: int = Field(foreign_key="site.id")
    replaces: str | None = Field(default=None, max_length=64)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    used_by: str | None = Field(default=None, max_length=64)


class TwinRow(SQLModel, table=True):
    """Desired and reported configuration of one box."""

    __tablename__ = "twin"

    device_id: str = Field(primary_key=True, foreign_key="device.id", max_length=64)
    tenant_id: str = Field(max_length=64)
    desired_version: int = 0
    desired: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    desired_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    reported_version: int = 0
    reported_state: str = Field(default="none", max_length=16)
    reported_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class HealthRow(SQLModel, table=True):
    """The newest health report of one box, as it was sent."""

    __tablename__ = "device_health"

    device_id: str = Field(primary_key=True, foreign_key="device.id", max_length=64)
    tenant_id: str = Field(max_length=64)
    at: datetime = Field(sa_type=UtcDateTime)
    content: dict[str, Any] = Field(sa_type=JSON)
