"""Nothing → tenants, sites, boxes, received reports and the quarantine."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coordinator.migrations.columns import big_whole, json, moment, raw, real, text, whole

revision = "0001"
down_revision = None

_TABLES = (
    "tenant",
    "site",
    "device",
    "device_key",
    "certificate",
    "enrolment_token",
    "twin",
    "device_health",
    "report",
    "quarantine",
    "quarantine_count",
)


def upgrade() -> None:
    """Create the tables."""
    _tenant()
    _site()
    _device()
    _device_key()
    _certificate()
    _enrolment_token()
    _twin()
    _device_health()
    _report()
    _quarantine()
    _quarantine_count()


def downgrade() -> None:
    """Drop them, with what they hold."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _tenant() -> None:
    op.create_table(
        "tenant",
        text("id", 64),
        text("name", 128),
        moment("created_at"),
        sa.PrimaryKeyConstraint("id"),
    )


def _site() -> None:
    op.create_table(
        "site",
        whole("id"),
        text("tenant_id", 64),
        text("slug", 64),
        text("name", 128),
        text("timezone", 64),
        real("latitude", optional=True),
        real("longitude", optional=True),
        moment("created_at"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant_id", "slug"),
    )


def _device() -> None:
    op.create_table(
        "device",
        text("id", 64),
        text("tenant_id", 64),
        whole("site_id"),
        text("state", 16),
        moment("enrolled_at"),
        moment("ended_at", optional=True),
        text("ended_why", 256),
        text("replaced_by", 64, optional=True),
        moment("last_seen_at", optional=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"]),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_device_site_id", "device", ["site_id"])
    op.create_index("ix_device_tenant_id", "device", ["tenant_id"])


def _device_key() -> None:
    op.create_table(
        "device_key",
        text("key_id", 64),
        text("device_id", 64),
        text("tenant_id", 64),
        raw("public_key"),
        moment("valid_from"),
        moment("revoked_at", optional=True),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"]),
        sa.PrimaryKeyConstraint("key_id"),
    )
    op.create_index("ix_device_key_device_id", "device_key", ["device_id"])


def _certificate() -> None:
    op.create_table(
        "certificate",
        text("serial", 64),
        text("device_id", 64),
        text("tenant_id", 64),
        moment("issued_at"),
        moment("expires_at"),
        moment("revoked_at", optional=True),
        text("revoked_why", 256),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"]),
        sa.PrimaryKeyConstraint("serial"),
    )
    op.create_index("ix_certificate_device_id", "certificate", ["device_id"])
    op.create_index("ix_certificate_expires_at", "certificate", ["expires_at"])


def _enrolment_token() -> None:
    op.create_table(
        "enrolment_token",
        text("digest", 64),
        text("tenant_id", 64),
        whole("site_id"),
        text("replaces", 64, optional=True),
        moment("created_at"),
        moment("expires_at"),
        moment("used_at", optional=True),
        text("used_by", 64, optional=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"]),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"]),
        sa.PrimaryKeyConstraint("digest"),
    )


def _twin() -> None:
    op.create_table(
        "twin",
        text("device_id", 64),
        text("tenant_id", 64),
        whole("desired_version"),
        json("desired"),
        moment("desired_at", optional=True),
        whole("reported_version"),
        text("reported_state", 16),
        moment("reported_at", optional=True),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"]),
        sa.PrimaryKeyConstraint("device_id"),
    )


def _device_health() -> None:
    op.create_table(
        "device_health",
        text("device_id", 64),
        text("tenant_id", 64),
        moment("at"),
        json("content"),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"]),
        sa.PrimaryKeyConstraint("device_id"),
    )


def _report() -> None:
    op.create_table(
        "report",
        text("device_id", 64),
        big_whole("epoch"),
        big_whole("sequence"),
        text("tenant_id", 64),
        text("kind", 16),
        raw("digest"),
        moment("created_at"),
        moment("received_at"),
        sa.PrimaryKeyConstraint("device_id", "epoch", "sequence"),
        sqlite_with_rowid=False,
    )


def _quarantine() -> None:
    op.create_table(
        "quarantine",
        whole("id"),
        moment("at"),
        text("reason", 32),
        text("topic", 128),
        text("device_id", 64, optional=True),
        whole("size_bytes"),
        text("digest", 64),
        text("detail", 256),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_quarantine_at", "quarantine", ["at"])
    op.create_index("ix_quarantine_reason", "quarantine", ["reason"])


def _quarantine_count() -> None:
    op.create_table(
        "quarantine_count",
        text("reason", 32),
        text("device_id", 64),
        big_whole("messages"),
        moment("first_at"),
        moment("last_at"),
        sa.PrimaryKeyConstraint("reason", "device_id"),
        sqlite_with_rowid=False,
    )
