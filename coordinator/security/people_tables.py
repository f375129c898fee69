"""People, how they sign in, and programs with tokens, as rows; never a secret that opens a door.

Passwords are kept as argon2id hashes, random secrets as SHA-256 digests, and the seeds of one-time
codes encrypted with a key that is not in the database.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from coordinator.database import UtcDateTime


class AccountRow(SQLModel, table=True):
    """Somebody who may sign in. Without a password only a one-time link leads in."""

    __tablename__ = "account"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: str = Field(primary_key=True, max_length=32)
    tenant_id: str = Field(foreign_key="tenant.id", max_length=64)
    name: str = Field(max_length=64)
    password_hash: str | None = Field(default=None, max_length=256)
    created_at: datetime = Field(sa_type=UtcDateTime)
    password_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    signed_in_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    disabled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class AccountRoleRow(SQLModel, table=True):
    """A role that somebody has."""

    __tablename__ = "account_role"

    account_id: str = Field(primary_key=True, foreign_key="account.id", max_length=32)
    role: str = Field(primary_key=True, max_length=16)


class FactorRow(SQLModel, table=True):
    """Somebody's second factor; a new seed waits beside the old one until it is confirmed."""

    __tablename__ = "account_factor"

    account_id: str = Field(primary_key=True, foreign_key="account.id", max_length=32)
    seed: bytes | None = Field(default=None, sa_type=LargeBinary)
    confirmed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    # RFC 6238 5.2: a code is accepted once only.
    last_step: int = Field(default=0, sa_type=BigInteger)
    waiting_seed: bytes | None = Field(default=None, sa_type=LargeBinary)


class RecoveryCodeRow(SQLModel, table=True):
    """One of the codes for the day the phone is lost."""

    __tablename__ = "recovery_code"

    digest: str = Field(primary_key=True, max_length=64)
    account_id: str = Field(foreign_key="account.id", max_length=32, index=True)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class SignInSessionRow(SQLModel, table=True):
    """Somebody's session; of a page it has a cookie's digest, of the API refresh tokens."""

    __tablename__ = "sign_in_session"
    __table_args__ = (Index("ix_sign_in_session_tenant_ends", "tenant_id", "expires_at"),)

    id: str = Field(primary_key=True, max_length=32)
    tenant_id: str = Field(foreign_key="tenant.id", max_length=64)
    account_id: str = Field(foreign_key="account.id", max_length=32, index=True)
    cookie_digest: str | None = Field(default=None, max_length=64)
    # False until the second factor was shown (or a one-time link vouched for it).
    is_complete: bool
    factor_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    address: str = Field(max_length=64)
    agent: str = Field(max_length=256)
    created_at: datetime = Field(sa_type=UtcDateTime)
    last_used_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_why: str = Field(default="", max_length=32)


class RefreshTokenRow(SQLModel, table=True):
    """A refresh token of a session; all of one session are a family."""

    __tablename__ = "refresh_token"

    digest: str = Field(primary_key=True, max_length=64)
    session_id: str = Field(foreign_key="sign_in_session.id", max_length=32, index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class SignInAttemptsRow(SQLModel, table=True):
    """Attempts on a name that have not succeeded yet, whether the name is known or not.

    The key is a keyed digest: people type passwords into the field for the name.
    """

    __tablename__ = "sign_in_attempts"

    key: str = Field(primary_key=True, max_length=64)
    attempts: int
    last_at: datetime = Field(sa_type=UtcDateTime, index=True)
    paused_until: datetime | None = Field(default=None, sa_type=UtcDateTime)


class OneTimeLinkRow(SQLModel, table=True):
    """A link that leads in once."""

    __tablename__ = "one_time_link"

    digest: str = Field(primary_key=True, max_length=64)
    account_id: str = Field(foreign_key="account.id", max_length=32, index=True)
    purpose: str = Field(max_length=16)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ServiceTokenRow(SQLModel, table=True):
    """A program's token; roles and scopes are words with spaces between them."""

    __tablename__ = "service_token"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: str = Field(primary_key=True, max_length=32)
    tenant_id: str = Field(foreign_key="tenant.id", max_length=64)
    name: str = Field(max_length=64)
    digest: str = Field(max_length=64, unique=True)
    roles: str = Field(max_length=128)
    scopes: str = Field(max_length=1024)
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
