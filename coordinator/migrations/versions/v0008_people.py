"""A coordinator that asked nobody → accounts, second factors, sessions, links and tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coordinator.migrations.columns import big_whole, moment, text, truth, whole

revision = "0008"
down_revision = "0007"

_TABLES = (
    "service_token",
    "one_time_link",
    "sign_in_attempts",
    "refresh_token",
    "sign_in_session",
    "recovery_code",
    "account_factor",
    "account_role",
    "account",
)


def upgrade() -> None:
    """Create the tables."""
    _accounts()
    _factors()
    _sessions()
    op.create_table(
        "sign_in_attempts",
        text("key", 64),
        whole("attempts"),
        moment("last_at"),
        moment("paused_until", optional=True),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_sign_in_attempts_last_at", "sign_in_attempts", ["last_at"])
    op.create_table(
        "one_time_link",
        text("digest", 64),
        text("account_id", 32),
        text("purpose", 16),
        moment("created_at"),
        moment("expires_at"),
        moment("used_at", optional=True),
        sa.PrimaryKeyConstraint("digest"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
    )
    op.create_index("ix_one_time_link_account_id", "one_time_link", ["account_id"])
    op.create_table(
        "service_token",
        text("id", 32),
        text("tenant_id", 64),
        text("name", 64),
        text("digest", 64),
        text("roles", 128),
        text("scopes", 1024),
        moment("created_at"),
        moment("expires_at"),
        moment("last_used_at", optional=True),
        moment("revoked_at", optional=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),
        sa.UniqueConstraint("tenant_id", "name"),
        sa.UniqueConstraint("digest"),
    )


def downgrade() -> None:
    """Drop them."""
    for name in _TABLES:
        op.drop_table(name)


def _accounts() -> None:
    op.create_table(
        "account",
        text("id", 32),
        text("tenant_id", 64),
        text("name", 64),
        text("password_hash", 256, optional=True),
        moment("created_at"),
        moment("password_at", optional=True),
        moment("signed_in_at", optional=True),
        moment("disabled_at", optional=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),
        sa.UniqueConstraint("tenant_id", "name"),
    )
    op.create_table(
        "account_role",
        text("account_id", 32),
        text("role", 16),
        sa.PrimaryKeyConstraint("account_id", "role"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
    )


def _factors() -> None:
    op.create_table(
        "account_factor",
        text("account_id", 32),
        sa.Column("seed", sa.LargeBinary(), nullable=True),
        moment("confirmed_at", optional=True),
        big_whole("last_step"),
        sa.Column("waiting_seed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("account_id"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
    )
    op.create_table(
        "recovery_code",
        text("digest", 64),
        text("account_id", 32),
        moment("used_at", optional=True),
        sa.PrimaryKeyConstraint("digest"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
    )
    op.create_index("ix_recovery_code_account_id", "recovery_code", ["account_id"])


def _sessions() -> None:
    op.create_table(
        "sign_in_session",
        text("id", 32),
        text("tenant_id", 64),
        text("account_id", 32),
        text("cookie_digest", 64, optional=True),
        truth("is_complete"),
        moment("factor_at", optional=True),
        text("address", 64),
        text("agent", 256),
        moment("created_at"),
        moment("last_used_at"),
        moment("expires_at"),
        moment("ended_at", optional=True),
        text("ended_why", 32),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
    )
    op.create_index("ix_sign_in_session_account_id", "sign_in_session", ["account_id"])
    op.create_index(
        "ix_sign_in_session_tenant_ends", "sign_in_session", ["tenant_id", "expires_at"]
    )
    op.create_table(
        "refresh_token",
        text("digest", 64),
        text("session_id", 32),
        moment("created_at"),
        moment("used_at", optional=True),
        sa.PrimaryKeyConstraint("digest"),
        sa.ForeignKeyConstraint(["session_id"], ["sign_in_session.id"]),
    )
    op.create_index("ix_refresh_token_session_id", "refresh_token", ["session_id"])
