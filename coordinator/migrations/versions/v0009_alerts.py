"""Attacks that nobody saw → what may be one, the alerts it adds up to, and who is told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coordinator.migrations.columns import json, moment, text, whole

revision = "0009"
down_revision = "0008"

_NOT_CLOSED = sa.text("state <> 'closed'")


def upgrade() -> None:
    """Create the tables."""
    _events()
    _alerts()
    op.create_table(
        "security_alert_note",
        whole("id"),
        whole("alert_id"),
        text("tenant_id", 64),
        moment("at"),
        text("by", 128),
        text("state", 16),
        text("text", 1000),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["alert_id"], ["security_alert.id"]),
    )
    op.create_index("ix_security_alert_note_alert_id", "security_alert_note", ["alert_id"])
    op.create_table(
        "security_alert_delivery",
        whole("id"),
        text("tenant_id", 64),
        whole("alert_id"),
        text("occasion", 16),
        text("severity", 16),
        moment("created_at"),
        moment("next_at"),
        whole("attempts"),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["alert_id"], ["security_alert.id"]),
    )
    op.create_index(
        "ix_security_alert_delivery_tenant_id", "security_alert_delivery", ["tenant_id"]
    )


def _events() -> None:
    op.create_table(
        "security_event",
        whole("id"),
        text("tenant_id", 64),
        text("kind", 32),
        text("subject", 128),
        text("address", 128),
        moment("first_at"),
        moment("last_at"),
        whole("times"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_security_event_tenant_id_last_at", "security_event", ["tenant_id", "last_at"]
    )


def _alerts() -> None:
    op.create_table(
        "security_alert",
        whole("id"),
        text("tenant_id", 64),
        text("kind", 32),
        text("subject", 128),
        text("severity", 16),
        text("state", 16),
        text("summary", 512),
        json("evidence"),
        moment("first_at"),
        moment("last_at"),
        moment("opened_at"),
        moment("closed_at", optional=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_security_alert_of_tenant", "security_alert", ["tenant_id", "state", "last_at"]
    )
    # Of each trace one alert that somebody works on; a closed one may come again.
    op.create_index(
        "ux_security_alert_not_closed",
        "security_alert",
        ["tenant_id", "kind", "subject"],
        unique=True,
        sqlite_where=_NOT_CLOSED,
        postgresql_where=_NOT_CLOSED,
    )


def downgrade() -> None:
    """Drop them."""
    for table in (
        "security_alert_delivery",
        "security_alert_note",
        "security_alert",
        "security_event",
    ):
        op.drop_table(table)
